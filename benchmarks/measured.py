"""What asv's classes share: how they measure, and the threads that they may use."""

import abc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import volaug

from .problem import Array, touched_like

BEST_OF = 10

# The threads of a call that is no benchmark of threads: never what the machine happens to have.
THREADS = 2

# All that most classes work on; each costs the compiler seconds.
DTYPES = ("float32", "int16", "uint8")

# In the folder of a run, see `benchmarks/__init__.py`.
COMPILATION = Path("compilation.json")


def seconds_each(*calls: Callable[[], object]) -> list[float]:
    """Return the shortest time of each call; they take turns, so that noise meets them all."""
    best = [float("inf")] * len(calls)
    for _ in range(BEST_OF):
        for number, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[number] = min(best[number], time.perf_counter() - start)
    return best


def times_a_copy(call: Callable[[], object], volume: Array) -> float:
    """Return how many plain copies of a volume a call takes: comparable between machines."""
    out = touched_like(volume)
    taken, copy = seconds_each(call, lambda: np.copyto(out, volume))
    return round(taken / copy, 3)


class _Measured:
    """How asv measures; the underscore keeps the class itself out of its list."""

    # `setup` has loaded the kernels and warmed them up: a sample is one call
    number = 1
    warmup_time = 0
    rounds = 1  # processes; more by `-a rounds=4`
    repeat = (5, 20, 2.0)

    def setup_cache(self) -> None:
        # asv gives this a process of its own, once for all classes: the kernels are then on the
        # disk, and no process whose memory is measured holds the compiler's
        start = time.perf_counter()
        volaug.warmup(DTYPES)
        COMPILATION.write_text(json.dumps(time.perf_counter() - start))

    setup_cache.timeout = 900  # type: ignore[attr-defined]


class _Operation(_Measured, abc.ABC):
    """An operation on a volume: its time, its throughput, and its time in copies of the volume."""

    volume: Array

    def setup(self, *parameters: Any) -> None:
        self.volume = self.prepare(*parameters)
        self.call()  # loads the kernels and starts the threads

    @abc.abstractmethod
    def prepare(self, *parameters: Any) -> Array:
        """Make what `call` needs, and return the volume that is copied beside it."""

    @abc.abstractmethod
    def call(self) -> None:
        """Do it once."""

    def time_call(self, *parameters: Any) -> None:
        self.call()

    def track_times_a_copy(self, *parameters: Any) -> float:
        return times_a_copy(self.call, self.volume)

    track_times_a_copy.unit = "times np.copyto"  # type: ignore[attr-defined]


class _Rate(_Operation):
    """An operation whose throughput is tracked as well."""

    def track_throughput(self, *parameters: Any) -> float:
        (seconds,) = seconds_each(self.call)
        return round(self.volume.size / 1e6 / seconds, 1)

    track_throughput.unit = "Mvoxel/s"  # type: ignore[attr-defined]
