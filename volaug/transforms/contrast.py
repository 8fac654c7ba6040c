"""Contrast: differences from the mean, multiplied."""

import math
from dataclasses import dataclass, field

from ..keys import Numbers
from ..warping.fusion import Grid
from .base import ValueStep, Voxels
from .channels import UNLIMITED, line, statistics
from .per_channel import (
    MOST,
    MOST_FACTOR,
    IntensityOperation,
    PerChannel,
    Place,
    around_one,
    of_channel,
    settle,
)
from .ranges import Pair, Range, as_flag, factors


@dataclass(frozen=True, repr=False)
class RandomContrast(ValueStep):
    """Multiply the differences from the mean of each channel: below 1 it fades.

    Weaker and stronger contrast are as likely where the range has both, as in nnU-Net
    (`BGContrast` of batchgeneratorsv2): first which of them, then the factor, evenly.

    Parameters
    ----------
    factor : number or pair
        A number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.75 to 1.25 by default, as in
        nnU-Net.
    preserve_range : bool
        Cut what then lies beyond the least and the greatest value that the channel had.
    apart : bool
        Draw for each channel of each image.
    p : float
        How likely it happens; 0.15 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    factor: Range = (0.75, 1.25)
    preserve_range: bool = True
    apart: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("preserve_range", self.preserve_range)
        as_flag("apart", self.apart)
        self._derive(_factors=factors("factor", self.factor, MOST_FACTOR))

    def draw(self, grid: Grid, numbers: Numbers) -> "Contrast":
        return Contrast(around_one(self._factors, self.apart, grid, numbers), self.preserve_range)


@dataclass(frozen=True)
class Contrast(IntensityOperation):
    """Multiply the differences from the mean."""

    factor: PerChannel
    preserve_range: bool = True

    def __post_init__(self) -> None:
        settle(self, "factor", 0.0, MOST)
        as_flag("preserve_range", self.preserve_range)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        found = statistics(voxels, threads)
        if math.isnan(found.mean):
            return
        limits = (found.least, found.greatest) if self.preserve_range else UNLIMITED
        factor = of_channel(self.factor, place)
        line(voxels, found.mean, factor, found.mean, limits, threads)
