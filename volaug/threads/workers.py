"""Threads that take tasks from a queue: helpers of calls, and makers of a stream's samples.

An exception can reach a thread between any two bytecodes: Ctrl-C, another signal handler, a failing
thread start, a debugger. So no lock is held across Python code that must run to its end. A step is
atomic only if it is one call into C: `SimpleQueue.put` and `get`, or `acquire` of a lock.

A clean-up can be repeated, and stands twice: as the last step of a ``try``, and in its ``finally``.
After an exception that comes before the first has ended, the second does it.
"""

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol


def holding(lock: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function while this thread holds a lock.

    Unlike after a ``with``, the lock is free wherever an exception came between. The same thread
    must not hold it already.
    """
    try:
        lock.acquire()
        result = function(*arguments)
        give_back(lock)
        return result
    finally:  # does nothing, unless an exception came
        give_back(lock)


def give_back(lock: Any) -> None:
    """Release a lock if this thread holds it."""
    if lock._is_owned():  # as `threading.Condition` asks; an error instead takes 1 microsecond
        lock.release()


class Task(Protocol):
    """What a worker does. It raises nothing."""

    def __call__(self) -> None:
        """Do it."""

    def drop(self) -> None:
        """Say that it will not be done."""


class _Queue:
    """What workers and their owner share. The workers do not hold the owner, which may go."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.workers: dict[int, int] = {}  # the thread of each number, as long as it lives
        self.ended: SimpleQueue[None] = SimpleQueue()
        self.stopped = False


class Workers:
    """Threads that take tasks from a queue, started when they are needed.

    They are daemons, so that the end of the program does not wait for what is still queued; but
    `stop_all` lets each finish its task before the interpreter goes.

    Parameters
    ----------
    name : str
        Of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue = _Queue()
        _live.add(self)

    def start(self, count: int) -> int:
        """Have so many workers, or as many as there can be; return how many there are."""
        if self._queue.stopped:
            return 0
        for number in range(count):
            if number in self._queue.workers:
                continue
            thread = threading.Thread(
                target=_serve, args=(number, self._queue), name=self._name, daemon=True
            )
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # a limit, or the interpreter is going
                return number
        return count

    def put(self, task: Task) -> None:
        """Let a worker do a task."""
        self._queue.tasks.put(task)

    def take(self) -> Task | None:
        """A task that no worker has taken, if there is one."""
        try:
            return self._queue.tasks.get_nowait()
        except Empty:
            return None

    def stop(self, wait: bool = True) -> None:
        """Drop what has not begun, and end the workers; `wait` for what has begun.

        There are no workers afterwards.
        """
        # a worker registers before it looks at this, so that it sees this or is counted below
        self._queue.stopped = True
        for _ in range(self._queue.tasks.qsize()):
            task = self.take()
            if task is not None:
                task.drop()
        workers = self._queue.workers
        for _ in range(len(workers)):
            self._queue.tasks.put(None)
        while wait and workers and threading.get_ident() not in list(workers.values()):
            with suppress(Empty):  # another that waits may have had it
                self._queue.ended.get(timeout=0.05)


def _serve(number: int, queue: _Queue) -> None:
    """Do tasks until there is a None."""
    try:
        # one step: of two threads that were started for a number one is its worker
        if queue.workers.setdefault(number, threading.get_ident()) == threading.get_ident():
            while not queue.stopped and (task := queue.tasks.get()) is not None:
                task()
                del task  # while this thread waits, it keeps no array
        _leave(number, queue)
    finally:
        _leave(number, queue)


def _leave(number: int, queue: _Queue) -> None:
    if queue.workers.get(number) == threading.get_ident():
        queue.workers.pop(number, None)
    queue.ended.put(None)


_live: "weakref.WeakSet[Workers]" = weakref.WeakSet()
_shared: dict[str, Workers] = {}


@atexit.register
def stop_all() -> None:
    """Before the interpreter goes: a thread in a kernel must not outlive it."""
    workers: list[Workers] = []
    while not workers and _live:
        with suppress(RuntimeError):  # another thread has made some meanwhile
            workers = list(_live)
    for each in workers:
        each.stop(wait=False)
    for each in workers:
        each.stop()
    _shared.clear()


def shared_workers() -> Workers:
    """The helpers of all calls. Each caller works itself, so that none waits for another's."""
    return _shared.get("volaug") or _shared.setdefault("volaug", Workers("volaug"))


def _forget_workers() -> None:
    """The parent's threads do not exist in a forked child."""
    _shared.clear()
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
