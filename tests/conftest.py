"""What holds for every test."""

import pytest

from volaug import threads


@pytest.fixture(autouse=True)
def threads_as_before():
    """See that a test leaves the number of threads to the next one as it was."""
    yield
    assert threads._requested is None
