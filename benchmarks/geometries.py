"""Warps that are not the usual one: along the axes, of short rows, of channels, at an angle.

Most are ratios of two warps, which can be compared between machines.
"""

import math
from collections.abc import Callable

import numpy as np

import volaug
from volaug.checks import Interpolation

from .measured import THREADS, _Measured, _Operation, seconds_each
from .problem import SEED, Array, as_integers, head, labels, pull_matrix, touched_like
from .warps import elastic_warp

SIDES = {"128 to 256": (128, 256), "256 to 192": (256, 192)}
KINDS: dict[str, tuple[Interpolation, str]] = {
    "linear float32": ("linear", "float32"),
    "linear uint8": ("linear", "uint8"),
    "nearest uint8": ("nearest", "uint8"),
    "cubic uint8": ("cubic", "uint8"),
    "label uint8": ("label", "uint8"),
}
CHANNELS = 4
SHORT, LONG = 20, 256


class Resized(_Operation):
    """`volaug.resample` by the half-voxel rule."""

    params = (list(SIDES), list(KINDS))
    param_names = ("sides", "kind")

    def prepare(self, sides: str, kind: str) -> Array:
        source, target = SIDES[sides]
        self.interpolation, dtype = KINDS[kind]
        values = head(source) if dtype == "float32" else as_integers(head(source), dtype)
        self.source = labels(source) if self.interpolation == "label" else values
        self.out = np.ones((target,) * 3, dtype)
        return self.out

    def call(self) -> None:
        volaug.resample(
            self.source,
            self.out.shape,
            interpolation=self.interpolation,
            out=self.out,
            threads=THREADS,
        )


def rotation(degrees: float, axis: int) -> Array:
    """Return the matrix of a rotation about an axis."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    turned: Array = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turned[[i, i, j, j], [i, j, i, j]] = cosine, -sine, sine, cosine
    return turned


def call_of(
    volume: Array, matrix: Array, interpolation: Interpolation = "linear"
) -> Callable[[], object]:
    """Return what warps a volume about its center."""
    linear = matrix[:, :3]
    center = (np.array(volume.shape[-3:]) - 1) / 2
    warp = volaug.Warp(volume.shape[-3:], linear, center - linear @ center)
    out = touched_like(volume)
    return lambda: warp.apply(volume, interpolation=interpolation, out=out, threads=THREADS)


def ratio(call: Callable[[], object], base: Callable[[], object]) -> float:
    """Return how many times as long a call takes as another one."""
    call(), base()
    taken, basis = seconds_each(call, base)
    return round(taken / basis, 3)


class Ratios(_Measured):
    """Warps of a head of 128^3, as multiples of others."""

    unit = "times"

    def setup(self) -> None:
        self.volume = head(128)
        self.matrix = pull_matrix(128)
        self.warp = call_of(self.volume, self.matrix)

    def track_channels(self) -> float:
        """Four channels, of one."""
        stacked = np.stack([np.roll(self.volume, k, axis=0) for k in range(CHANNELS)])
        return ratio(call_of(stacked, self.matrix), self.warp)

    def track_labels(self) -> float:
        """The vote of labels, of their image."""
        return ratio(call_of(labels(128), self.matrix, "label"), self.warp)

    def track_image_and_labels(self) -> float:
        """Both in one call, of the image."""
        volumes = {"image": self.volume, "label": labels(128)}
        out = {name: touched_like(volume) for name, volume in volumes.items()}
        both = volaug.Warp((128, 128, 128), self.matrix)
        how: dict[str, Interpolation] = {"label": "label"}
        return ratio(
            lambda: both.apply_all(volumes, interpolation=how, out=out, threads=THREADS), self.warp
        )

    def track_nearest(self) -> float:
        """The nearest voxel, of the linear mean."""
        return ratio(call_of(self.volume, self.matrix, "nearest"), self.warp)

    def track_short_rows(self) -> float:
        """(256, 256, 20), of (20, 256, 256)."""
        rng = np.random.default_rng(SEED)
        short = rng.random((LONG, LONG, SHORT), dtype=np.float32)
        long = np.ascontiguousarray(short.transpose(2, 0, 1))
        turned = self.matrix[np.ix_((2, 0, 1), (2, 0, 1))]
        return ratio(call_of(short, self.matrix), call_of(long, turned))

    def track_fine_lattice(self) -> float:
        """40^3 control points, of 11^3."""
        points = np.random.default_rng(SEED).normal(0.0, 0.5, (3, 40, 40, 40))
        coarse, out = elastic_warp(128), touched_like(self.volume)
        fine = volaug.Warp((128, 128, 128), self.matrix, 0.0, points)
        calls = [
            lambda warp=warp: warp.apply(self.volume, out=out, threads=THREADS)
            for warp in (fine, coarse)
        ]
        return ratio(*calls)

    def track_border(self) -> float:
        """All that lies outside mirrored, of filled: half of the head is read from outside."""
        warps = volaug.Warp((128, 128, 128), 1.6 * np.eye(3) + 0.01, -40.0)
        out = touched_like(self.volume)
        reflect, constant = (
            lambda mode=mode: warps.apply(self.volume, mode=mode, out=out, threads=THREADS)
            for mode in ("reflect", "constant")
        )
        return ratio(reflect, constant)


class SteepTurns(_Measured):
    """A turn by 45 degrees, as a multiple of one by 15.

    Planes of a power of two lie in the same lines of the cache, so that 256^3 is a bad size.
    """

    params = ([232, 256], [0, 1])
    param_names = ("side", "axis")
    unit = "times"

    def setup(self, side: int, axis: int) -> None:
        self.volume = head(side)

    def track_45_degrees(self, side: int, axis: int) -> float:
        turns = (call_of(self.volume, rotation(angle, axis)) for angle in (45.0, 15.0))
        return ratio(*turns)
