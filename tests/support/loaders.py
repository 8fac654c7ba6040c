"""What tests of a DataLoader have in common."""

import multiprocessing

import pytest

# What takes seconds to load: a worker from a forkserver has it at its start, a spawned one has not.
multiprocessing.set_forkserver_preload(["torch.utils.data", "volaug.integrations.torch"])


def marks_of(*libraries):
    """The marks of such tests."""
    # on one processor workers are no faster, but as right
    return [
        pytest.mark.oracle(*libraries),
        pytest.mark.usefixtures("warmed_up"),
        pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
    ]
