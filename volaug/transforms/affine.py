"""Affine: the picture stretched, sheared, rotated and moved."""

from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from ..keys import RandomStream
from ..serialization import normalize
from ..warping.fusion import Fusion, Grid
from ..warping.geometry.forward import shaping, turning
from .base import SpatialOperation, Step
from .ranges import (
    Pairs,
    RangePerAxis,
    Three,
    angles,
    as_flag,
    as_triple,
    drawn_for_axes,
    in_proportion,
    lengths,
    slopes,
    stretches,
)
from .warps import sheared, stretched


@dataclass(frozen=True, repr=False)
class RandomAffine(Step):
    """Stretch, shear and turn the picture about its center and move it, in this order.

    Parameters
    ----------
    degrees, scale, shear, translation : range
        As of `RandomRotation`, `RandomScaling`, `RandomShear`, and `RandomTranslation`, where it
        is called `shift`. 0 leaves one out.
    isotropic : bool
        As of `RandomScaling`.
    p : float
        How likely it happens: all of it, or nothing.
    name : str, optional
        See `Transform`.

    Notes
    -----
    A place `x` goes to ``R H S (x - c) + c + t``, where ``c = (n - 1) / 2`` is the center of the
    grid, in mm: `S` stretches, `H` shears and `R` turns.
    """

    degrees: RangePerAxis = 15.0
    _: KW_ONLY
    scale: RangePerAxis = (0.85, 1.2)
    shear: RangePerAxis = 0.02
    translation: RangePerAxis = 10.0
    isotropic: bool = False
    p: float = field(default=0.2, kw_only=True)
    _angles: Pairs = field(init=False, compare=False)
    _factors: Pairs = field(init=False, compare=False)
    _slopes: Pairs = field(init=False, compare=False)
    _lengths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        self._derive(
            _angles=angles(self.degrees),
            _factors=stretches(self.scale),
            _slopes=slopes(self.shear),
            _lengths=lengths("translation", self.translation),
        )

    def distortion(self) -> float:
        return stretched(self._factors, self.isotropic) * sheared(self._slopes)

    def draw(self, grid: Grid, stream: RandomStream) -> "Affine":
        return Affine(
            degrees=drawn_for_axes(self._angles, False, stream),
            scale=in_proportion(self._factors, self.isotropic, stream),
            shear=drawn_for_axes(self._slopes, False, stream),
            translation=drawn_for_axes(self._lengths, False, stream),
        )


@dataclass(frozen=True)
class Affine(SpatialOperation):
    """Stretch, shear and turn the picture about its center, and move it, in this order."""

    scale: Three = (1.0, 1.0, 1.0)
    shear: Three = (0.0, 0.0, 0.0)
    degrees: Three = (0.0, 0.0, 0.0)
    translation: Three = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("scale", "shear", "degrees", "translation"):
            limits = (1e-6, 1e6) if name == "scale" else (-1e9, 1e9)
            value = as_triple(name, normalize(getattr(self, name)), *limits)
            object.__setattr__(self, name, value)

    def fuse(self, fusion: Fusion) -> None:
        grid = fusion.grid
        within = self._within(fusion.flat) if fusion.flat else self
        forward = turning(within.degrees) @ shaping(within.scale, within.shear)
        matrix = grid.from_mm @ np.linalg.inv(forward) @ grid.to_mm
        moved = grid.center + grid.from_mm @ within.translation
        fusion.pull(matrix, grid.center - matrix @ moved)

    def _within(self, flat: tuple[int, ...]) -> "Affine":
        """What of it stays within a picture that has one voxel along some axes."""
        a, b, c = (axis not in flat for axis in range(3))
        return Affine(
            scale=_where((a, b, c), self.scale, 1.0),
            shear=_where((a and b, a and c, b and c), self.shear, 0.0),
            degrees=_where((b and c, c and a, a and b), self.degrees, 0.0),
            translation=_where((a, b, c), self.translation, 0.0),
        )


def _where(kept: tuple[bool, bool, bool], values: Three, neutral: float) -> Three:
    a, b, c = (v if k else neutral for k, v in zip(kept, values, strict=True))
    return a, b, c
