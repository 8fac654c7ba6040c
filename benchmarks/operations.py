"""Time of all else: samplers, copies, several volumes at once, coefficients, landmarks."""

import abc

import numpy as np

import volaug
from volaug.checks import Interpolation

from .measured import _Measured, times_a_copy
from .problem import (
    SEED,
    Array,
    Floats,
    as_integers,
    control_points,
    flip_matrix,
    head,
    pull_matrix,
    shift_matrix,
    touched_like,
)

THREADS = 2
CHANNELS = 4
LANDMARKS = 1000


def labels(side: int) -> Array:
    """Return four labels of the made-up head, by its signal; 0 is the air."""
    return np.digitize(head(side), (0.1, 0.45, 0.55)).astype(np.uint8)


def elastic_warp(side: int) -> volaug.Warp:
    """Return the warp that `Elastic` measures."""
    return volaug.Warp((side, side, side), pull_matrix(side), 0.0, control_points())


class _Operation(_Measured, abc.ABC):
    """An operation on a cube of `side` voxels, and its time in copies of a volume."""

    params = ([128, 256],)
    param_names = ("side",)

    def setup(self, side: int) -> None:
        self.volume = self.prepare(side)
        self.call()  # loads the kernels and starts the threads

    @abc.abstractmethod
    def prepare(self, side: int) -> Array:
        """Make what `call` needs, and return the volume that is copied beside it."""

    @abc.abstractmethod
    def call(self) -> None:
        """Do it once."""

    def time_call(self, side: int) -> None:
        self.call()

    def track_times_a_copy(self, side: int) -> float:
        return times_a_copy(self.call, self.volume)

    track_times_a_copy.unit = "times np.copyto"  # type: ignore[attr-defined]


class _Affine(_Operation):
    """`volaug.affine_transform` into an array that exists."""

    interpolation: Interpolation = "linear"

    def matrix(self, side: int) -> Floats:
        return pull_matrix(side)

    @abc.abstractmethod
    def made(self, side: int) -> Array:
        """Return the volume."""

    def prepare(self, side: int) -> Array:
        volume = self.made(side)
        self.out, self.pull = touched_like(volume), self.matrix(side)
        return volume

    def call(self) -> None:
        volaug.affine_transform(
            self.volume, self.pull, interpolation=self.interpolation, out=self.out, threads=THREADS
        )


class LinearUint8(_Affine):
    """8 bits, linear."""

    def made(self, side: int) -> Array:
        return as_integers(head(side), "uint8")


class LinearInt16(_Affine):
    """12 of 16 bits, linear."""

    def made(self, side: int) -> Array:
        return as_integers(head(side), "int16")


class Nearest(_Affine):
    """Labels, uint8, by the nearest voxel."""

    interpolation: Interpolation = "nearest"

    def made(self, side: int) -> Array:
        return labels(side)


class Label(Nearest):
    """Labels, uint8, by the largest weight."""

    interpolation: Interpolation = "label"


class Cubic(_Affine):
    """float32, by the cubic B-spline through the voxels."""

    interpolation: Interpolation = "cubic"

    def made(self, side: int) -> Array:
        return head(side)


class FourChannels(_Affine):
    """float32, linear, channels first."""

    def made(self, side: int) -> Array:
        return np.stack([np.roll(head(side), k, axis=0) for k in range(CHANNELS)])


class Flip(_Affine):
    """float32, mirrored along the axis whose voxels lie side by side."""

    def matrix(self, side: int) -> Floats:
        return flip_matrix(side)

    def made(self, side: int) -> Array:
        return head(side)


class WholeShift(Flip):
    """float32, shifted by whole voxels."""

    def matrix(self, side: int) -> Floats:
        return shift_matrix(side)


class SplineFilter(_Operation):
    """`volaug.spline_filter` of float32."""

    def prepare(self, side: int) -> Array:
        return head(side)

    def call(self) -> None:
        volaug.spline_filter(self.volume, threads=THREADS)


class ImageAndLabel(_Operation):
    """`Warp.apply_all` of float32 and uint8 labels, elastic."""

    def prepare(self, side: int) -> Array:
        self.warp = elastic_warp(side)
        self.volumes = {"image": head(side), "label": labels(side)}
        self.out = {name: touched_like(volume) for name, volume in self.volumes.items()}
        return self.volumes["image"]

    def call(self) -> None:
        self.warp.apply_all(
            self.volumes, interpolation={"label": "label"}, out=self.out, threads=THREADS
        )


class MinJacobian(_Operation):
    """`Warp.min_jacobian_determinant` of the elastic warp."""

    def prepare(self, side: int) -> Array:
        self.warp = elastic_warp(side)
        return head(side)

    def call(self) -> None:
        self.warp.min_jacobian_determinant(threads=THREADS)


class MapPoints(_Operation):
    """`Warp.points_to_output` of landmarks, through the elastic warp."""

    def prepare(self, side: int) -> Array:
        self.warp = elastic_warp(side)
        # of the output, so that each has a place there
        places = np.random.default_rng(SEED).uniform(0, side - 1, (LANDMARKS, 3))
        self.landmarks = self.warp.points_to_input(places)
        return head(side)

    def call(self) -> None:
        self.warp.points_to_output(self.landmarks)
