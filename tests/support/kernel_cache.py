"""A disk cache of one kernel that is poisoned, and calls of the kernel in forked children.

Its file is right in all but where it lies, whose it is, or what it is of. Loaded, it leaves a mark.
"""

import contextlib
import functools
import os
import pickle
import shutil
import signal
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numba
import pytest
from numba import int64

from volaug.kernels.jit import cache as caches
from volaug.kernels.jit.options import kernel

as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)

NOBODY = 65534
SECONDS = 60  # until a child is taken to hang


def double(x):
    return 2 * x


def subject_of(cache, dispatcher, signature=(int64,)):
    return cache._subject(signature, dispatcher.targetctx.codegen().magic_tuple())


@dataclass
class Place:
    """A cache of one kernel: top / cache / folder / file."""

    top: Path
    mark: Path
    cache: Path
    folder: Path
    file: Path

    def evil(self, subject=None, version=None):
        """The content of a file that leaves the mark when it is loaded."""
        dispatcher = kernel(double)
        seal = caches.KernelCache(double)
        seal._version = version or seal._version
        return seal._seal(subject or subject_of(seal, dispatcher), pickle.dumps(Evil(self.mark)))


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@functools.cache
def load_compiler():
    """Children inherit a compiler that is ready, which takes a second to load."""
    numba.njit(double)(1)


@contextlib.contextmanager
def poisoned_cache(monkeypatch):
    """A poisoned cache that anybody can read, in which only the poison is wrong."""
    load_compiler()
    top = Path(tempfile.mkdtemp(prefix="volaug-poison-"))
    top.chmod(0o755)
    cache = top / "above" / "cache"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(cache))
    dispatcher = kernel(double)
    seal = caches.KernelCache(double)
    (folder,) = seal._folders()
    folder.mkdir(parents=True)
    file = folder / seal._file_name(subject_of(seal, dispatcher))
    place = Place(top, top / "mark", cache, folder, file)
    file.write_bytes(place.evil())
    for path in (cache.parent, cache, folder):
        path.chmod(0o755)
    file.chmod(0o644)
    try:
        yield place
    finally:
        shutil.rmtree(top)


def in_child(action):
    """What an action returns in a forked child, which must neither hang nor crash."""
    (answer,) = in_children(action, 1)
    return answer


def in_children(action, count):
    """What an action returns in each of some forked children, which begin at once."""
    gate, opened = os.pipe()
    children = {}
    for _ in range(count):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.close(opened)
                os.read(gate, 1)  # until the parent closes it
                os.write(writer, pickle.dumps(action()))
                os._exit(0)
            os._exit(1)
        os.close(writer)
        children[child] = reader
    os.close(opened)
    os.close(gate)
    return [_answer_of(child, reader) for child, reader in children.items()]


def _answer_of(child, reader):
    give_up = time.monotonic() + SECONDS
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("it hangs")
        time.sleep(0.002)
    with open(reader, "rb") as stream:
        answer = stream.read()
    assert ended[1] == 0, "it crashed"
    return pickle.loads(answer)


def call(function=double):
    """Of a fresh process: the result, how often the cache served, and the warnings."""
    (value,), hits, messages = call_all([function])
    return value, hits, messages


def call_all(functions):
    """The same of several kernels in one process: the results, and counts of all."""
    caches._warned = False
    dispatchers = [kernel(function) for function in functions]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        values = [dispatcher(21) for dispatcher in dispatchers]
    hits = sum(sum(dispatcher.stats.cache_hits.values()) for dispatcher in dispatchers)
    return values, hits, [str(w.message) for w in caught]
