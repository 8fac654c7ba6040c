"""What asv's classes of operations on volumes share."""

import time
from collections.abc import Callable

import numpy as np

import volaug

from .problem import Array, touched_like

BEST_OF = 10

# All that a class here works on; each costs the compiler seconds.
DTYPES = ("float32", "int16", "uint8")


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
    repeat = (5, 30, 10.0)

    def setup_cache(self) -> None:
        # asv gives this a process of its own, once for all classes: the kernels are then on the
        # disk, and no process whose memory is measured holds the compiler's
        volaug.warmup(DTYPES)

    setup_cache.timeout = 300  # type: ignore[attr-defined]
