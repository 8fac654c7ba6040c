"""Batches that are being made ahead, each sample by a worker."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from .record import Sample
from .workers import Workers

# It makes a sample: for its place in the batch, into slots, and notes the seconds of each stage.
Make = Callable[[int, dict[str, Any], list[tuple[str, float]]], Sample]

# Seconds after which it is seen again whether there are workers.
PATIENCE = 1.0


class Dropped(Exception):
    """Nobody will make the sample: the stream was closed."""


class Pending:
    """A batch whose samples are being made.

    Parameters
    ----------
    slots : mapping from names to arrays
        Where the samples are written.
    size : int
        How many samples there are.
    """

    def __init__(self, slots: dict[str, Any], size: int) -> None:
        self.slots = slots
        self.seconds: list[tuple[str, float]] = []  # each stage that a sample went through
        self._outcomes: list[Sample | BaseException] = [Dropped()] * size
        self._ended: SimpleQueue[int] = SimpleQueue()  # places, some of them twice
        self._ended_places: set[int] = set()

    def begin(self, workers: Workers, make: Make) -> None:
        """Let workers make the samples."""
        for place in range(len(self._outcomes)):
            workers.put(_SampleTask(self, place, make))

    def make(self, place: int, make: Make) -> None:
        """Make a sample, or keep the exception that it raised for the consumer."""
        try:
            try:
                self._outcomes[place] = make(place, self.slots, self.seconds)
            except BaseException as error:
                self._outcomes[place] = error
        finally:
            self.end(place)

    def end(self, place: int) -> None:
        """Say that nothing more is done for a sample."""
        self._ended.put(place)

    def samples(self, workers: Workers, threads: int) -> list[Sample]:
        """Wait for all of them; make them here if there is no worker.

        Raises
        ------
        BaseException
            What the first sample that failed has raised, or `Dropped`.
        """
        while len(self._ended_places) < len(self._outcomes):
            if not workers.start(threads) and (task := workers.take()) is not None:
                task()
            try:
                self._ended_places.add(self._ended.get(timeout=PATIENCE))
            except Empty:  # a worker may have ended by force
                continue
        samples = []
        for outcome in self._outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            samples.append(outcome)
        return samples


class _SampleTask:
    """What a worker does for one sample.

    The batch does not hold `make`, and so not the stream, which holds the batch: a stream that is
    dropped goes when its last task has ended, and waits for no garbage collection.
    """

    def __init__(self, batch: Pending, place: int, make: Make) -> None:
        self._batch, self._place, self._make = batch, place, make

    def __call__(self) -> None:
        # The second end is for an exception that came before the first.
        try:
            self._batch.make(self._place, self._make)
        finally:
            self._batch.end(self._place)

    def drop(self) -> None:
        self._batch.end(self._place)
