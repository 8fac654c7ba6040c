"""How many threads a call uses, and how they share out its work.

Kernels are serial and release the GIL; the calling thread and helpers take ranges of tiles until
none is left.
"""

import functools
import itertools
import math
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .ranks import is_worker, share_of
from .workers import give_back, shared_workers

# Ranges of tiles a thread; more even out what the threads get, fewer cost less.
PARTS_PER_THREAD = 8

# Below this many voxels the calling thread is done before another has begun.
VOXELS_WORTH_A_THREAD = 2**15

_requested: int | None = None


def set_num_threads(n: int | None) -> None:
    """Set how many threads a call uses that does not say so itself.

    Parameters
    ----------
    n : int or None
        At least 1; never more are used than the machine grants this process. None goes back
        to ``VOLAUG_NUM_THREADS`` or, without it, to the automatic choice: one thread in a
        worker process (a child of `multiprocessing`, a torch ``DataLoader`` worker), else as
        many as the processor affinity and the cgroup's quota grant, shared with the other ranks of
        torchrun, MPI or Slurm on this machine, and at most ``OMP_NUM_THREADS``.
    """
    global _requested
    _requested = None if n is None else as_thread_count(n, "n")


def get_num_threads() -> int:
    """How many threads a call uses that does not say so itself."""
    return thread_count(None)


def thread_count(threads: int | None) -> int:
    """How many threads to use: argument, `set_num_threads`, environment, automatic."""
    if threads is not None:
        wanted = as_thread_count(threads, "threads")
    elif _requested is not None:
        wanted = _requested
    elif value := os.environ.get("VOLAUG_NUM_THREADS", "").strip():
        wanted = as_thread_count(value, "VOLAUG_NUM_THREADS")
    elif is_worker():
        wanted = 1
    else:
        wanted = share_of(granted_threads())
    return 1 if wanted == 1 else min(wanted, granted_threads())


def as_thread_count(value: object, name: str) -> int:
    """A number of threads, or an error that names where it came from."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    try:
        if isinstance(value, bool | str):
            raise TypeError
        count = value.__index__()  # type: ignore[attr-defined]
    except (TypeError, AttributeError):
        raise TypeError(f"{name} must be a whole number of at least 1, got {value!r}") from None
    if count < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {count}")
    return int(count)


def threads_worth(voxels: int, threads: int) -> int:
    """`threads`, or one where there is too little to share."""
    return 1 if voxels < VOXELS_WORTH_A_THREAD else threads


class _Helper:
    """The part that a worker may have in a call.

    Whoever holds the gate may work: the worker while it does, and the caller for ever once the
    call has ended. So the caller waits for a worker that has begun, and for none that has not.
    """

    def __init__(self, call: "_Call") -> None:
        self.call: _Call | None = call
        self.gate = threading.RLock()  # after an exception the caller takes it once more

    def __call__(self) -> None:
        try:
            if self.gate.acquire(blocking=False) and self.call is not None:
                self.call.help()  # no name: nothing is held when the gate opens
            give_back(self.gate)
        finally:
            give_back(self.gate)

    def drop(self) -> None:
        """Nobody waits for a helper that has not begun."""


class _Call:
    """The parts of one call, which its caller and some workers share out."""

    def __init__(
        self, work: Callable[[int, int], None], count: int, threads: int, arrays: Iterable[Any]
    ) -> None:
        parts = min(count, PARTS_PER_THREAD * threads)
        edges = [count * part // parts for part in range(parts + 1)]
        self._parts: Iterator[tuple[int, int]] = iter(list(itertools.pairwise(edges)))
        self._work = work
        self._arrays = tuple(arrays)  # held by each worker that works, come what may
        self._helpers = [_Helper(self) for _ in range(min(threads, parts) - 1)]
        self.errors: list[BaseException] = []

    def begin(self) -> None:
        """Ask workers to help."""
        workers = shared_workers()
        for helper in self._helpers[: workers.start(len(self._helpers))]:
            workers.put(helper)

    def take(self) -> None:
        """Work on parts until none is left."""
        for first, stop in self._parts:
            self._work(first, stop)

    def help(self) -> None:
        """`take`, in a worker; what it raises is the caller's."""
        try:
            self.take()
        except BaseException as error:
            self.errors.append(error)
            self._leave_no_part()

    def end(self) -> None:
        """Wait for the helpers that have begun, and let no other begin."""
        self._leave_no_part()
        for helper in self._helpers:
            helper.gate.acquire()
            helper.call = None  # it may still lie in the queue

    def _leave_no_part(self) -> None:
        deque(self._parts, maxlen=0)


def run_parts(
    work: Callable[[int, int], None], count: int, threads: int, arrays: Iterable[Any] = ()
) -> None:
    """Call ``work(first, stop)`` on ranges that make up ``range(count)``, in some threads.

    It returns when all is done. It never returns, nor raises, while a thread still works, unless
    a second exception interrupts the clean-up after the first. The calling thread does all of it
    where no other can be had.

    Parameters
    ----------
    work : function of two ints
    count : int
    threads : int
        At most this many, with the calling one.
    arrays : iterable
        All that `work` reaches by its address. A thread that works holds them, so that even then it
        never writes into memory that was freed.

    Raises
    ------
    BaseException
        What `work` raised, after the other threads have stopped.
    """
    if threads == 1 or count == 1:
        work(0, count)
        return
    call = _Call(work, count, threads, arrays)
    try:
        call.begin()
        call.take()
        call.end()
    finally:  # for an exception that came before all had ended, see workers.py
        call.end()
    if call.errors:
        raise call.errors[0]


def granted_threads() -> int:
    """Processors that this process may use: its affinity, and at most its cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return max(1, min(processors, _cgroup_limit()))


@functools.cache
def _cgroup_limit(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int:
    """The least quota, in processors, of this process's cgroups (version 1 or 2) and theirs."""
    limits = [sys.maxsize]
    for line in _text(groups).splitlines():  # there are none but on Linux
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not path.startswith("/"):
            continue
        if controllers == "":
            mount, read = root, _quota_v2
        elif "cpu" in controllers.split(","):
            mount, read = root / "cpu", _quota_v1
        else:
            continue
        folder = mount / path.lstrip("/")
        for ancestor in (folder, *folder.parents):
            if ancestor.is_relative_to(mount):
                limits.append(read(ancestor))
    return min(limits)


def _quota_v2(folder: Path) -> int:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return _processors(quota, period)


def _quota_v1(folder: Path) -> int:
    return _processors(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _processors(quota: str, period: str) -> int:
    """A quota of time in a period as processors; no limit if either is no positive number."""
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError, OverflowError):  # "max", or a file of an odd form
        return sys.maxsize
    return math.ceil(share) if 0.0 < share < sys.maxsize else sys.maxsize


def _text(file: Path) -> str:
    """What a small file holds, or nothing if it cannot be read."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except (OSError, ValueError):  # a path with a null character is a ValueError
        return ""
