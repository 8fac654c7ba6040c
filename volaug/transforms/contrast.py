"""Contrast: differences from the mean, multiplied."""

import math
from dataclasses import KW_ONLY, dataclass, field

from ..keys import RandomStream
from ..warping.fusion import Grid
from .base import ValueStep, Voxels
from .channels import UNLIMITED, apply_linear, statistics
from .per_channel import (
    MAX_FACTOR,
    MAX_VALUE,
    ChannelId,
    FloatPerChannel,
    IntensityOperation,
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
    per_channel : bool
        Draw for each channel of each image.
    p : float
        How likely it happens; 0.15 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    factor: Range = (0.75, 1.25)
    _: KW_ONLY
    preserve_range: bool = True
    per_channel: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("preserve_range", self.preserve_range)
        as_flag("per_channel", self.per_channel)
        self._derive(_factors=factors("factor", self.factor, MAX_FACTOR))

    def draw(self, grid: Grid, stream: RandomStream) -> "Contrast":
        return Contrast(
            around_one(self._factors, self.per_channel, grid, stream), self.preserve_range
        )


@dataclass(frozen=True)
class Contrast(IntensityOperation):
    """Multiply the differences from the mean."""

    factor: FloatPerChannel
    preserve_range: bool = True

    def __post_init__(self) -> None:
        settle(self, "factor", 0.0, MAX_VALUE)
        as_flag("preserve_range", self.preserve_range)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        found = statistics(voxels, threads)
        if math.isnan(found.mean):
            return
        limits = (found.min, found.max) if self.preserve_range else UNLIMITED
        factor = of_channel(self.factor, channel)
        apply_linear(voxels, found.mean, factor, found.mean, limits, threads)
