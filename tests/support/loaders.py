"""What tests of a DataLoader have in common."""

import pytest


def marks_of(library):
    """The marks of such tests."""
    # on one processor workers are no faster, but as right
    return [
        pytest.mark.oracle(library),
        pytest.mark.usefixtures("warmed_up"),
        pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
    ]
