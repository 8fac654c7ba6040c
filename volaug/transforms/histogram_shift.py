"""Histogram shift: map values by a random monotone curve."""

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import check_flag
from ..kernels.values.pointwise import piecewise_cubic
from ..keys import RandomStream
from ..warping.fusion import Grid
from .base import ValueStep
from .channels import BLOCK, MIN_RANGE, Channel, Memory, kernel_arguments, run_blocks, statistics
from .operation import Voxels
from .per_channel import (
    ChannelId,
    IntensityOperation,
    checked,
    draw_per_channel,
    of_channel,
)
from .ranges import Pair, Range, as_number, symmetric


@dataclass(frozen=True, repr=False)
class RandomHistogramShift(ValueStep):
    """Map the values of each channel by a random monotone curve.

    The curve passes through control points that are evenly spaced from the minimum to the maximum.
    These two stay fixed. The others move up or down, and remain in order.

    Parameters
    ----------
    knot_shift : float or (low, high), default 0.4
        How far a control point moves, in distances between control points, -0.5 to 0.5, drawn
        uniformly; a number `a` means -a to a.
    num_control_points : int, default 6
        Number of control points, 3 to 256. Fewer make a smoother curve with larger shifts.
    per_channel : bool, default False
        Whether each channel of each image gets its own curve.
    p : float, default 0.1
        Probability of applying the step, 0 to 1; that of MONAI's `RandHistogramShift`.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all images.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If a number is outside its range, or the range of `knot_shift` is reversed.

    See Also
    --------
    RandomGamma : Raise values to a power.

    Notes
    -----
    The curve is piecewise cubic (Fritsch and Carlson 1980) and never overshoots. MONAI's is
    piecewise linear.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomHistogramShift(p=1.0)], seed=7)
    >>> image = np.arange(8.0).reshape(8, 1, 1)
    >>> shifted = pipeline(image=image, index=0)["image"].ravel()
    >>> bool((np.diff(shifted) > 0).all())
    True
    """

    knot_shift: Range = 0.4
    _: KW_ONLY
    num_control_points: int = 6
    per_channel: bool = False
    p: float = field(default=0.1, kw_only=True)
    _shifts: Pair = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("per_channel", self.per_channel)
        checks.as_whole("num_control_points", self.num_control_points, 3, 256)
        self._derive(_shifts=symmetric("knot_shift", self.knot_shift, 0.5))

    def draw(self, grid: Grid, stream: RandomStream) -> "HistogramShift":
        def one(stream: RandomStream) -> tuple[float, ...]:
            last = self.num_control_points - 1
            inner = [(k + stream.uniform(*self._shifts)) / last for k in range(1, last)]
            return 0.0, *sorted(inner), 1.0

        return HistogramShift(draw_per_channel(self.per_channel, grid, stream, one))


@dataclass(frozen=True, repr=False)
class HistogramShift(IntensityOperation):
    """Map values by a monotone curve: a cubic through levels evenly spaced over the range.

    Piecewise cubic Hermite interpolation (F. Fritsch, R. Carlson, "Monotone piecewise cubic
    interpolation", SIAM Journal on Numerical Analysis 17(2), 1980), which never overshoots.

    Parameters
    ----------
    levels : tuple of floats, or one for each channel
        What the evenly spaced levels become: 0 is the minimum of the channel, 1 the maximum. Two or
        more, in ascending order.
    """

    levels: tuple[Any, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "levels", checked("levels", self.levels, _ascending, depth=1))

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
    """Apply cubic polynomials to the values, whose finite ones are from `minimum` to `maximum`.

    Parameters
    ----------
    cubics : (n, 4) array
        The range is divided into n units of one length. Each has a polynomial of the position in
        the unit, 0 to 1; the lowest power first.
    """
    kind, (origin, slope) = kernel_arguments(channel, minimum, len(cubics) / (maximum - minimum))
    table = cubics.astype(type(origin))

    def work(memory: Memory, first: int, stop: int) -> None:
        last = min(stop * BLOCK, memory[1])
        piecewise_cubic(kind, memory, origin, slope, table, first * BLOCK, last)

    run_blocks(channel, work, BLOCK, threads)
