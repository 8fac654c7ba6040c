"""What holds for every test."""

import pytest

from volaug.threads import limits


@pytest.fixture(autouse=True)
def threads_as_before():
    """See that a test leaves the number of threads to the next one as it was."""
    yield
    assert limits._requested is None
