"""Batches that are made ahead. A worker makes each sample."""

from queue import Empty, SimpleQueue

from ..pipeline.record import Sample
from ..threads.workers import Workers
from .batches import Slots
from .samples import SampleMaker, Seconds

# Seconds between two checks that there are workers.
PATIENCE = 1.0


class Dropped(Exception):
    """A sample will not be made: the stream was closed."""


class Pending:
    """A batch whose samples are being made.

    Parameters
    ----------
    slots : Slots
        Where the samples are written.
    size : int
        Number of samples.
    """

    def __init__(self, slots: Slots, size: int) -> None:
        self.slots = slots
        self.seconds: Seconds = []
        self._outcomes: list[Sample | BaseException] = [Dropped()] * size
        self._ended_places: set[int] = set()
        self._ended: SimpleQueue[int] = SimpleQueue()  # tells of each that was added there

    def begin(self, workers: Workers, maker: SampleMaker, first: int, first_forced: int) -> None:
        """Let workers make the samples, whose numbers begin with `first`.

        Those from the place `first_forced` on have a patch around the foreground.
        """
        for place in range(len(self._outcomes)):
            workers.put(_SampleTask(self, place, maker, first + place, place >= first_forced))

    def end(self, place: int, outcome: Sample | BaseException) -> None:
        """Keep a finished sample, or the error of one that failed."""
        self._outcomes[place] = outcome
        self._ended_places.add(place)
        self._ended.put(place)

    @property
    def has_all_samples(self) -> bool:
        """Whether all samples have been made, and none of them failed."""
        return len(self._ended_places) == len(self._outcomes) and not any(
            isinstance(outcome, BaseException) for outcome in self._outcomes
        )

    def samples(self, workers: Workers, threads: int) -> list[Sample]:
        """Wait for all samples; make them in this thread if there is no worker.

        Raises
        ------
        BaseException
            The error of the first sample that failed, or `Dropped`.
        """
        while len(self._ended_places) < len(self._outcomes):
            if not workers.start(threads) and (task := workers.take()) is not None:
                task()
            try:
                self._ended.get(timeout=PATIENCE)
            except Empty:  # a worker may have died
                continue
        samples = []
        for outcome in self._outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            samples.append(outcome)
        return samples


class _SampleTask:
    """The task of a worker: make one sample."""

    def __init__(
        self, batch: Pending, place: int, maker: SampleMaker, number: int, is_foreground: bool
    ) -> None:
        self._batch, self._place, self._maker = batch, place, maker
        self._number, self._is_foreground = number, is_foreground

    def __call__(self) -> None:
        batch, place = self._batch, self._place
        try:
            out = batch.slots.of(place)
            sample = self._maker.make(self._number, self._is_foreground, out, batch.seconds)
            batch.slots.keep_levels(place, sample)
            batch.end(place, sample)
        except BaseException as error:  # the consumer of the batch raises it
            batch.end(place, error)

    def drop(self) -> None:
        self._batch.end(self._place, Dropped())
