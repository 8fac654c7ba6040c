"""Gaussian blur of a channel, in place and in threads."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..kernels.jit.dtypes import as_type
from ..kernels.values.gaussian import blur_columns, blur_planes
from ..kernels.warp.samplers import arithmetic_dtype
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.copies import border_index
from ..warping.engine.in_place import in_memory_order, slowest_first

Channel = npt.NDArray[Any]

# Columns of all planes that are filtered together along axis 0: in the L2 cache.
COLUMNS = 512

# A Gaussian ends where it is this share of the rounding of its greatest value. What is beyond
# changes nothing, and could become denormal. That is after 6.1 sigma in float32, and after
# 8.8 in float64.
NEGLIGIBLE = 1 / 8


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
        centre of the last voxel (c b | a b c).
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
