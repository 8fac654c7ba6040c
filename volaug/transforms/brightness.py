"""Brightness: values multiplied, and added to."""

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
    shift : number or pair
        In standard deviations of the channel; a number `a` means -a to a. None by default.
    apart : bool
        Draw for each channel of each image.
    p : float
        How likely it happens; 0.15 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    factor: Range = (0.75, 1.25)
    shift: Range = 0.0
    apart: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)
    _shifts: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("apart", self.apart)
        self._derive(
            _factors=factors("factor", self.factor, MOST_FACTOR),
            _shifts=symmetric("shift", self.shift, MOST_FACTOR),
        )

    def draw(self, grid: Grid, numbers: Numbers) -> "Brightness":
        return Brightness(
            around_one(self._factors, self.apart, grid, numbers),
            evenly(self._shifts, self.apart, grid, numbers),
        )


@dataclass(frozen=True)
class Brightness(IntensityOperation):
    """Multiply all values, and add so many standard deviations to them."""

    factor: PerChannel = 1.0
    shift: PerChannel = 0.0

    def __post_init__(self) -> None:
        settle(self, "factor", 0.0, MOST)
        settle(self, "shift", -MOST, MOST)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        shift = of_channel(self.shift, place)
        if shift != 0.0:
            shift *= statistics(voxels, threads).deviation
        if not math.isnan(shift):
            line(voxels, 0.0, of_channel(self.factor, place), shift, UNLIMITED, threads)
