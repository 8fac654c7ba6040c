"""Histogram knot_shift: values moved along a random monotone curve."""

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..kernels.values.pointwise import piecewise_cubic
from ..keys import RandomStream
from ..warping.fusion import Grid
from .base import ValueStep, Voxels
from .channels import BLOCK, MIN_RANGE, Channel, Memory, kernel_arguments, run_blocks, statistics
from .per_channel import ChannelId, IntensityOperation, of_channel, of_channels, settled
from .ranges import Pair, Range, as_flag, as_number, symmetric


@dataclass(frozen=True, repr=False)
class RandomHistogramShift(ValueStep):
    """Move the values of each channel along a random monotone curve.

    The curve goes through control points evenly spaced from the least to the greatest value,
    which both stay; the others move up or down, and none beyond another.

    Parameters
    ----------
    knot_shift : number or pair
        How far a control point moves, of the distance to its neighbors, drawn evenly; a number
        `a` means -a to a, and 0.5 is the most.
    num_control_points : int
        3 or more. With few the curve is smoother, and goes further.
    per_channel : bool
        Draw for each channel of each image.
    p : float
        How likely it happens; 0.1 as in MONAI's `RandHistogramShift`.
    name : str, optional
        See `Transform`.

    Notes
    -----
    See `HistogramShift` for the curve. MONAI's is of straight lines.
    """

    knot_shift: Range = 0.4
    _: KW_ONLY
    num_control_points: int = 6
    per_channel: bool = False
    p: float = field(default=0.1, kw_only=True)
    _shifts: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("per_channel", self.per_channel)
        checks.as_whole("num_control_points", self.num_control_points, 3, 256)
        self._derive(_shifts=symmetric("knot_shift", self.knot_shift, 0.5))

    def draw(self, grid: Grid, stream: RandomStream) -> "HistogramShift":
        def one(stream: RandomStream) -> tuple[float, ...]:
            last = self.num_control_points - 1
            inner = [(k + stream.uniform(*self._shifts)) / last for k in range(1, last)]
            return 0.0, *sorted(inner), 1.0

        return HistogramShift(of_channels(self.per_channel, grid, stream, one))


@dataclass(frozen=True)
class HistogramShift(IntensityOperation):
    """Move values along a monotone curve: a cubic through levels evenly spaced over the range.

    Piecewise cubic Hermite interpolation (F. Fritsch, R. Carlson, "Monotone piecewise cubic
    interpolation", SIAM Journal on Numerical Analysis 17(2), 1980), which never overshoots.

    Parameters
    ----------
    levels : tuple of floats, or one for each channel
        What becomes of the evenly spaced ones: 0 is the least value of the channel, 1 the
        greatest. Two or more, in ascending order.
    """

    levels: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", settled("levels", self.levels, _ascending, depth=1))

    @classmethod
    def examples(cls) -> tuple["HistogramShift", ...]:
        return (cls((0.0, 0.4, 1.0)),)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        from scipy.interpolate import PchipInterpolator  # takes 50 ms to import

        found = statistics(voxels, threads)
        spread = found.max - found.min
        if not MIN_RANGE < spread < math.inf:
            return
        levels = of_channel(self.levels, channel)
        spans = len(levels) - 1
        values = [found.min + spread * level for level in levels]
        cubics = PchipInterpolator(range(spans + 1), values).c[::-1].T
        apply_cubics(voxels, found.min, found.max, cubics, threads)


def _ascending(name: str, value: Any) -> tuple[float, ...]:
    given = value if isinstance(value, tuple) else ()
    levels = tuple(as_number(name, level, 0.0, 1.0) for level in given)
    if len(levels) < 2 or list(levels) != sorted(levels):
        raise ValueError(f"{name} must be two or more in ascending order, got {value!r}")
    return levels


def apply_cubics(
    channel: Channel, minimum: float, maximum: float, cubics: npt.NDArray[np.float64], threads: int
) -> None:
    """Cubic polynomials of the values from `least` to `greatest`, which are all that are finite.

    Parameters
    ----------
    cubics : (units, 4) array
        The range is cut into so many units of one length, each of which has its own, of the place
        in it, 0 to 1; the lowest power first.
    """
    kind, (origin, slope) = kernel_arguments(channel, minimum, len(cubics) / (maximum - minimum))
    table = cubics.astype(type(origin))

    def work(memory: Memory, first: int, stop: int) -> None:
        last = min(stop * BLOCK, memory[1])
        piecewise_cubic(kind, memory, origin, slope, table, first * BLOCK, last)

    run_blocks(channel, work, BLOCK, threads)
