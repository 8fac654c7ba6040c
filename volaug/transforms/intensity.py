"""Steps that change the values of images, and leave labels, points and boxes alone."""

from dataclasses import dataclass, field

from ..keys import Numbers
from .fusion import Grid
from .operations import Contrast, as_flag
from .ranges import Range, factors
from .transform import Step


@dataclass(frozen=True, repr=False)
class RandomContrast(Step):
    """Multiply the differences from the mean of each channel: below 1 it fades.

    Weaker and stronger contrast are as likely where the range has both, as in nnU-Net
    (`BGContrast` of batchgeneratorsv2): first which of them, then the factor, evenly.

    Parameters
    ----------
    factor : number or pair
        A number `a` means 1 / (1 + a) to 1 + a. 0.75 to 1.25 by default, as in nnU-Net.
    preserve_range : bool
        Cut what then lies beyond the least and the greatest value that the channel had.
    p : float
        How likely it happens; 0.15 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    Mean, least and greatest are of the finite voxels of the whole channel; NaN and infinite ones
    stay or are cut. Integers are rounded, halves away from zero, and saturate.
    """

    factor: Range = (0.75, 1.25)
    preserve_range: bool = True
    p: float = field(default=0.15, kw_only=True)

    def check(self) -> None:
        factors("factor", self.factor, 100.0)
        as_flag("preserve_range", self.preserve_range)

    def draw(self, grid: Grid, numbers: Numbers) -> Contrast:
        low, high = factors("factor", self.factor, 100.0)
        weaker = numbers.chance(0.5)
        if low < 1.0 < high:
            low, high = (low, 1.0) if weaker else (1.0, high)
        return Contrast(numbers.uniform(low, high), self.preserve_range)
