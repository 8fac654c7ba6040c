"""Elastic deformation: deform the image by a cubic B-spline."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from .. import checks
from ..keys import RandomStream
from ..warping.fusion import FOLDING, Folding, Fusion, Grid
from ..warping.geometry.bspline import MAX_SPANS, Floats
from .base import SelectiveStep
from .operation import SpatialOperation
from .ranges import MAX_LENGTH, Shape, as_triple


@dataclass(frozen=True, repr=False)
class RandomElastic(SelectiveStep):
    """Deform the image by a cubic B-spline with random control points.

    Each component of each control point is drawn uniformly, up to `max_displacement` in both
    directions. The spline approximates its control points, so no voxel moves by more than
    `max_displacement` along any axis. The control points cover the output of the pipeline: if it
    crops, they cover the crop.

    Parameters
    ----------
    max_displacement : float or three floats, default 7.0
        Maximum displacement along each axis in mm (voxels without spacing), 0 to 1e6. The default
        is mild: on a head of 190 mm, knots are 47 mm apart, so that 7 mm is 0.15 of this
        distance. Folding is impossible up to 0.4 of it.
    num_control_points : int or three ints, default 7
        Number of control points along each axis, 4 to 67; 7 as in TorchIO. The first and the last
        lie outside the image. With n voxels and k control points, knots are ``(n - 1) / (k - 3)``
        voxels apart. 1 is also allowed: then the displacement does not change along this axis,
        as for thick slices: ``max_displacement=(0, 7, 7), num_control_points=(1, 7, 7)``.
    locked_borders : int, default 0
        Number of layers of control points at each end of every axis that stay fixed, 0 to 3. It
        has no effect on axes with 1 control point. With 3, the border of the image does not move.
        With 2, it moves by at most 1/6 of the displacement of the third layer.
    folding : {"forbid", "warn", "allow"}
        What to do if tissue could fold over itself. "forbid" makes the displacement smaller until
        folding is impossible, and warns once per pipeline; `Record.elastic_factors` says by how
        much each draw was reduced (1: not at all). "warn" changes nothing, and warns if the image
        folds. If several elastic steps are combined, the strictest setting applies to all.
    p : float, default 0.2
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records. Its random numbers depend on it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If an argument has another type than listed under Parameters.
    ValueError
        If a displacement is negative, `num_control_points` is outside its range or less than
        ``2 * locked_borders + 1``, `folding` is none of the three, or `p` is not from 0 to 1.

    See Also
    --------
    elastic_deform : Deform a volume by given control points.

    Notes
    -----
    Elastic steps that are combined are added on one common grid of control points. Subtract 3
    from each number of control points: the least common multiple must be at most 64 along each
    axis. 7 and 19 work (4 and 16: 16); 7 and 20 do not (4 and 17: 68).

    References
    ----------
    D. Rueckert et al., "Nonrigid registration using free-form deformations", IEEE Transactions
    on Medical Imaging 18(8), 1999; Y. Choi, S. Lee, "Injectivity conditions of 2D and 3D uniform
    cubic B-spline functions", Graphical Models 62(6), 2000.

    Examples
    --------
    >>> step = volaug.RandomElastic(2.0, num_control_points=5, p=1.0)
    >>> record = volaug.Compose([step], seed=7).draw((16, 16, 16), index=0)
    >>> record.warp.control_points.shape
    (3, 5, 5, 5)
    >>> record.warp.min_jacobian_determinant() > 0  # no fold
    True
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


@dataclass(frozen=True, eq=False, repr=False)
class Elastic(SpatialOperation):
    """Deform the image by a cubic B-spline over the output grid.

    Output voxel `o` shows what was at ``o + u(o)``: where the displacement is positive, the image
    moves towards lower indices. `control_points` are as drawn. Where they may fold and `folding` is
    "forbid", the warp made of them has smaller ones.
    """

    control_points: Floats = field(repr=False)
    folding: Folding = "forbid"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.check_choice("folding", self.folding, FOLDING)
        points = checks.as_control_points(self.control_points)
        largest = float(np.abs(points).max())
        if largest > MAX_LENGTH:
            raise ValueError(f"control_points must be at most {MAX_LENGTH:g}, got {largest:g}")
        points.flags.writeable = False
        object.__setattr__(self, "control_points", points)

    def __repr__(self) -> str:
        """Show how many control points there are, and how far the farthest lies, in mm."""
        lattice = " x ".join(map(str, self.control_points.shape[1:]))
        return f"Elastic({lattice} control points, up to {self.amplitude:.3g}, {self.folding!r})"

    @property
    def amplitude(self) -> float:
        """The maximum of the control points, in mm: no voxel moves by more along an axis."""
        return float(np.abs(self.control_points).max())

    def fuse(self, fusion: Fusion) -> None:
        fusion.displace(self.control_points, self.folding)
