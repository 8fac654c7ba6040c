"""What holds for every test, and fixtures that several files use."""

import os

import pytest

# For pytest's workers, each of which would have a thread of NumPy's and one of torch's for each
# processor: products of small matrices take twice the processor time with these.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import volaug
from volaug.threads import limits
from volaug.transforms.registered import REGISTERED


@pytest.fixture(autouse=True)
def threads_as_before():
    """See that a test leaves the number of threads to the next one as it was."""
    yield
    assert limits._requested is None


@pytest.fixture
def processors(monkeypatch):
    """Let the machine seem to have a number of processors: ``processors(4)``."""
    return lambda count: monkeypatch.setattr(limits, "granted_threads", lambda: count)


@pytest.fixture
def sixteen_processors(processors):
    """As if the machine had 16 processors, so that work is really divided."""
    processors(16)


@pytest.fixture
def place(monkeypatch):
    """A poisoned cache of one kernel, see `support/kernel_cache.py`."""
    from support.kernel_cache import poisoned_cache  # it loads Numba

    with poisoned_cache(monkeypatch) as place:
        yield place


@pytest.fixture(scope="session")
def warmed_up():
    """Kernels are loaded, so that no forked worker has to do that; see `docs/integrations.md`."""
    volaug.warmup(["float32", "int16", "uint8"])


@pytest.fixture
def forget():
    """Forget the step of a user that a test registers as `Own`."""
    yield
    REGISTERED.pop("Own", None)


def pytest_runtest_setup(item):
    """Skip a test whose libraries are not installed."""
    for mark in item.iter_markers("oracle"):
        for library in mark.args:
            pytest.importorskip(library)
