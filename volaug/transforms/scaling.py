"""Scaling: the picture stretched about its center."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, get_args

from .. import checks
from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import Step
from .ranges import Pairs, RangePerAxis, as_flag, drawn_for_axes, in_proportion, stretches
from .warps import stretched

Distribution = Literal["uniform", "log-uniform", "inverse-uniform"]
DISTRIBUTIONS = get_args(Distribution)


@dataclass(frozen=True, repr=False)
class RandomScaling(Step):
    """Stretch the picture about its center: a factor of 2 along an axis makes it twice as long.

    Parameters
    ----------
    scale : range
        Factors; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.85 to 1.2 by default,
        which is mild for a head; nnU-Net draws 0.7 to 1.4.
    isotropic : bool
        One draw for all axes, each within its own range. Otherwise each axis has its own.
    distribution : {"log-uniform", "uniform", "inverse-uniform"}
        What is uniform: the logarithm of each factor, so that halves are as likely as doubles;
        the factor, as in MONAI and TorchIO; or its inverse, which is how much of the image is
        seen, as in nnU-Net.
    p : float
        How likely it happens; 0.2 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    scale: RangePerAxis = (0.85, 1.2)
    _: KW_ONLY
    isotropic: bool = False
    distribution: Distribution = "log-uniform"
    p: float = field(default=0.2, kw_only=True)
    _factors: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        checks.check_choice("distribution", self.distribution, DISTRIBUTIONS)
        self._derive(_factors=stretches(self.scale))

    def distortion(self) -> float:
        return stretched(self._factors, self.isotropic)

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        if self.distribution == "uniform":
            return Affine(scale=drawn_for_axes(self._factors, self.isotropic, stream))
        if self.distribution == "log-uniform":
            return Affine(scale=in_proportion(self._factors, self.isotropic, stream))
        p, q, r = ((1.0 / high, 1.0 / low) for low, high in self._factors)
        a, b, c = drawn_for_axes((p, q, r), self.isotropic, stream)
        return Affine(scale=(1.0 / a, 1.0 / b, 1.0 / c))
