"""What intensity steps draw: plain numbers, and what they do to the values of a channel.

A number is one for all channels, or a tuple of one for each. Statistics are of the finite voxels of
a channel; where there are none, nothing changes. Integers are rounded, halves away from zero, and
saturate; NaN stays.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from .. import checks
from ..engine.blur import blur
from ..engine.intensity import curve, line, noise, statistics
from ..plain import frozen
from .operations import IntensityOperation, Place, Three, as_flag
from .ranges import as_number, as_triple

Numbers = float | tuple[float, ...]
Voxels = npt.NDArray[Any]

UNLIMITED = (-math.inf, math.inf)
NOISES = ("gaussian", "rician")


@dataclass(frozen=True)
class Contrast(IntensityOperation):
    """Multiply the differences from the mean."""

    factor: Numbers
    preserve_range: bool = True

    def __post_init__(self) -> None:
        _settle(self, "factor", 0.0)
        as_flag("preserve_range", self.preserve_range)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        found = statistics(voxels, threads)
        if math.isnan(found.mean):
            return
        limits = (found.least, found.greatest) if self.preserve_range else UNLIMITED
        factor = of_channel("factor", self.factor, place)
        line(voxels, found.mean, factor, found.mean, limits, threads)


@dataclass(frozen=True)
class Brightness(IntensityOperation):
    """Multiply all values, and add so many standard deviations to them."""

    factor: Numbers = 1.0
    shift: Numbers = 0.0

    def __post_init__(self) -> None:
        _settle(self, "factor", 0.0)
        _settle(self, "shift", -MOST)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        factor = of_channel("factor", self.factor, place)
        shift = of_channel("shift", self.shift, place)
        if shift != 0.0:
            shift *= statistics(voxels, threads).deviation
        if not math.isnan(shift):
            line(voxels, 0.0, factor, shift, UNLIMITED, threads)


@dataclass(frozen=True)
class Gamma(IntensityOperation):
    """Raise values, from 0 for the least to 1 for the greatest, to a power; or 1 less these."""

    exponent: Numbers
    inverted: bool = False
    retain_statistics: bool = True

    def __post_init__(self) -> None:
        _settle(self, "exponent", 1e-3)
        as_flag("inverted", self.inverted)
        as_flag("retain_statistics", self.retain_statistics)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        before = statistics(voxels, threads)
        spread = before.greatest - before.least
        if not 0.0 < spread < math.inf:
            return
        exponent = of_channel("exponent", self.exponent, place)
        origin, sign = (before.greatest, -1.0) if self.inverted else (before.least, 1.0)
        scale = sign * spread
        onto = scale, origin, before.count
        mean, deviation = curve(voxels, origin, sign / spread, exponent, *onto, threads)
        if self.retain_statistics:
            slope = before.deviation / (spread * deviation) if deviation > 0.0 else 1.0
            line(voxels, scale * mean + origin, slope, before.mean, UNLIMITED, threads)


@dataclass(frozen=True)
class Noise(IntensityOperation):
    """Add normal noise, another one for each voxel, channel, target and key."""

    deviation: Numbers
    kind: str
    relative: bool
    key: int

    def __post_init__(self) -> None:
        _settle(self, "deviation", 0.0)
        checks.check_choice("kind", self.kind, NOISES)
        as_flag("relative", self.relative)
        checks.as_seed("key", self.key)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        deviation = of_channel("deviation", self.deviation, place)
        if self.relative:
            deviation *= statistics(voxels, threads).deviation
        if deviation > 0.0:  # NaN is not
            words = f"{place.target} {place.channel}".encode(errors="surrogatepass")
            stream = int.from_bytes(hashlib.shake_128(words).digest(8), "little")
            noise(voxels, deviation, self.kind == "rician", stream, self.key, threads)


@dataclass(frozen=True)
class Blur(IntensityOperation):
    """Take the Gaussian mean, of so many voxels along each axis; 0 leaves an axis as it is."""

    sigma: Three | tuple[Three, ...]
    truncate: float = 4.0

    def __post_init__(self) -> None:
        sigma = frozen(self.sigma)
        each = isinstance(sigma, tuple) and bool(sigma) and isinstance(sigma[0], tuple)
        triples = tuple(
            as_triple("sigma", item, 0.0, WIDEST) for item in (sigma if each else [sigma])
        )
        object.__setattr__(self, "sigma", triples if each else triples[0])
        object.__setattr__(self, "truncate", as_number("truncate", self.truncate, 1.0, 10.0))

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        each = isinstance(self.sigma[0], tuple)
        sigma: Any = of_channel("sigma", self.sigma, place) if each else self.sigma
        blur(voxels, sigma, self.truncate, threads)


MOST = 1e6
WIDEST = 100.0  # voxels of a blur's standard deviation


def of_channel(name: str, value: Any, place: Place) -> Any:
    """What was drawn for a channel."""
    if not isinstance(value, tuple):
        return value
    if place.channel >= len(value):
        raise ValueError(
            f"{name} was drawn for {len(value)} channels, but {place.target!r} has more: draw "
            "with channels= as many as the image has"
        )
    return value[place.channel]


def _settle(operation: IntensityOperation, name: str, least: float) -> None:
    """See that an argument is a number or a tuple of numbers within limits."""
    value = frozen(getattr(operation, name))
    if isinstance(value, tuple):
        if not value:
            raise ValueError(f"{name} must be a number, or one for each channel, got none")
        value = tuple(as_number(name, item, least, MOST) for item in value)
    else:
        value = as_number(name, value, least, MOST)
    object.__setattr__(operation, name, value)
