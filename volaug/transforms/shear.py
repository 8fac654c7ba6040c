"""Shear: planes of the picture moved along each other."""

from dataclasses import dataclass, field

from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import Step
from .ranges import Pairs, RangePerAxis, drawn_for_axes, slopes
from .warps import sheared


@dataclass(frozen=True, repr=False)
class RandomShear(Step):
    """Slide the picture's planes along each other, about its center; its volume stays.

    Each factor is drawn evenly. In mm along one axis for each mm along another: with 0.1, what
    lies 50 mm further along the second moves 5 mm further along the first.

    Parameters
    ----------
    shear : range
        Of axis 0 along axis 1, of axis 0 along axis 2, and of axis 1 along axis 2; with a
        rotation and a scaling these make all linear maps. A number `a` means -a to a. 0.02 by
        default, which is mild for a head; 0.1 is strong.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.
    """

    shear: RangePerAxis = 0.02
    p: float = field(default=0.2, kw_only=True)
    _slopes: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_slopes=slopes(self.shear))

    def distortion(self) -> float:
        return sheared(self._slopes)

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        return Affine(shear=drawn_for_axes(self._slopes, False, stream))
