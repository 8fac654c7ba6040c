"""Scaling: the picture stretched about its center."""

from dataclasses import dataclass, field

from .. import checks
from ..keys import Numbers
from ..warping.fusion import Grid
from .affine import Affine
from .base import Step
from .ranges import Pairs, Range, as_flag, drawn_for_axes, in_proportion, stretches
from .warps import stretched

EVEN_IN = ("logarithm", "inverse")


@dataclass(frozen=True, repr=False)
class RandomScaling(Step):
    """Stretch the picture about its centre: a factor of 2 along an axis makes it twice as long.

    Parameters
    ----------
    scale : range
        Factors; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.85 to 1.2 by default,
        which is mild for a head; nnU-Net draws 0.7 to 1.4.
    isotropic : bool
        One draw for all axes, each within its own range. Otherwise each axis has its own.
    even_in : {"logarithm", "inverse"}
        What is drawn evenly. The logarithm of each factor makes halves as likely as doubles. Its
        inverse, which is by how much less of the picture is seen, is what nnU-Net draws.
    p : float
        How likely it happens; 0.2 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    scale: Range = (0.85, 1.2)
    isotropic: bool = False
    even_in: str = "logarithm"
    p: float = field(default=0.2, kw_only=True)
    _factors: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        checks.check_choice("even_in", self.even_in, EVEN_IN)
        self._derive(_factors=stretches(self.scale))

    def distortion(self) -> float:
        return stretched(self._factors, self.isotropic)

    def draw(self, grid: Grid, numbers: Numbers) -> Affine:
        if self.even_in == "logarithm":
            return Affine(scale=in_proportion(self._factors, self.isotropic, numbers))
        p, q, r = ((1.0 / high, 1.0 / low) for low, high in self._factors)
        a, b, c = drawn_for_axes((p, q, r), self.isotropic, numbers)
        return Affine(scale=(1.0 / a, 1.0 / b, 1.0 / c))
