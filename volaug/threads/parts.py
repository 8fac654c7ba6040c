"""How threads share the work of a call.

Kernels are serial and release the GIL. The calling thread and its helpers each have ranges that
follow each other, since a range reads what the one before has prefetched. Who has done all of its
own takes the last ones of another thread.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from .workers import give_back, shared_workers

# Ranges per thread. More of them balance the threads better, but between two of them a thread waits
# for the GIL. With 16, contrast, noise and a blur of 96^3 to 192^3 take 1.1 to 1.6 times as long
# (two threads of an Intel Xeon). With 2, contrast takes 0.85 to 1.0 of the time, and all else 0.9
# to 1.0.
PARTS_PER_THREAD = 4

# Below this many voxels the calling thread is done before another has begun.
VOXELS_WORTH_A_THREAD = 2**15


def threads_worth(voxels: int, threads: int) -> int:
    """Return `threads`, or 1 if there is too little work to share."""
    return 1 if voxels < VOXELS_WORTH_A_THREAD else threads


class _Helper:
    """A task of a worker: help with a call.

    The gate is a lock that the worker holds while it works. At the end of the call, the caller
    takes all gates and keeps them. So it waits for each worker that has begun, and a worker that
    has not begun never will.
    """

    def __init__(self, call: "_Call", number: int) -> None:
        self.call: _Call | None = call
        self.number = number
        self.gate = threading.RLock()  # after an exception the caller takes it again

    def __call__(self) -> None:
        try:
            if self.gate.acquire(blocking=False) and self.call is not None:
                self.call.help(self.number)  # in no variable: nothing is held when the gate opens
            give_back(self.gate)
        finally:
            give_back(self.gate)

    def drop(self) -> None:
        """Do nothing: nobody waits for a helper that has not begun."""


class _Call:
    """The parts of one call, which its caller and some workers share."""

    def __init__(
        self, work: Callable[[int, int], None], count: int, threads: int, arrays: Iterable[Any]
    ) -> None:
        parts = min(count, PARTS_PER_THREAD * threads)
        edges = [count * part // parts for part in range(parts + 1)]
        ranges = list(itertools.pairwise(edges))
        shares = min(threads, parts)
        self._shares = [
            deque(ranges[parts * k // shares : parts * (k + 1) // shares]) for k in range(shares)
        ]
        self._work = work
        self._arrays = tuple(arrays)  # each worker at work holds them, whatever happens
        self._helpers = [_Helper(self, number) for number in range(1, shares)]
        self.errors: list[BaseException] = []

    def begin(self) -> None:
        """Ask workers to help."""
        workers = shared_workers()
        for helper in self._helpers[: workers.start(len(self._helpers))]:
            workers.put(helper)

    def take(self, number: int = 0) -> None:
        """Work on parts until none is left, as the thread of a number; the caller is 0."""
        for first, stop in self._parts_of(number):
            self._work(first, stop)

    def _parts_of(self, number: int) -> Iterator[tuple[int, int]]:
        """The parts of a thread in their order, and then the last ones of the others."""
        own = self._shares[number]
        with suppress(IndexError):
            while True:
                yield own.popleft()
        while any(self._shares):
            with suppress(IndexError):  # another thread may be quicker
                yield max(self._shares, key=len).pop()

    def help(self, number: int) -> None:
        """Work on parts in a worker; its errors are raised by the caller."""
        try:
            self.take(number)
        except BaseException as error:
            self.errors.append(error)
            self._leave_no_part()

    def end(self) -> None:
        """Wait for the helpers that have begun, and let no other begin."""
        self._leave_no_part()
        for helper in self._helpers:
            helper.gate.acquire()
            helper.call = None  # the helper may still be in the queue

    def _leave_no_part(self) -> None:
        for share in self._shares:
            share.clear()


def run_parts(
    work: Callable[[int, int], None], count: int, threads: int, arrays: Iterable[Any] = ()
) -> None:
    """Call ``work(first, stop)`` on ranges that make up ``range(count)``, in some threads.

    It returns or raises only when no thread works any more, unless a second exception interrupts
    the clean-up after the first. If no other thread can be started, the calling one does all work.

    Parameters
    ----------
    work : function of two ints
    count : int
    threads : int
        Number of threads at most, with the calling one.
    arrays : iterable
        All that `work` reads or writes by address. A thread at work holds them, so that it never
        writes into freed memory, even after two exceptions.

    Raises
    ------
    BaseException
        The error of `work`, after the other threads have stopped.
    """
    if threads == 1 or count == 1:
        work(0, count)
        return
    call = _Call(work, count, threads, arrays)
    try:
        call.begin()
        call.take()
        call.end()
    finally:  # again, if an exception came before the end: see workers.py
        call.end()
    if call.errors:
        raise call.errors[0]
