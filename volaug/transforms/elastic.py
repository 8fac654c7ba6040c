"""Elastic deformation: the picture bent by a cubic B-spline."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from .. import checks
from ..keys import RandomStream
from ..warping.fusion import FOLDING, MAX_SPANS, Folding, Fusion, Grid
from ..warping.geometry.bspline import Floats
from .base import SpatialOperation, Step
from .ranges import MAX_LENGTH, Shape, as_triple


@dataclass(frozen=True, repr=False)
class RandomElastic(Step):
    """Bend the picture by a cubic B-spline whose control points move at random.

    Each component of each control point is drawn evenly from -max_displacement to
    max_displacement. The spline approximates them, so that no voxel moves further. The control
    points lie over the pipeline's output: of a patch, if it crops.

    Parameters
    ----------
    max_displacement : float, or one for each axis
        In mm (or voxels). 7 by default: 0.15 of the distance between seven control points on a
        head of 190 mm, which is mild; 0.4 of that distance is the limit for any that must not
        fold.
    num_control_points : int, or one for each axis
        4 or more, counting one beyond each end; the knots are ``(n - 1) / (k - 3)`` voxels
        apart. 7 as in TorchIO. Or 1: the same displacement all along that axis, as for slices
        that are far apart, with ``max_displacement=(0, 7, 7), num_control_points=(1, 7, 7)``.
    locked_borders : int
        So many layers of control points at each end of every axis (that has more than 1) do
        not move, 0 to 3. With 3 the picture's border stays where it is; with 2 it moves by a
        sixth of the third layer.
    folding : {"forbid", "warn", "allow"}
        What if tissue could fold over itself: the displacement becomes smaller until it is
        certain not to (see `warping/geometry/folding.py`), or there is a warning if it folds, or
        nothing. It is asked of all elastic steps of one warp together, and the
        strictest of them counts. That displacements become smaller is said once, in a warning at
        the first draw in which they do; `Record.elastic_factors` says it of each.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.

    Notes
    -----
    Displacements of several such steps add up on one lattice. So where they can be drawn into
    one warp, their numbers of control points, less 3, must have a common multiple of at most 64
    along each axis: 7 and 19 have, 7 and 20 have not.

    References
    ----------
    D. Rueckert et al., "Nonrigid registration using free-form deformations", IEEE Transactions
    on Medical Imaging 18(8), 1999; Y. Choi, S. Lee, "Injectivity conditions of 2D and 3D uniform
    cubic B-spline functions", Graphical Models 62(6), 2000.
    """

    max_displacement: float | Sequence[float] = 7.0
    _: KW_ONLY
    num_control_points: int | Sequence[int] = 7
    locked_borders: int = 0
    folding: Folding = "forbid"
    p: float = field(default=0.2, kw_only=True)
    _reach: Floats = field(init=False, compare=False)
    _lattice: Shape = field(init=False, compare=False)

    def check(self) -> None:
        checks.check_choice("folding", self.folding, FOLDING)
        locked = checks.as_whole("locked_borders", self.locked_borders, 0, 3)
        reach = as_triple("max_displacement", self.max_displacement, 0.0, MAX_LENGTH)
        given = self.num_control_points
        given = given if isinstance(given, tuple) else (given,) * 3
        minimum, maximum = max(4, 2 * locked + 1), MAX_SPANS + 3
        lattice = [checks.as_whole("num_control_points", k, 1, maximum) for k in given]
        if len(lattice) != 3 or any(1 < k < minimum for k in lattice):
            raise ValueError(
                f"num_control_points must be 1 or from {minimum} to {maximum}, with {locked} "
                f"locked_borders, or three such numbers, got {self.num_control_points!r}"
            )
        self._derive(_reach=np.reshape(reach, (3, 1, 1, 1)), _lattice=tuple(lattice))

    def spans(self) -> Shape:
        a, b, c = (max(k - 3, 1) for k in self._lattice)
        return a, b, c

    def draw(self, grid: Grid, stream: RandomStream) -> "Elastic":
        points = stream.uniforms(3, *self._lattice)
        points -= 0.5
        points *= 2.0 * self._reach
        for axis, length in enumerate(self._lattice, start=1):
            if length == 1:
                points = np.repeat(points, 4, axis)
            elif self.locked_borders:
                ends = points.swapaxes(0, axis)
                ends[: self.locked_borders] = ends[-self.locked_borders :] = 0.0
        return Elastic(points, self.folding)


@dataclass(frozen=True, eq=False)
class Elastic(SpatialOperation):
    """Move the picture by a cubic B-spline over the output grid.

    The output voxel `o` shows what was at ``o + u(o)``: where the displacement is positive,
    the picture moves towards lower indices. `control_points` are as they were drawn; where they
    may fold and `folding` is "forbid", the warp that is made of them has less of them.
    """

    control_points: Floats = field(repr=False)
    folding: Folding = "forbid"

    def __post_init__(self) -> None:
        checks.check_choice("folding", self.folding, FOLDING)
        points = checks.as_control_points(self.control_points)
        largest = float(np.abs(points).max())
        if largest > MAX_LENGTH:
            raise ValueError(f"control_points must be at most {MAX_LENGTH:g}, got {largest:g}")
        points.flags.writeable = False
        object.__setattr__(self, "control_points", points)

    def fuse(self, fusion: Fusion) -> None:
        fusion.displace(self.control_points, self.folding)
