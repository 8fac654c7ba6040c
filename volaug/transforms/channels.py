"""Changes of a channel in place and in threads, which several steps share.

A channel is any array (n0, n1, n2) that can be written to. Changes follow its memory, whatever
the order of its axes; except noise, which depends on a voxel's index in C order.

A mask is an array of bool of the channel's shape: statistics are of its voxels, and no other voxel
changes. Without a mask these are all voxels.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..kernels.jit.dtypes import as_type
from ..kernels.values.pointwise import scale_and_clip
from ..kernels.values.statistics import FOUND, block_statistics
from ..kernels.warp.samplers import arithmetic_dtype
from ..threads.parts import run_parts, threads_worth

Channel = npt.NDArray[Any]


Mask = npt.NDArray[np.bool] | None


Memory = tuple[int, int, int]  # address, extent, and address of the mask, or 0


Change = Callable[[Memory, int, int], None]  # of elements, or of blocks, from the first to the stop


# Voxels of a block: sums are of blocks, in their order, whatever the number of threads.
BLOCK = 2**15


UNLIMITED = (-math.inf, math.inf)


MIN_RANGE = 1e-35  # what is narrower has none: one over it is beyond float32


class Statistics(NamedTuple):
    """Statistics of the finite voxels of a channel, within a mask; NaN if there are none."""

    finite: int  # how many
    mean: float
    std: float
    min: float
    max: float


def statistics(channel: Channel, threads: int, mask: Mask = None) -> Statistics:
    """Return mean, standard deviation and range of the finite voxels."""
    blocks = -(-channel.size // BLOCK)
    found = np.empty((blocks, FOUND))
    kind = as_type(channel.dtype)
    shift = float(channel[0, 0, 0] if mask is None else channel[first_inside(mask)])
    if not math.isfinite(shift):
        finite = np.isfinite(channel) if mask is None else np.isfinite(channel) & mask
        shift = float(channel[first_inside(finite)])
    shift = shift if math.isfinite(shift) else 0.0

    def work(memory: Memory, begin: int, stop: int) -> None:
        target = found.__array_interface__["data"][0]
        block_statistics(kind, memory, shift, BLOCK, target, begin, stop)

    run_blocks(channel, work, BLOCK, threads, mask, read_only=True)
    count, total, squares = found[:, :3].sum(axis=0).tolist()
    if count == 0.0:
        return Statistics(0, math.nan, math.nan, math.nan, math.nan)
    beyond, std = mean_and_std(count, total, squares)
    minimum, maximum = float(found[:, 3].min()), float(found[:, 4].max())
    mean = min(max(shift + beyond, minimum), maximum)
    return Statistics(int(count), mean, std, minimum, maximum)


def apply_linear(
    channel: Channel,
    origin: float,
    slope: float,
    base: float,
    limits: tuple[float, float],
    threads: int,
    mask: Mask = None,
) -> None:
    """Apply ``slope * (x - origin) + base``, clipped to limits, which may be infinite."""
    kind, (begin, steep, end, low, high) = kernel_arguments(channel, origin, slope, base, *limits)

    def work(memory: Memory, first: int, stop: int) -> None:
        last = min(stop * BLOCK, memory[1])
        scale_and_clip(kind, memory, begin, steep, end, low, high, first * BLOCK, last)

    run_blocks(channel, work, BLOCK, threads, mask)


def first_inside(mask: npt.NDArray[np.bool]) -> tuple[int, ...]:
    """Return the index of the first voxel of a mask; of voxel 0 if it is empty."""
    return tuple(map(int, np.unravel_index(mask.argmax(), mask.shape)))


def mean_and_std(count: float, total: float, squares: float) -> tuple[float, float]:
    """Return mean and standard deviation, from a count, a sum and a sum of squares."""
    mean = total / count
    return mean, math.sqrt(max(squares / count - mean * mean, 0.0))


def kernel_arguments(channel: Channel, *numbers: float) -> tuple[Any, tuple[Any, ...]]:
    """Return a kernel's type for a dtype, and numbers in its arithmetic precision."""
    real = arithmetic_dtype(channel.dtype).type
    return as_type(channel.dtype), tuple(real(number) for number in numbers)


def run_blocks(
    channel: Channel,
    work: Change,
    block: int,
    threads: int,
    mask: Mask = None,
    read_only: bool = False,
    in_c_order: bool = False,
) -> None:
    """Run threads on blocks of the channel's memory, or of a copy if it has gaps."""
    flags = channel.flags
    whole = flags.c_contiguous or (flags.f_contiguous and not in_c_order)
    voxels = channel if whole and flags.aligned else channel.copy(order="C")
    arrays, inside = [voxels], 0
    if mask is not None:
        ordered = np.asarray(mask, order="C" if voxels.flags.c_contiguous else "F")
        arrays.append(ordered)
        inside = ordered.__array_interface__["data"][0]
    memory = voxels.__array_interface__["data"][0], voxels.size, inside
    blocks = -(-voxels.size // block)
    threads = threads_worth(voxels.size, threads)
    run_parts(lambda first, stop: work(memory, first, stop), blocks, threads, arrays)
    if voxels is not channel and not read_only:
        channel[...] = voxels
