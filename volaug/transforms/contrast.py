"""Contrast: multiply differences from the mean."""

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
    of_channel,
)
from .ranges import Pair, Range, factors


@dataclass(frozen=True, repr=False)
class RandomContrast(MaskedStep):
    """Multiply differences from the mean of each channel: below 1, contrast decreases.

    If the range of factors includes 1, weaker contrast is as likely as stronger, as in nnU-Net
    (`BGContrast` of batchgeneratorsv2). The factor is drawn uniformly on either side.

    Parameters
    ----------
    factor : float or (low, high), default (0.75, 1.25)
        Factors, 0.01 to 100; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. The default is
        nnU-Net's.
    preserve_range : bool, default True
        Whether to clip the result to the minimum and maximum that the channel had.
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
        If a factor is not from 0.01 to 100, the range is reversed, a single number is not less than
        1, or `p` is not from 0 to 1.

    See Also
    --------
    RandomBrightness : Multiply values, and add to them.
    RandomGamma : Raise values to a power.

    Examples
    --------
    >>> step = volaug.RandomContrast((2, 2), preserve_range=False, p=1.0)
    >>> image = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> volaug.Compose([step], seed=7)(image=image, index=0)["image"].ravel()
    array([0., 2., 4.])
    """

    factor: Range = (0.75, 1.25)
    _: KW_ONLY
    preserve_range: bool = True
    per_channel: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("preserve_range", self.preserve_range)
        check_flag("per_channel", self.per_channel)
        self._derive(_factors=factors("factor", self.factor, MAX_FACTOR))

    def draw(self, grid: Grid, stream: RandomStream) -> "Contrast":
        return Contrast(
            around_one(self._factors, self.per_channel, grid, stream), self.preserve_range
        )


@dataclass(frozen=True, repr=False)
class Contrast(MaskedOperation):
    """Multiply the differences from the mean."""

    factor: FloatPerChannel
    preserve_range: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "factor", 0.0, MAX_VALUE)
        check_flag("preserve_range", self.preserve_range)

    def change_inside(self, voxels: Voxels, channel: ChannelId, threads: int, mask: Mask) -> None:
        found = statistics(voxels, threads, mask)
        if math.isnan(found.mean):
            return
        limits = (found.min, found.max) if self.preserve_range else UNLIMITED
        factor = of_channel(self.factor, channel)
        apply_linear(voxels, found.mean, factor, found.mean, limits, threads, mask)
