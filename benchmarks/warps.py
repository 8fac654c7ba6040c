"""Time and memory of the warps of a cube, from `side` voxels along each axis."""

import abc
import functools
import time
from collections.abc import Callable

import numpy as np

import volaug

from .problem import Volume, control_points, head, pull_matrix

BEST_OF = 10


@functools.cache
def touched(side: int) -> Volume:
    """Return a volume of NaN to write into; zeros would get their pages in the timed call."""
    return np.full((side, side, side), np.nan, np.float32)


def seconds_each(*calls: Callable[[], object]) -> list[float]:
    """Return the shortest time of each call; they take turns, so that noise meets them all."""
    best = [float("inf")] * len(calls)
    for _ in range(BEST_OF):
        for number, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[number] = min(best[number], time.perf_counter() - start)
    return best


class _Warps(abc.ABC):
    """What asv measures of any warp; the underscore keeps the class itself out of its list."""

    params = ([64, 128, 256], [1, 2])
    param_names = ("side", "threads")

    # `setup` has loaded the kernel and warmed it up: a sample is one call
    number = 1
    warmup_time = 0
    repeat = (5, 30, 10.0)

    def setup_cache(self) -> None:
        # asv gives this a process of its own: the kernels are then on the disk, and no process
        # whose memory is measured holds the compiler's
        volaug.warmup()

    def setup(self, side: int, threads: int) -> None:
        self.volume = head(side)
        self.matrix = pull_matrix(side)
        self.control_points = control_points()
        self.out = touched(side)
        # loads the kernel and starts the threads; into `out`, since an array made here would
        # count in `peakmem_reference` too
        self.time_into_out(side, threads)

    @abc.abstractmethod
    def warp(self, out: Volume | None, threads: int) -> Volume:
        """Warp the volume, into `out` or into a new array."""

    def time_into_out(self, side: int, threads: int) -> None:
        self.warp(self.out, threads)

    def time_new_output(self, side: int, threads: int) -> None:
        self.warp(None, threads)

    def peakmem_reference(self, side: int, threads: int) -> None:  # noqa: B027
        """Do nothing: what Python, the compiler and `setup` hold, to take from the next one."""

    def peakmem_new_output(self, side: int, threads: int) -> None:
        self.warp(None, threads)

    def track_speed(self, side: int, threads: int) -> float:
        (warp,) = seconds_each(lambda: self.warp(self.out, threads))
        return round(self.out.size / 1e6 / warp, 1)

    def track_times_a_copy(self, side: int, threads: int) -> float:
        warp, copy = seconds_each(
            lambda: self.warp(self.out, threads), lambda: np.copyto(self.out, self.volume)
        )
        return round(warp / copy, 3)

    track_speed.unit = "Mvoxel/s"  # type: ignore[attr-defined]
    track_times_a_copy.unit = "times np.copyto"  # type: ignore[attr-defined]


class Affine(_Warps):
    """`volaug.affine_transform`, trilinear."""

    def warp(self, out: Volume | None, threads: int) -> Volume:
        return volaug.affine_transform(self.volume, self.matrix, out=out, threads=threads)


class Elastic(_Warps):
    """`volaug.elastic_deform` by 11^3 control points and the same matrix, trilinear."""

    def warp(self, out: Volume | None, threads: int) -> Volume:
        return volaug.elastic_deform(
            self.volume, self.control_points, matrix=self.matrix, out=out, threads=threads
        )
