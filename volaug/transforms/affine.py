"""Affine: scale, shear, rotate and translate the image."""

from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from ..checks import check_flag
from ..keys import RandomStream
from ..serialization import normalize
from ..warping.fusion import Fusion, Grid
from ..warping.geometry.forward import shaping, turning
from .base import SelectiveStep
from .operation import SpatialOperation
from .ranges import (
    Pairs,
    RangePerAxis,
    Three,
    angles,
    as_triple,
    drawn_for_axes,
    in_proportion,
    lengths,
    slopes,
    stretches,
)
from .warps import sheared, stretched


@dataclass(frozen=True, repr=False)
class RandomAffine(SelectiveStep):
    """Scale, shear and rotate the image about its center, and translate it, in this order.

    Parameters
    ----------
    degrees : float, (low, high), or three of these for axes 0, 1, 2; default 15.0
        Angles in degrees, as `degrees` of `RandomRotation`.
    scale : float, (low, high), or three of these; default (0.85, 1.2)
        Factors, as `scale` of `RandomScaling`, drawn log-uniformly.
    shear : float, (low, high), or three of these; default 0.02
        Shears, as `shear` of `RandomShear`.
    translation : float, (low, high), or three of these; default 10.0
        Lengths in mm (voxels without spacing), as `translation` of `RandomTranslation`.
    isotropic : bool, default False
        Whether one draw gives the scale of all axes.
    p : float, default 0.2
        Probability of applying all four, 0 to 1; nnU-Net's for each.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If a range is reversed, or exceeds 360 degrees, a factor of 10 or 1/10, a shear of 10 or
        1e6 mm; or if a single number for `scale` is not less than 1.

    See Also
    --------
    RandomRotation : Rotation alone.
    RandomScaling : Scaling alone, with a choice of distributions.
    RandomShear : Shear alone.
    RandomTranslation : Translation alone.

    Notes
    -----
    0 leaves a part out, also for `scale`. A point `x` moves to ``R H S (x - c) + c + t``, in mm,
    where ``c = (n - 1) / 2`` is the center of the grid, `S` scales, `H` shears and `R` rotates.

    Examples
    --------
    >>> step = volaug.RandomAffine((0, 0, 30), scale=0.1, shear=0, translation=0, p=1.0)
    >>> volaug.Compose([step], seed=7)(image=np.ones((8, 8, 8)), index=0)["image"].shape
    (8, 8, 8)
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
        check_flag("isotropic", self.isotropic)
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


@dataclass(frozen=True, repr=False)
class Affine(SpatialOperation):
    """Scale, shear and rotate the image about its center, and translate it, in this order."""

    scale: Three = (1.0, 1.0, 1.0)
    shear: Three = (0.0, 0.0, 0.0)
    degrees: Three = (0.0, 0.0, 0.0)
    translation: Three = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("scale", "shear", "degrees", "translation"):
            limits = (1e-6, 1e6) if name == "scale" else (-1e9, 1e9)
            value = as_triple(name, normalize(getattr(self, name)), *limits)
            object.__setattr__(self, name, value)

    def fuse(self, fusion: Fusion) -> None:
        within = self._within(fusion.flat) if fusion.flat else self
        forward = turning(within.degrees) @ shaping(within.scale, within.shear)
        fusion.move(forward, np.array(within.translation))

    def _within(self, flat: tuple[int, ...]) -> "Affine":
        """The part that stays within an image that has one voxel along some axes."""
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
