"""Blur: a Gaussian mean."""

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..kernels.jit.dtypes import as_type
from ..kernels.values.gaussian import blur_columns, blur_planes
from ..kernels.warp.samplers import arithmetic_dtype
from ..keys import RandomStream
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.borders import border_index
from ..warping.engine.in_place import in_memory_order, slowest_first
from ..warping.fusion import Grid
from .base import ValueStep, Voxels
from .channels import Channel
from .per_channel import ChannelId, IntensityOperation, of_channel, of_channels, settled
from .ranges import (
    Pairs,
    RangePerAxis,
    Three,
    as_flag,
    as_number,
    as_triple,
    drawn_for_axes,
    widths,
)

MAX_SIGMA = 100.0  # voxels of a blur's standard deviation


# Columns of all planes that are filtered together along axis 0: in the L2 cache.
COLUMNS = 512


# A Gaussian ends where it is this share of the rounding of its greatest value. What is beyond
# changes nothing, and could become denormal. That is after 6.1 sigma in float32, and after
# 8.8 in float64.
NEGLIGIBLE = 1 / 8


@dataclass(frozen=True, repr=False)
class RandomBlur(ValueStep):
    """Take the mean of each voxel and its neighbors, weighted by a Gaussian.

    Parameters
    ----------
    sigma : range
        Its standard deviation, drawn evenly for each axis, in mm (or voxels); a number `a`
        means 0 to a. 0.5 to 1 by default, as in nnU-Net.
    isotropic : bool
        One draw for all axes, each within its own range.
    per_channel : bool
        Draw for each channel of each image.
    p_channel : float
        With `per_channel`, how likely each channel is blurred; 0.5 in nnU-Net.
    truncate : float
        The Gaussian ends at this many `sigma`: 4 as in scipy; 3 in batchgeneratorsv2.
    p : float
        How likely it happens; 0.2 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    It reaches ``floor(truncate * sigma + 1/4)`` voxels to each side. Beyond the border the image
    goes on as in a mirror at the last voxel's center, as in batchgeneratorsv2. A voxel that is not
    finite spoils those that it reaches.
    """

    sigma: RangePerAxis = (0.5, 1.0)
    _: KW_ONLY
    isotropic: bool = False
    per_channel: bool = False
    p_channel: float = 1.0
    truncate: float = 4.0
    p: float = field(default=0.2, kw_only=True)
    _widths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        as_flag("per_channel", self.per_channel)
        as_number("p_channel", self.p_channel, 0.0, 1.0)
        as_number("truncate", self.truncate, 1.0, 10.0)
        self._derive(_widths=widths(self.sigma))

    def draw(self, grid: Grid, stream: RandomStream) -> "Blur":
        sizes = grid.to_mm.diagonal().tolist()

        def one(stream: RandomStream) -> Three:
            blurred = stream.chance(self.p_channel) or not self.per_channel
            drawn = zip(drawn_for_axes(self._widths, self.isotropic, stream), sizes, strict=True)
            a, b, c = (min(width / size, MAX_SIGMA) if blurred else 0.0 for width, size in drawn)
            return a, b, c

        return Blur(of_channels(self.per_channel, grid, stream, one), self.truncate)


@dataclass(frozen=True)
class Blur(IntensityOperation):
    """Take the Gaussian mean, of so many voxels along each axis; 0 leaves an axis as it is."""

    sigma: Three | tuple[Three, ...]
    truncate: float = 4.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", settled("sigma", self.sigma, _widths, depth=1))
        object.__setattr__(self, "truncate", as_number("truncate", self.truncate, 1.0, 10.0))

    @classmethod
    def examples(cls) -> tuple["Blur", ...]:
        return (cls((1.0, 1.0, 1.0)),)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        blur(voxels, of_channel(self.sigma, channel), self.truncate, threads)


def _widths(name: str, value: Any) -> Three:
    return as_triple(name, value, 0.0, MAX_SIGMA)


class Filter(NamedTuple):
    """The filter of one axis, see kernels/values/gaussian.py."""

    weights: npt.NDArray[Any]
    places: npt.NDArray[np.int64]


def blur(
    channel: Channel, sigma: tuple[float, float, float], truncate: float, threads: int
) -> None:
    """Make a channel (n0, n1, n2) its Gaussian mean.

    Floats of 32 and 64 bits without gaps need no memory but a plane and a block of columns for
    each thread; others, a copy in the floats they are calculated in, which stays unrounded
    from one axis to the next.

    Parameters
    ----------
    channel : (n0, n1, n2) array
        Of any dtype and strides.
    sigma : (3,) floats
        In voxels; 0 leaves an axis as it is.
    truncate : float
        The Gaussian ends at this many `sigma`: ``floor(truncate * sigma + 1/4)`` voxels to either
        side; or before, where it is far below the rounding. The border is mirrored about the
        center of the last voxel (c b | a b c).
    threads : int
        At most this many threads.
    """
    real = arithmetic_dtype(channel.dtype)
    axes = [
        _filter(sigma[axis], truncate, channel.shape[axis], real) for axis in slowest_first(channel)
    ]
    if not any(len(axis.weights) for axis in axes):
        return
    with in_memory_order(channel) as voxels:
        depth, height, width = voxels.shape
        kind, memory = as_type(voxels.dtype), (voxels.__array_interface__["data"][0], voxels.size)
        floats = (voxels if voxels.dtype == real else np.empty(voxels.shape, real)).reshape(-1)
        threads = threads_worth(voxels.size, threads)

        def planes(first: int, stop: int) -> None:
            shape = height, width
            blur_planes(kind, memory, floats, shape, *axes[1], *axes[2], first, stop)

        def columns(first: int, stop: int) -> None:
            shape = depth, height * width
            blur_columns(kind, memory, floats, shape, *axes[0], COLUMNS, first, stop)

        run_parts(planes, depth, threads, [voxels])
        run_parts(columns, -(-height * width // COLUMNS), threads, [voxels])


def _filter(sigma: float, truncate: float, length: int, real: np.dtype[Any]) -> Filter:
    farthest = math.sqrt(-2.0 * math.log(NEGLIGIBLE * np.finfo(real).epsneg))
    reach = math.floor(min(truncate, farthest) * sigma + 0.25)
    distances = np.arange(1, reach + 1)
    heights = np.exp(-0.5 * (distances / sigma) ** 2) if reach else distances
    weights = (heights / (1.0 + 2.0 * heights.sum())).astype(real)
    return Filter(weights, border_index(np.arange(-reach, length + reach), length, "mirror"))
