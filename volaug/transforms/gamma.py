"""Gamma: raise values to a power."""

import math
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from ..checks import check_flag
from ..kernels.values.pointwise import power_law
from ..kernels.values.vector_math import power_constants
from ..keys import RandomStream
from ..warping.fusion import Grid
from .channels import (
    BLOCK,
    MIN_RANGE,
    UNLIMITED,
    Channel,
    Mask,
    Memory,
    apply_linear,
    kernel_arguments,
    mean_and_std,
    run_blocks,
    statistics,
)
from .masked import MaskedOperation, MaskedStep
from .operation import Voxels
from .per_channel import (
    ChannelId,
    FloatPerChannel,
    around_one,
    check_numbers,
    of_channel,
)
from .ranges import Pair, Range, as_number, factors

EXPONENTS = (1e-2, 1e2)


@dataclass(frozen=True, repr=False)
class RandomGamma(MaskedStep):
    """Raise values to a power: below 1 dark voxels become brighter, over 1 darker.

    The values of each channel are scaled to 0 (its minimum) to 1 (its maximum), raised to the
    power, and scaled back. If the range of powers includes 1, a power below 1 is as likely as one
    over 1; it is drawn uniformly on either side.

    Parameters
    ----------
    gamma : float or (low, high), default (0.7, 1.5)
        The power, 0.1 to 10; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. The default is
        nnU-Net's.
    p_inverted : float, default 0.25
        Probability of inverting intensities before and after the power, so that bright and dark
        swap roles. nnU-Net has two steps: one inverted, with probability 0.1, and one not, with
        0.3.
    retain_statistics : bool, default True
        Whether to restore the mean and the standard deviation of the channel, as nnU-Net does.
    per_channel : bool, default False
        Whether each channel of each image gets its own power.
    p : float, default 0.3
        Probability of applying the step, 0 to 1.
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
        If a power is not from 0.1 to 10, the range is reversed, a single number is not less than 1,
        or a probability is not from 0 to 1.

    See Also
    --------
    RandomContrast : Multiply differences from the mean.
    RandomHistogramShift : Map values by a random monotone curve.

    Notes
    -----
    Powers are accurate to 3e-7 of the range. A channel of one value stays as it is, where nnU-Net
    divides by 1e-7.

    Examples
    --------
    >>> step = volaug.RandomGamma((2, 2), p_inverted=0, retain_statistics=False, p=1.0)
    >>> image = np.array([0.0, 5.0, 10.0]).reshape(3, 1, 1)
    >>> volaug.Compose([step], seed=7)(image=image, index=0)["image"].ravel().round(4)
    array([ 0. ,  2.5, 10. ])
    """

    gamma: Range = (0.7, 1.5)
    _: KW_ONLY
    p_inverted: float = 0.25
    retain_statistics: bool = True
    per_channel: bool = False
    p: float = field(default=0.3, kw_only=True)
    _powers: Pair = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("retain_statistics", self.retain_statistics)
        check_flag("per_channel", self.per_channel)
        as_number("p_inverted", self.p_inverted, 0.0, 1.0)
        self._derive(_powers=factors("gamma", self.gamma, 10.0))

    def draw(self, grid: Grid, stream: RandomStream) -> "Gamma":
        inverted = stream.chance(self.p_inverted)
        powers = around_one(self._powers, self.per_channel, grid, stream)
        return Gamma(powers, inverted, self.retain_statistics)


@dataclass(frozen=True, repr=False)
class Gamma(MaskedOperation):
    """Raise values, scaled to 0 to 1, to a power; if `inverted`, raise 1 minus these."""

    exponent: FloatPerChannel
    inverted: bool = False
    retain_statistics: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "exponent", *EXPONENTS)
        check_flag("inverted", self.inverted)
        check_flag("retain_statistics", self.retain_statistics)

    @classmethod
    def examples(cls) -> tuple["Gamma", ...]:
        return (cls(1.1),)

    def change_inside(self, voxels: Voxels, channel: ChannelId, threads: int, mask: Mask) -> None:
        before = statistics(voxels, threads, mask)
        spread = before.max - before.min
        if not MIN_RANGE < spread < math.inf:
            return
        exponent = of_channel(self.exponent, channel)
        origin, sign = (before.max, -1.0) if self.inverted else (before.min, 1.0)
        scale = sign * spread
        onto = scale, origin, before.finite
        mean, std = apply_power(voxels, origin, sign / spread, exponent, *onto, threads, mask)
        if self.retain_statistics:
            slope = before.std / (spread * std) if std > 0.0 else 1.0
            apply_linear(
                voxels, scale * mean + origin, slope, before.mean, UNLIMITED, threads, mask
            )


def apply_power(
    channel: Channel,
    origin: float,
    slope: float,
    exponent: float,
    scale: float,
    base: float,
    count: int,
    threads: int,
    mask: Mask = None,
) -> tuple[float, float]:
    """``scale * y + base``, where ``y = (slope * (x - origin)) ** exponent``.

    What is raised is from 0 to 1. Mean and standard deviation of the finite `y` within the mask, of
    which there are `count`.
    """
    kind, (begin, steep, stretch, end) = kernel_arguments(channel, origin, slope, scale, base)
    constants, squarings = power_constants(exponent)  # type: ignore[no-untyped-call]
    found = np.empty((-(-channel.size // BLOCK), 2))

    def work(memory: Memory, first: int, stop: int) -> None:
        power = constants, squarings
        power_law(kind, memory, begin, steep, *power, stretch, end, BLOCK, found, first, stop)

    run_blocks(channel, work, BLOCK, threads, mask)
    return mean_and_std(count, *found.sum(axis=0).tolist())
