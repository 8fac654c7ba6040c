"""Threads that take tasks from a queue: they help calls, and make the samples of streams.

An exception can reach a thread between any two bytecodes: Ctrl-C, another signal handler, a failing
thread start, a debugger. So no lock is held across Python code that must run to its end. A step is
atomic only if it is one call into C: `SimpleQueue.put` and `get`, or `acquire` of a lock.

A clean-up can be repeated, and is written twice: as the last step of a ``try``, and in its
``finally``. If an exception interrupts the first, the second does it.
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

    Unlike with a ``with``, the lock is released wherever an exception comes. The thread must not
    hold it already.
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
    if lock._is_owned():  # as `threading.Condition` asks; to catch an error takes 1 microsecond
        lock.release()


class Task(Protocol):
    """The work of a worker. It must not raise."""

    def __call__(self) -> None:
        """Do it."""

    def drop(self) -> None:
        """Say that it will not be done."""


class _Queue:
    """What workers share with their owner.

    They do not hold the owner, so that it can be garbage collected.
    """

    def __init__(self) -> None:
        self.tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.workers: dict[int, int] = {}  # by the number of a worker, its thread while it lives
        self.ended: SimpleQueue[None] = SimpleQueue()
        self.stopped = False


class Workers:
    """Threads that take tasks from a queue, started when they are needed.

    They are daemon threads, so that the end of the program does not wait for tasks in the queue.
    `stop_all` lets each finish its task before the interpreter ends.

    Parameters
    ----------
    name : str
        Name of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue = _Queue()
        _live.add(self)

    def start(self, count: int) -> int:
        """Start workers until there are `count`, or as many as can be; return their number."""
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
            except (RuntimeError, MemoryError):  # a limit, or the interpreter is ending
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
        """Drop tasks that have not begun, end the workers, and `wait` for tasks that have begun.

        No worker can be started afterwards.
        """
        # a worker registers before it reads `stopped`: either it sees this, or is counted below
        self._queue.stopped = True
        for _ in range(self._queue.tasks.qsize()):
            task = self.take()
            if task is not None:
                task.drop()
        workers = self._queue.workers
        for _ in range(len(workers)):
            self._queue.tasks.put(None)
        while wait and workers and threading.get_ident() not in list(workers.values()):
            with suppress(Empty):  # another waiting thread may have taken it
                self._queue.ended.get(timeout=0.05)


def _serve(number: int, queue: _Queue) -> None:
    """Do tasks until there is None in the queue."""
    try:
        # in one step: if two threads were started for a number, one of them is its worker
        if queue.workers.setdefault(number, threading.get_ident()) == threading.get_ident():
            while not queue.stopped and (task := queue.tasks.get()) is not None:
                task()
                del task  # keep no array while waiting
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
    """Stop all workers before the interpreter ends: no thread in a kernel may outlive it."""
    workers: list[Workers] = []
    while not workers and _live:
        with suppress(RuntimeError):  # another thread has made workers meanwhile
            workers = list(_live)
    for each in workers:
        each.stop(wait=False)
    for each in workers:
        each.stop()
    _shared.clear()


def shared_workers() -> Workers:
    """The workers that help all calls. Callers work too, so that none waits for busy workers."""
    return _shared.get("volaug") or _shared.setdefault("volaug", Workers("volaug"))


def _forget_workers() -> None:
    """In a forked child there are no threads of the parent."""
    _shared.clear()
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
