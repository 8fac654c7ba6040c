"""Batches that are being made ahead, each sample by a worker."""

from queue import Empty, SimpleQueue
from typing import Any

from ..pipeline.record import Sample
from ..threads.workers import Workers
from .samples import SampleMaker, Seconds

# Seconds after which it is seen again whether there are workers.
PATIENCE = 1.0


class Dropped(Exception):
    """Nobody will make the sample: the stream was closed."""


class Pending:
    """A batch whose samples are being made.

    Parameters
    ----------
    slots : mapping from names to (size, C, n0, n1, n2) arrays
        Where the samples are written.
    size : int
        How many samples there are.
    """

    def __init__(self, slots: dict[str, Any], size: int) -> None:
        self.slots = slots
        self.seconds: Seconds = []
        self._outcomes: list[Sample | BaseException] = [Dropped()] * size
        self._ended: SimpleQueue[int] = SimpleQueue()  # places, some of them twice
        self._ended_places: set[int] = set()

    def begin(self, workers: Workers, maker: SampleMaker, first: int, first_forced: int) -> None:
        """Let workers make the samples from the number `first` on.

        Those from the place `first_forced` on are of the foreground.
        """
        for place in range(len(self._outcomes)):
            workers.put(_SampleTask(self, place, maker, first + place, place >= first_forced))

    def end(self, place: int, outcome: Sample | BaseException) -> None:
        """Say what became of a sample, and that nothing more is done for it."""
        self._outcomes[place] = outcome
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
    """What a worker does for one sample."""

    def __init__(
        self, batch: Pending, place: int, maker: SampleMaker, number: int, is_foreground: bool
    ) -> None:
        self._batch, self._place, self._maker = batch, place, maker
        self._number, self._is_foreground = number, is_foreground

    def __call__(self) -> None:
        batch, place = self._batch, self._place
        try:
            out = {name: slot[place] for name, slot in batch.slots.items()}
            sample = self._maker.make(self._number, self._is_foreground, out, batch.seconds)
            batch.end(place, sample)
        except BaseException as error:  # the consumer of the batch raises it
            batch.end(place, error)

    def drop(self) -> None:
        self._batch.end(self._place, Dropped())
