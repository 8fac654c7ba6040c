"""Changes of each voxel by its value: contrast, brightness, gamma, and any other monotone curve.

What was drawn is one for all channels, or one for each. Statistics are of the finite voxels of a
channel; where there are none, nothing changes. Integers are rounded, halves away from zero, and
saturate; NaN stays.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..engine.intensity import curve, line, remap, statistics
from .base import IntensityOperation, Place, Voxels, of_channel, settled
from .numbers import as_flag, as_number

Numbers = float | tuple[float, ...]  # one for all channels, or for each

UNLIMITED = (-math.inf, math.inf)
MOST = 1e6
EXPONENTS = (1e-2, 1e2)
LEAST_RANGE = 1e-35  # what is narrower has none: one over it is beyond float32


@dataclass(frozen=True)
class Contrast(IntensityOperation):
    """Multiply the differences from the mean."""

    factor: Numbers
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


@dataclass(frozen=True)
class Brightness(IntensityOperation):
    """Multiply all values, and add so many standard deviations to them."""

    factor: Numbers = 1.0
    shift: Numbers = 0.0

    def __post_init__(self) -> None:
        settle(self, "factor", 0.0, MOST)
        settle(self, "shift", -MOST, MOST)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        shift = of_channel(self.shift, place)
        if shift != 0.0:
            shift *= statistics(voxels, threads).deviation
        if not math.isnan(shift):
            line(voxels, 0.0, of_channel(self.factor, place), shift, UNLIMITED, threads)


@dataclass(frozen=True)
class Gamma(IntensityOperation):
    """Raise values, from 0 for the least to 1 for the greatest, to a power; or 1 less these."""

    exponent: Numbers
    inverted: bool = False
    retain_statistics: bool = True

    def __post_init__(self) -> None:
        settle(self, "exponent", *EXPONENTS)
        as_flag("inverted", self.inverted)
        as_flag("retain_statistics", self.retain_statistics)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        before = statistics(voxels, threads)
        spread = before.greatest - before.least
        if not LEAST_RANGE < spread < math.inf:
            return
        exponent = of_channel(self.exponent, place)
        origin, sign = (before.greatest, -1.0) if self.inverted else (before.least, 1.0)
        scale = sign * spread
        onto = scale, origin, before.finite
        mean, deviation = curve(voxels, origin, sign / spread, exponent, *onto, threads)
        if self.retain_statistics:
            slope = before.deviation / (spread * deviation) if deviation > 0.0 else 1.0
            line(voxels, scale * mean + origin, slope, before.mean, UNLIMITED, threads)


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

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        from scipy.interpolate import PchipInterpolator  # takes 50 ms to import

        found = statistics(voxels, threads)
        spread = found.greatest - found.least
        if not LEAST_RANGE < spread < math.inf:
            return
        levels = of_channel(self.levels, place)
        spans = len(levels) - 1
        values = [found.least + spread * level for level in levels]
        cubics = PchipInterpolator(range(spans + 1), values).c[::-1].T
        remap(voxels, found.least, found.greatest, cubics, threads)


def settle(operation: Any, name: str, least: float, greatest: float) -> None:
    """See that an argument is a number, or one for each channel, within limits."""
    value = settled(name, getattr(operation, name), number_within(least, greatest))
    object.__setattr__(operation, name, value)


def number_within(least: float, greatest: float) -> Callable[[str, Any], float]:
    """What sees that a number is within limits."""
    return lambda name, value: as_number(name, value, least, greatest)


def _ascending(name: str, value: Any) -> tuple[float, ...]:
    given = value if isinstance(value, tuple) else ()
    levels = tuple(as_number(name, level, 0.0, 1.0) for level in given)
    if len(levels) < 2 or list(levels) != sorted(levels):
        raise ValueError(f"{name} must be two or more in ascending order, got {value!r}")
    return levels
