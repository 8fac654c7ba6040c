"""Brightness: multiply values, and add to them."""

import math
from dataclasses import KW_ONLY, dataclass, field

from ..checks import check_flag
from ..keys import RandomStream
from ..warping.fusion import Grid
from .channels import UNLIMITED, Mask, apply_linear, statistics
from .masked import MaskedOperation, MaskedStep
from .operation import Voxels
from .per_channel import (
    MAX_FACTOR,
    MAX_VALUE,
    ChannelId,
    FloatPerChannel,
    around_one,
    check_numbers,
    evenly,
    of_channel,
)
from .ranges import Pair, Range, factors, symmetric


@dataclass(frozen=True, repr=False)
class RandomBrightness(MaskedStep):
    """Multiply the values of each channel by a factor, and add to them: over 1 it becomes brighter.

    If the range of factors includes 1, a factor below 1 is as likely as one over 1. The factor is
    drawn uniformly on either side, and so is the number that is added.

    Parameters
    ----------
    factor : float or (low, high), default (0.75, 1.25)
        Factors, 0.01 to 100; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. The default is
        nnU-Net's.
    std_shift : float or (low, high), default 0.0
        What is added, in standard deviations of the channel, -100 to 100; a number `a` means -a to
        a.
    per_channel : bool, default False
        Whether each channel of each image gets its own draw.
    p : float, default 0.15
        Probability of applying the step, 0 to 1; nnU-Net's.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all images.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.
    mask : str or float, optional
        Where to apply the step, and where its statistics come from: the name of a target, which
        must be over 0 there, or a number, which the image must be over. Default: everywhere.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If a number is outside its range, a range is reversed, or a single number for `factor` is
        not less than 1.

    See Also
    --------
    RandomContrast : Multiply differences from the mean.
    RandomBiasField : Multiply by a smooth field.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomBrightness((2, 2), p=1.0)], seed=7)
    >>> pipeline(image=np.arange(8).reshape(8, 1, 1), index=0)["image"].ravel()
    array([ 0,  2,  4,  6,  8, 10, 12, 14])
    """

    factor: Range = (0.75, 1.25)
    _: KW_ONLY
    std_shift: Range = 0.0
    per_channel: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)
    _std_shifts: Pair = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("per_channel", self.per_channel)
        self._derive(
            _factors=factors("factor", self.factor, MAX_FACTOR),
            _std_shifts=symmetric("std_shift", self.std_shift, MAX_FACTOR),
        )

    def draw(self, grid: Grid, stream: RandomStream) -> "Brightness":
        return Brightness(
            around_one(self._factors, self.per_channel, grid, stream),
            evenly(self._std_shifts, self.per_channel, grid, stream),
        )


@dataclass(frozen=True, repr=False)
class Brightness(MaskedOperation):
    """Multiply all values, and add this many standard deviations."""

    factor: FloatPerChannel = 1.0
    std_shift: FloatPerChannel = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "factor", 0.0, MAX_VALUE)
        check_numbers(self, "std_shift", -MAX_VALUE, MAX_VALUE)

    def change_inside(self, voxels: Voxels, channel: ChannelId, threads: int, mask: Mask) -> None:
        std_shift = of_channel(self.std_shift, channel)
        if std_shift != 0.0:
            std_shift *= statistics(voxels, threads, mask).std
        if not math.isnan(std_shift):
            apply_linear(
                voxels, 0.0, of_channel(self.factor, channel), std_shift, UNLIMITED, threads, mask
            )
