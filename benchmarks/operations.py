"""Time of single operations: samplers, dtypes, borders, channels, maps, fields and landmarks."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

import volaug
from volaug.checks import Interpolation
from volaug.warping.engine.borders import Mode

from .measured import THREADS, _Operation
from .problem import (
    SEED,
    Array,
    Floats,
    flip_matrix,
    head,
    labels,
    pull_matrix,
    shift_matrix,
    touched_like,
)
from .warps import elastic_warp, head_of

SIDE = 128
CHANNELS = [1, 4]
LANDMARKS = 1000

# By name, from the side to the matrix: maps that need less than a look at eight voxels each.
MAPS: dict[str, Callable[[int], Floats]] = {
    "scaling": lambda side: np.column_stack([np.diag((0.9, 1.1, 0.95)), (3.3, -2.7, 1.1)]),
    "shift by parts": lambda side: np.column_stack([np.eye(3), (2.3, -1.7, 3.1)]),
    "whole shift": shift_matrix,
    "flip": flip_matrix,
    "exchanged axes": lambda side: np.column_stack([np.eye(3)[[2, 0, 1]], np.zeros(3)]),
}


class _Affine(_Operation):
    """`volaug.affine_transform` into an array that exists."""

    def warping(self, volume: Array, matrix: Floats, **options: Any) -> Array:
        """Set what `call` does, and return the volume."""
        self.out, self.matrix = touched_like(volume), matrix
        self.options: dict[str, Any] = options
        return volume

    def call(self) -> None:
        volaug.affine_transform(
            self.volume, self.matrix, out=self.out, threads=THREADS, **self.options
        )


class Samplers(_Affine):
    """Each interpolation: of float32, and of labels in uint8."""

    params = (list(get_args(Interpolation)), [128, 256])
    param_names = ("interpolation", "side")

    def prepare(self, interpolation: str, side: int) -> Array:
        volume = labels(side) if interpolation in ("nearest", "label") else head(side)
        return self.warping(volume, pull_matrix(side), interpolation=interpolation)


class Dtypes(_Affine):
    """Linear, of all kinds of numbers."""

    params = (["uint8", "int16", "int32", "float16", "float64"],)
    param_names = ("dtype",)

    def prepare(self, dtype: str) -> Array:
        return self.warping(head_of(dtype, SIDE), pull_matrix(SIDE))


class Borders(_Affine):
    """Linear, float32, each rule of what lies outside: half of what is read does."""

    params = (list(get_args(Mode)),)
    param_names = ("mode",)

    def prepare(self, mode: str) -> Array:
        matrix = np.column_stack([1.6 * np.eye(3) + 0.01, np.full(3, -40.0)])
        return self.warping(head(SIDE), matrix, mode=mode)


class Channels(_Affine):
    """Linear, float32, channels first."""

    params = (CHANNELS,)
    param_names = ("channels",)

    def prepare(self, channels: int) -> Array:
        volume = np.stack([np.roll(head(SIDE), k, axis=0) for k in range(channels)])
        return self.warping(volume, pull_matrix(SIDE))


class Maps(_Affine):
    """Linear, float32: separable maps, and those that only copy voxels."""

    params = (list(MAPS),)
    param_names = ("map",)

    def prepare(self, name: str) -> Array:
        return self.warping(head(SIDE), MAPS[name](SIDE))


class ImageAndLabel(_Operation):
    """`Warp.apply_all` of float32 and uint8 labels, elastic."""

    def prepare(self) -> Array:
        self.warp = elastic_warp(SIDE)
        self.volumes = {"image": head(SIDE), "label": labels(SIDE)}
        self.out = {name: touched_like(volume) for name, volume in self.volumes.items()}
        return self.volumes["image"]

    def call(self) -> None:
        self.warp.apply_all(
            self.volumes, interpolation={"label": "label"}, out=self.out, threads=THREADS
        )


class SplineFilter(_Operation):
    """`volaug.spline_filter` of float32."""

    def prepare(self) -> Array:
        return head(SIDE)

    def call(self) -> None:
        volaug.spline_filter(self.volume, threads=THREADS)


class MinJacobian(_Operation):
    """`Warp.min_jacobian_determinant` of the elastic warp."""

    def prepare(self) -> Array:
        self.warp = elastic_warp(SIDE)
        return head(SIDE)

    def call(self) -> None:
        self.warp.min_jacobian_determinant(threads=THREADS)


class MapPoints(_Operation):
    """`Warp.points_to_output` of landmarks, through the elastic warp."""

    def prepare(self) -> Array:
        self.warp = elastic_warp(SIDE)
        # of the output, so that each has a place there
        places = np.random.default_rng(SEED).uniform(0, SIDE - 1, (LANDMARKS, 3))
        self.landmarks = self.warp.points_to_input(places)
        return head(SIDE)

    def call(self) -> None:
        self.warp.points_to_output(self.landmarks)
