"""A volume convolved with a Gaussian."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...kernels.jit.dtypes import as_type
from ...kernels.values.gaussian import blur_columns, blur_planes
from ...kernels.warp.samplers import arithmetic_dtype
from ...threads.parts import run_parts, threads_worth
from .allocation import empty
from .borders import border_index
from .in_place import in_memory_order, slowest_first

# Columns of all planes that are filtered together along axis 0: in the L2 cache.
COLUMNS = 512

# A Gaussian ends where it is this share of the rounding error of its maximum. The rest changes
# nothing, and could be denormal. That is at 6.1 sigma in float32, and at 8.8 in float64.
NEGLIGIBLE = 1 / 8


class Filter(NamedTuple):
    """The filter of one axis, see kernels/values/gaussian.py."""

    weights: npt.NDArray[Any]
    places: npt.NDArray[np.int64]


def blur(
    channel: npt.NDArray[Any],
    sigma: tuple[float, float, float],
    reach: tuple[int, int, int],
    threads: int,
    mode: str = "mirror",
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
    reach : (3,) ints
        How many voxels to either side the Gaussian ends; or before, where it is far below the
        rounding.
    threads : int
        At most this many threads.
    """
    real = arithmetic_dtype(channel.dtype)
    axes = [
        _filter(sigma[axis], reach[axis], channel.shape[axis], real, mode)
        for axis in slowest_first(channel)
    ]
    if not any(len(axis.weights) for axis in axes):
        return
    with in_memory_order(channel) as voxels:
        depth, height, width = voxels.shape
        kind, memory = as_type(voxels.dtype), (voxels.__array_interface__["data"][0], voxels.size)
        floats = (voxels if voxels.dtype == real else empty(voxels.shape, real)).reshape(-1)
        threads = threads_worth(voxels.size, threads)

        def planes(first: int, stop: int) -> None:
            shape = height, width
            blur_planes(kind, memory, floats, shape, *axes[1], *axes[2], first, stop)

        def columns(first: int, stop: int) -> None:
            shape = depth, height * width
            blur_columns(kind, memory, floats, shape, *axes[0], COLUMNS, first, stop)

        run_parts(planes, depth, threads, [voxels])
        run_parts(columns, -(-height * width // COLUMNS), threads, [voxels])


def _filter(sigma: float, reach: int, length: int, real: np.dtype[Any], mode: str) -> Filter:
    farthest = math.sqrt(-2.0 * math.log(NEGLIGIBLE * np.finfo(real).epsneg))
    reach = min(reach, math.floor(farthest * sigma + 0.25))
    distances = np.arange(1, reach + 1)
    heights = np.exp(-0.5 * (distances / sigma) ** 2) if reach else distances
    weights = (heights / (1.0 + 2.0 * heights.sum())).astype(real)
    return Filter(weights, border_index(np.arange(-reach, length + reach), length, mode))
