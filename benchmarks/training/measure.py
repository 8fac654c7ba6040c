"""How fast a network is trained with batches that are made in one way."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil

from .network import Trainer
from .task import BATCH_SIZE, Batch

# Steps before the clock starts: kernels and memory of the network are chosen in the first ones.
WARM_STEPS = 3
MIN_STEPS = 2


class Speed(NamedTuple):
    """What was measured over some seconds of training."""

    steps: int
    seconds: float
    waited: float  # seconds in which the network had no batch
    cpu_seconds: float  # of this process and of its workers
    memory: int  # bytes, at the end: what is shared by processes counts once

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.steps / self.seconds

    @property
    def cpu_seconds_per_sample(self) -> float:
        """Processor time of a sample and of its share of a step."""
        return self.cpu_seconds / (self.steps * BATCH_SIZE)


def speed_of(trainer: Trainer, batches: Iterator[Batch], ahead: int, seconds: float) -> Speed:
    """Train for some seconds.

    Parameters
    ----------
    ahead : int
        How many batches may be ready. They are taken first and without training, so that the clock
        starts with an empty queue.
    """
    for _ in range(ahead):
        next(batches)
    for _ in range(WARM_STEPS):
        trainer.step(next(batches))
    cpu, begun = cpu_seconds(), time.perf_counter()
    waited, steps = 0.0, 0
    while steps < MIN_STEPS or time.perf_counter() - begun < seconds:
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        trainer.step(batch)
        steps += 1
    spent = time.perf_counter() - begun
    return Speed(steps, spent, waited, cpu_seconds() - cpu, memory())


def family() -> list[psutil.Process]:
    """Return this process and all that it has begun."""
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def cpu_seconds() -> float:
    """Return the processor time of this process and its workers so far."""
    total = 0.0
    for process in family():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # it has ended meanwhile
            continue
        total += times.user + times.system
    return total


def memory() -> int:
    """Return the bytes of memory of this process and its workers, shared ones in equal parts."""
    total = 0
    for process in family():
        try:
            info = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        total += getattr(info, "pss", info.uss)
    return total
