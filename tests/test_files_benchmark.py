"""What `python -m benchmarks.files` takes the time of."""

import importlib

from benchmarks.files import FILE_WORK


def test_the_functions_that_read_and_write_have_these_names():
    for module, names in FILE_WORK.items():
        found = importlib.import_module(module)
        assert [name for name in names if not callable(getattr(found, name, None))] == []
