"""Counts and times of a stream."""

import time
from collections import defaultdict
from typing import NamedTuple

from .samples import Seconds

# If the consumer waits for less than this share of the time, it is what bounds the stream.
MAX_WAITED = 0.05

# The stages that bound a stream, and what they are called.
STAGES = {"open": "reading", "read": "reading", "draw": "drawing", "augment": "augmenting"}

ADVICE = {
    "the consumer": "batches are ready before they are asked for: more threads would not help",
    "reading": "a larger cache_bytes= keeps decompressed cases in memory; .npy and .b2nd files "
    "are read in parts",
    "drawing": "labels are searched for their foreground once for each case, and for each sample "
    "if cases are functions; foreground=0 does without",
    "augmenting": "threads= takes as many processors as are free; fewer or smaller steps cost less",
}


class Report(NamedTuple):
    """Counts and times of a stream so far."""

    batches: int
    samples: int
    seconds: float  # since the first batch was asked for
    waited: float  # part of these, in which the consumer waited for a batch
    stages: dict[str, float]  # mean seconds per sample: open, draw, read, augment
    threads: int  # of the stream

    @property
    def bound(self) -> str:
        """What bounds the speed: "the consumer", "reading", "drawing" or "augmenting".

        It is the consumer if it waited for less than 5 % of the time; else the stage of the samples
        that takes longest. Empty before the first batch.
        """
        if not self.stages:
            return ""
        if self.waited <= MAX_WAITED * self.seconds:
            return "the consumer"
        totals: defaultdict[str, float] = defaultdict(float)
        for stage, mean in self.stages.items():
            totals[STAGES[stage]] += mean
        return max(totals, key=lambda name: totals[name])

    @property
    def advice(self) -> str:
        """What to change for more samples a second; empty before the first batch."""
        return ADVICE.get(self.bound, "")

    def __str__(self) -> str:
        rate = self.samples / self.seconds if self.seconds else 0.0
        lines = [
            f"{self.batches} batches, {self.samples} samples in {self.seconds:.1f} s by "
            f"{self.threads} thread{'s' * (self.threads > 1)}: {rate:.1f} samples a second; waited "
            f"for {self.waited:.1f} s"
        ]
        lines += [f"{name:>10} {1e3 * mean:8.2f} ms a sample" for name, mean in self.stages.items()]
        if self.bound:
            lines.append(f"bound by {self.bound}: {self.advice}")
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

    def report(self, batches: int, threads: int) -> Report:
        """Return the report of a stream of so many threads that has given `batches` batches."""
        seconds = 0.0 if self._begun is None else time.perf_counter() - self._begun
        made, spent = self._samples, dict(self._spent)
        stages = {name: total / made for name, total in spent.items()} if made else {}
        return Report(batches, made, seconds, self._waited, stages, threads)
