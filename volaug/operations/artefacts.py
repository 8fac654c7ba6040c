"""What a scanner does to an image: noise, blur, few voxels, an uneven field.

As in `intensity.py`: one for all channels, or one for each; integers are rounded and saturate.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import checks
from ..engine.bias_field import multiply_field
from ..engine.blur import blur
from ..engine.intensity import noise, statistics
from ..engine.low_resolution import lower_resolution
from .base import Apart, IntensityOperation, Place, Voxels, of_channel, settled
from .intensity import MOST, Numbers, settle
from .numbers import Three, as_flag, as_number, as_triple

NOISES = ("gaussian", "rician")
WIDEST = 100.0  # voxels of a blur's standard deviation
COARSEST = 1e-3
STRONGEST = 20.0  # of a field's logarithm


@dataclass(frozen=True)
class Noise(IntensityOperation):
    """Add normal noise, another one for each voxel, channel, target and key."""

    deviation: Numbers
    kind: str
    relative: bool
    key: int

    def __post_init__(self) -> None:
        settle(self, "deviation", 0.0, MOST)
        checks.check_choice("kind", self.kind, NOISES)
        as_flag("relative", self.relative)
        checks.as_seed("key", self.key)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        deviation, origin = of_channel(self.deviation, place), 0.0
        if self.relative or self.kind == "rician":
            found = statistics(voxels, threads)
            deviation *= found.deviation if self.relative else 1.0
            origin = min(found.least, 0.0)  # no magnitude is negative: zero has been moved there
        if deviation > 0.0:  # NaN is not
            words = f"{place.target} {place.channel}".encode(errors="surrogatepass")
            stream = int.from_bytes(hashlib.shake_128(words).digest(8), "little")
            noise(voxels, deviation, self.kind == "rician", stream, self.key, threads, origin)


@dataclass(frozen=True)
class Blur(IntensityOperation):
    """Take the Gaussian mean, of so many voxels along each axis; 0 leaves an axis as it is."""

    sigma: Three | tuple[Three, ...]
    truncate: float = 4.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", settled("sigma", self.sigma, _widths, depth=1))
        object.__setattr__(self, "truncate", as_number("truncate", self.truncate, 1.0, 10.0))

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        blur(voxels, of_channel(self.sigma, place), self.truncate, threads)


@dataclass(frozen=True)
class LowResolution(IntensityOperation):
    """Keep this share of the voxels along each axis, and interpolate the others."""

    scale: Three | tuple[Three, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", settled("scale", self.scale, _shares, depth=1))

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        scale = of_channel(self.scale, place)
        pairs = zip(voxels.shape, scale, strict=True)
        a, b, c = (max(1, round(length * share)) for length, share in pairs)
        lower_resolution(voxels, (a, b, c), threads)


@dataclass(frozen=True, eq=False)
class BiasField(IntensityOperation):
    """Multiply by the exponential of a cubic B-spline, as an uneven receive coil does.

    Parameters
    ----------
    control_points : (k0, k1, k2) array, or (C, k0, k1, k2) for each of C channels
        Or the latter by the names of images. Of the natural logarithm of the field; 4 or more
        along each axis, as those of an elastic deformation lie over the image.
    """

    control_points: Any = field(repr=False)

    def __post_init__(self) -> None:
        given = self.control_points
        if isinstance(given, Mapping) and given:
            points: Any = {name: _field_points(value, (4,)) for name, value in given.items()}
        else:
            points = _field_points(given, (3, 4))
        object.__setattr__(self, "control_points", points)

    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        multiply_field(voxels, of_channel(self.control_points, place) / math.log(2.0), threads)


def _field_points(value: Any, axes: tuple[int, ...]) -> Any:
    """Control points (k0, k1, k2), or `Apart` of some for each channel."""
    wanted = "coefficients (k0, k1, k2), or (C, k0, k1, k2), at least 4 on each axis"
    points = checks.as_floats("control_points", value, wanted)
    if points.ndim not in axes or min(points.shape[-3:]) < 4 or not len(points):
        raise ValueError(f"control_points must be {wanted}, got shape {points.shape}")
    most = float(np.abs(points).max())
    if most > STRONGEST:
        raise ValueError(f"control_points must be at most {STRONGEST:g}, got {most:g}")
    points.flags.writeable = False
    return points if points.ndim == 3 else Apart(points)


def _widths(name: str, value: Any) -> Three:
    return as_triple(name, value, 0.0, WIDEST)


def _shares(name: str, value: Any) -> Three:
    return as_triple(name, value, COARSEST, 1.0)
