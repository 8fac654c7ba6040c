"""What spatial steps draw: plain numbers, and what they do to a picture.

An operation holds all that a draw has settled, so that a list of them says what was done to a
sample. Lengths are in mm if the picture's voxel size was given, and in voxels if not.
"""

from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..serialization import frozen
from ..warping.fusion import FOLDING, Fusion
from ..warping.geometry.bspline import Floats
from ..warping.geometry.forward import shaping, turning
from .base import SpatialOperation
from .numbers import FARTHEST, Shape, Three, as_axes, as_triple


@dataclass(frozen=True)
class Flip(SpatialOperation):
    """Mirror the picture along some axes."""

    axes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", as_axes(self.axes))

    def fuse(self, fusion: Fusion) -> None:
        signs, offset = np.ones(3), np.zeros(3)
        for axis in self.axes:
            signs[axis], offset[axis] = -1.0, fusion.grid.shape[axis] - 1.0
        fusion.pull(np.diag(signs), offset)


@dataclass(frozen=True)
class Affine(SpatialOperation):
    """Stretch, shear and turn the picture about its centre, and move it, in this order."""

    scale: Three = (1.0, 1.0, 1.0)
    shear: Three = (0.0, 0.0, 0.0)
    degrees: Three = (0.0, 0.0, 0.0)
    translation: Three = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("scale", "shear", "degrees", "translation"):
            limits = (1e-6, 1e6) if name == "scale" else (-1e9, 1e9)
            value = as_triple(name, frozen(getattr(self, name)), *limits)
            object.__setattr__(self, name, value)

    def fuse(self, fusion: Fusion) -> None:
        grid = fusion.grid
        within = self._within(fusion.flat) if fusion.flat else self
        forward = turning(within.degrees) @ shaping(within.scale, within.shear)
        matrix = grid.from_mm @ np.linalg.inv(forward) @ grid.to_mm
        moved = grid.centre + grid.from_mm @ within.translation
        fusion.pull(matrix, grid.centre - matrix @ moved)

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


@dataclass(frozen=True, eq=False)
class Elastic(SpatialOperation):
    """Move the picture by a cubic B-spline over the output grid.

    The output voxel `o` shows what was at ``o + u(o)``: where the displacement is positive,
    the picture moves towards lower indices. `control_points` are as they were drawn; where they
    may fold and `folding` is "forbid", the warp that is made of them has less of them.
    """

    control_points: Floats = field(repr=False)
    folding: str = "forbid"

    def __post_init__(self) -> None:
        checks.check_choice("folding", self.folding, FOLDING)
        points = checks.as_control_points(self.control_points)
        largest = float(np.abs(points).max())
        if largest > FARTHEST:
            raise ValueError(f"control_points must be at most {FARTHEST:g}, got {largest:g}")
        points.flags.writeable = False
        object.__setattr__(self, "control_points", points)

    def fuse(self, fusion: Fusion) -> None:
        fusion.displace(self.control_points, self.folding)


@dataclass(frozen=True)
class Crop(SpatialOperation):
    """Keep a window of the picture; beyond the picture, it shows its border."""

    start: Shape
    shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checks.as_shape("shape", self.shape))
        start = frozen(self.start)
        if not isinstance(start, tuple) or len(start) != 3:
            raise ValueError(f"start must be three whole numbers, got {start!r}")
        limit = 2**31
        start = tuple(checks.as_whole("start", item, -limit, limit) for item in start)
        object.__setattr__(self, "start", start)

    def fuse(self, fusion: Fusion) -> None:
        fusion.window(self.start, self.shape)
