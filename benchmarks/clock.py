"""Clocks that stand still at times: while volaug's kernel works, or while a call is prepared."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from volaug.warping.engine import walk

KERNEL = "warp_tiles"
SAMPLES = 25


class StoppableClock:
    """A clock that can be made to stand still."""

    def __init__(self) -> None:
        self._stopped = 0.0

    def __call__(self) -> float:
        """Seconds since some time, without those in which it stood."""
        return time.perf_counter() - self._stopped

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it stand still."""
        start = time.perf_counter()
        yield
        self._stopped += time.perf_counter() - start


class OutsideKernels(StoppableClock):
    """A clock that stands still while the kernel walks over the voxels of a warp.

    In one thread. It measures what stands between kernels in a real run: they have filled the
    caches, so that the rest takes about twice of what it takes when it is repeated by itself.
    To hand the kernel its arguments, some 10 microseconds, counts as the kernel.
    """

    def watched(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Return the call, in which the kernel stops this clock."""
        names = vars(walk)
        kernel = names[KERNEL]

        def timed(*arguments: Any) -> None:
            with self.stopped():
                kernel(*arguments)

        def run() -> Any:
            names[KERNEL] = timed
            try:
                return call()
            finally:
                names[KERNEL] = kernel

        return run


def share_outside_kernels(call: Callable[[], Any]) -> float:
    """Return how much of the time of a call is spent outside: the median of some calls."""
    clock = OutsideKernels()
    run = clock.watched(call)
    shares = []
    for _ in range(SAMPLES):
        outside, start = clock(), time.perf_counter()
        result = run()
        shares.append((clock() - outside) / (time.perf_counter() - start))
        del result  # freed after the clock has stopped
    return float(np.median(shares))
