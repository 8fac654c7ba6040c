"""Counts and times of a stream."""

import time
from collections import defaultdict
from typing import NamedTuple

from .samples import Seconds


class Report(NamedTuple):
    """Counts and times of a stream so far."""

    batches: int
    samples: int
    seconds: float  # since the first batch was asked for
    waited: float  # part of these, in which the consumer waited for a batch
    stages: dict[str, float]  # mean seconds per sample: open, draw, read, augment

    def __str__(self) -> str:
        rate = self.samples / self.seconds if self.seconds else 0.0
        lines = [
            f"{self.batches} batches, {self.samples} samples in {self.seconds:.1f} s: "
            f"{rate:.1f} samples a second; waited for {self.waited:.1f} s"
        ]
        lines += [f"{name:>10} {1e3 * mean:8.2f} ms a sample" for name, mean in self.stages.items()]
        return "\n".join(lines)


class Progress:
    """The counts and times that a stream adds up while it makes batches."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._waited = 0.0
        self._samples = 0
        self._spent: defaultdict[str, float] = defaultdict(float)

    def start(self) -> float:
        """Start the clock with the first batch, and return the time."""
        now = time.perf_counter()
        self._begun = now if self._begun is None else self._begun
        return now

    def add(self, start: float, samples: int, seconds: Seconds) -> None:
        """Add a batch that was requested at `start`, and the seconds of its stages."""
        for stage, spent in seconds:
            self._spent[stage] += spent
        self._samples += samples
        self._waited += time.perf_counter() - start

    def report(self, batches: int) -> Report:
        """Return the report of a stream that has given `batches` batches."""
        seconds = 0.0 if self._begun is None else time.perf_counter() - self._begun
        made, spent = self._samples, dict(self._spent)
        stages = {name: total / made for name, total in spent.items()} if made else {}
        return Report(batches, made, seconds, self._waited, stages)
