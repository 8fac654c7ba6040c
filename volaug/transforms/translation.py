"""Translation: the picture moved."""

from dataclasses import dataclass, field

from ..keys import Numbers
from ..warping.fusion import Grid
from .affine import Affine
from .base import Step
from .ranges import Pairs, Range, drawn_for_axes, lengths


@dataclass(frozen=True, repr=False)
class RandomTranslation(Step):
    """Move the picture along each axis by a number that is drawn evenly: ``a b c`` to ``0 a b``.

    Parameters
    ----------
    shift : range
        In mm (or voxels), towards higher indices; a number `a` means -a to a. By default 5 % of
        a head's 200 mm, which is mild; twice that is strong.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.
    """

    shift: Range = 10.0
    p: float = field(default=0.2, kw_only=True)
    _lengths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_lengths=lengths("shift", self.shift))

    def draw(self, grid: Grid, numbers: Numbers) -> Affine:
        return Affine(translation=drawn_for_axes(self._lengths, False, numbers))
