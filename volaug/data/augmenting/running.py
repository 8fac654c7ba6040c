"""Do jobs in threads: files are read and written while others are computed."""

import errno
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import NamedTuple

from ..files.deflate import Map
from .copying import Copier, Stopped
from .manifest import Line
from .plan import Job

# Threads beyond the processors, which read and write while as many as there are processors compute.
WAITING = 2

# Errors after which no other file can be written either.
FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class Done(NamedTuple):
    """What became of a job.

    Attributes
    ----------
    job : Job
    lines : list
        For the manifest.
    error : Exception or None
    """

    job: Job
    lines: list[Line]
    error: Exception | None

    @property
    def is_fatal(self) -> bool:
        """Whether no other job can succeed."""
        return isinstance(self.error, OSError) and self.error.errno in FATAL


def share_of_threads(jobs: int, threads: int) -> tuple[int, int]:
    """How many jobs are computed at once, and with how many threads each."""
    at_once = max(1, min(jobs, threads))
    return at_once, max(1, threads // at_once)


@contextmanager
def compressing(threads: int) -> Iterator[Map]:
    """How blocks of a file are compressed by so many threads."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads, "volaug-deflate") as pool:
        yield pool.map


def in_threads(copier: Copier, jobs: Iterable[Job], at_once: int) -> Generator[Done, None, None]:
    """Do jobs, and say what became of each, in the order in which they end.

    If the consumer stops, no job is begun any more, and those under way end before this returns:
    each as a whole or not at all.

    Parameters
    ----------
    copier : Copier
    jobs : iterable of Job
    at_once : int
        How many are computed at once.
    """
    waiting: Iterator[Job] = iter(jobs)
    turn, stop = threading.Lock(), threading.Event()
    ended: SimpleQueue[Done | None] = SimpleQueue()

    def work() -> None:
        try:
            while not stop.is_set():
                with turn:
                    job = next(waiting, None)
                if job is None:
                    return
                ended.put(_done(copier, job, stop.is_set))
        finally:
            ended.put(None)

    count = at_once + WAITING
    threads = [threading.Thread(target=work, name="volaug-augment") for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        while count:
            found = ended.get()
            if found is None:
                count -= 1
            elif not isinstance(found.error, Stopped):
                yield found
    finally:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def _done(copier: Copier, job: Job, is_stopping: Callable[[], bool]) -> Done:
    try:
        return Done(job, copier.make(job, is_stopping), None)
    except Exception as error:  # any library may be at fault, and one case ends no run
        return Done(job, [], error)
