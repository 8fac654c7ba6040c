"""How threads share out the work of a call.

Kernels are serial and release the GIL; the calling thread and helpers take ranges of tiles until
none is left.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .workers import give_back, shared_workers

# Ranges of tiles a thread; more even out what the threads get, fewer cost less.
PARTS_PER_THREAD = 8

# Below this many voxels the calling thread is done before another has begun.
VOXELS_WORTH_A_THREAD = 2**15


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
