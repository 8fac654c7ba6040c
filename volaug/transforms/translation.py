"""Translation: the picture moved."""

from dataclasses import dataclass, field

from ..keys import RandomStream
from ..warping.fusion import Grid
from .affine import Affine
from .base import Step
from .ranges import Pairs, RangePerAxis, drawn_for_axes, lengths


@dataclass(frozen=True, repr=False)
class RandomTranslation(Step):
    """Move the picture along each axis by a number that is drawn evenly: ``a b c`` to ``0 a b``.

    Parameters
    ----------
    translation : range
        In mm (or voxels), towards higher indices; a number `a` means -a to a. By default 5 % of
        a head's 200 mm, which is mild; twice that is strong.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.
    """

    translation: RangePerAxis = 10.0
    p: float = field(default=0.2, kw_only=True)
    _lengths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        self._derive(_lengths=lengths("translation", self.translation))

    def draw(self, grid: Grid, stream: RandomStream) -> Affine:
        return Affine(translation=drawn_for_axes(self._lengths, False, stream))
