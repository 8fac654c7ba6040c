"""Brightness: values multiplied, and added to."""

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
    evenly,
    of_channel,
    settle,
)
from .ranges import Pair, Range, as_flag, factors, symmetric


@dataclass(frozen=True, repr=False)
class RandomBrightness(ValueStep):
    """Multiply the values of each channel, and add to them: over 1 it becomes brighter.

    Darker and brighter are as likely where the range of factors has both, as for
    `RandomContrast`; what is added is drawn evenly.

    Parameters
    ----------
    factor : number or pair
        A number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.75 to 1.25 by default, as in
        nnU-Net.
    std_shift : number or pair
        In standard deviations of the channel; a number `a` means -a to a. None by default.
    per_channel : bool
        Draw for each channel of each image.
    p : float
        How likely it happens; 0.15 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    factor: Range = (0.75, 1.25)
    _: KW_ONLY
    std_shift: Range = 0.0
    per_channel: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)
    _std_shifts: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("per_channel", self.per_channel)
        self._derive(
            _factors=factors("factor", self.factor, MAX_FACTOR),
            _std_shifts=symmetric("std_shift", self.std_shift, MAX_FACTOR),
        )

    def draw(self, grid: Grid, stream: RandomStream) -> "Brightness":
        return Brightness(
            around_one(self._factors, self.per_channel, grid, stream),
            evenly(self._std_shifts, self.per_channel, grid, stream),
        )


@dataclass(frozen=True)
class Brightness(IntensityOperation):
    """Multiply all values, and add so many standard deviations to them."""

    factor: FloatPerChannel = 1.0
    std_shift: FloatPerChannel = 0.0

    def __post_init__(self) -> None:
        settle(self, "factor", 0.0, MAX_VALUE)
        settle(self, "std_shift", -MAX_VALUE, MAX_VALUE)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        std_shift = of_channel(self.std_shift, channel)
        if std_shift != 0.0:
            std_shift *= statistics(voxels, threads).std
        if not math.isnan(std_shift):
            apply_linear(
                voxels, 0.0, of_channel(self.factor, channel), std_shift, UNLIMITED, threads
            )
