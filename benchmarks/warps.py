"""Time and memory of the warps of a cube, from `side` voxels along each axis."""

import abc

import volaug

from .measured import _Measured, seconds_each, times_a_copy
from .problem import Volume, control_points, head, pull_matrix, touched_like


class _Warps(_Measured, abc.ABC):
    """Whatever can be measured, of the warps that are used the most."""

    params = ([64, 128, 256], [1, 2])
    param_names = ("side", "threads")

    def setup(self, side: int, threads: int) -> None:
        self.volume = head(side)
        self.matrix = pull_matrix(side)
        self.control_points = control_points()
        self.out = touched_like(self.volume)
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

    def peakmem_reference(self, side: int, threads: int) -> None:
        """Do nothing: what Python, the compiler and `setup` hold, to take from the next one."""

    def peakmem_new_output(self, side: int, threads: int) -> None:
        self.warp(None, threads)

    def track_speed(self, side: int, threads: int) -> float:
        (warp,) = seconds_each(lambda: self.warp(self.out, threads))
        return round(self.out.size / 1e6 / warp, 1)

    def track_times_a_copy(self, side: int, threads: int) -> float:
        return times_a_copy(lambda: self.warp(self.out, threads), self.volume)

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
