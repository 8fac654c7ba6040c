"""Changes of an image's values, in place and in threads: a channel handed to the kernels.

A channel is any array (n0, n1, n2) that can be written to. Each change is of its memory, whatever
the order of its axes, but for noise, which belongs to a voxel's place in C order.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..kernels.jit.dtypes import as_type
from ..kernels.values.normal_noise import BLOCK as NOISE_BLOCK
from ..kernels.values.normal_noise import add_noise, add_rician_noise
from ..kernels.values.pointwise import curved, remapped, straight
from ..kernels.values.statistics import FOUND, block_statistics
from ..kernels.values.vector_math import power_constants
from ..kernels.warp.samplers import arithmetic_dtype
from ..threads.parts import run_parts, threads_worth

Channel = npt.NDArray[Any]
Memory = tuple[int, int]  # address and extent
Change = Callable[[Memory, int, int], None]  # of elements, or of blocks, from the first to the stop

# Voxels of a block: sums are of blocks, in their order, whatever the number of threads.
BLOCK = 2**15


class Statistics(NamedTuple):
    """Of the finite voxels of a channel; NaN if there are none."""

    finite: int  # how many
    mean: float
    deviation: float
    least: float
    greatest: float


def statistics(channel: Channel, threads: int) -> Statistics:
    """Mean, standard deviation and range of what is finite."""
    blocks = -(-channel.size // BLOCK)
    found = np.empty((blocks, FOUND))
    kind = as_type(channel.dtype)
    first = float(channel[0, 0, 0])
    shift = first if math.isfinite(first) else 0.0  # near the mean, so that squares stay small

    def work(memory: Memory, begin: int, stop: int) -> None:
        target = found.__array_interface__["data"][0]
        block_statistics(kind, memory, shift, BLOCK, target, begin, stop)

    _run(channel, work, BLOCK, threads, read_only=True)
    count, total, squares = found[:, :3].sum(axis=0).tolist()
    if count == 0.0:
        return Statistics(0, math.nan, math.nan, math.nan, math.nan)
    beyond, deviation = _mean_and_deviation(count, total, squares)
    least, greatest = float(found[:, 3].min()), float(found[:, 4].max())
    mean = min(max(shift + beyond, least), greatest)
    return Statistics(int(count), mean, deviation, least, greatest)


def line(
    channel: Channel,
    origin: float,
    slope: float,
    base: float,
    limits: tuple[float, float],
    threads: int,
) -> None:
    """``slope * (x - origin) + base``, cut to limits, which may be infinite."""
    kind, (begin, steep, end, low, high) = _kinds(channel, origin, slope, base, *limits)

    def work(memory: Memory, first: int, stop: int) -> None:
        last = min(stop * BLOCK, memory[1])
        straight(kind, memory, begin, steep, end, low, high, first * BLOCK, last)

    _run(channel, work, BLOCK, threads)


def curve(
    channel: Channel,
    origin: float,
    slope: float,
    exponent: float,
    scale: float,
    base: float,
    count: int,
    threads: int,
) -> tuple[float, float]:
    """``scale * y + base``, where ``y = (slope * (x - origin)) ** exponent``.

    What is raised is from 0 to 1. Mean and standard deviation of the finite `y`, of which there
    are `count`.
    """
    kind, (begin, steep, stretch, end) = _kinds(channel, origin, slope, scale, base)
    constants, squarings = power_constants(exponent)  # type: ignore[no-untyped-call]
    found = np.empty((-(-channel.size // BLOCK), 2))

    def work(memory: Memory, first: int, stop: int) -> None:
        power = constants, squarings
        curved(kind, memory, begin, steep, *power, stretch, end, BLOCK, found, first, stop)

    _run(channel, work, BLOCK, threads)
    return _mean_and_deviation(count, *found.sum(axis=0).tolist())


def _mean_and_deviation(count: float, total: float, squares: float) -> tuple[float, float]:
    mean = total / count
    return mean, math.sqrt(max(squares / count - mean * mean, 0.0))


def remap(
    channel: Channel, least: float, greatest: float, cubics: npt.NDArray[np.float64], threads: int
) -> None:
    """Cubic polynomials of the values from `least` to `greatest`, which are all that are finite.

    Parameters
    ----------
    cubics : (units, 4) array
        The range is cut into so many units of one length, each of which has its own, of the place
        in it, 0 to 1; the lowest power first.
    """
    kind, (origin, slope) = _kinds(channel, least, len(cubics) / (greatest - least))
    table = cubics.astype(type(origin))

    def work(memory: Memory, first: int, stop: int) -> None:
        last = min(stop * BLOCK, memory[1])
        remapped(kind, memory, origin, slope, table, first * BLOCK, last)

    _run(channel, work, BLOCK, threads)


def noise(
    channel: Channel,
    deviation: float,
    rician: bool,
    stream: int,
    key: int,
    threads: int,
    origin: float = 0.0,
) -> None:
    """Add normal noise, or that of a magnitude: a function of place, `stream` and `key`.

    A magnitude is counted from `origin`, which stands for no signal.
    """
    kind, (scale, zero) = _kinds(channel, deviation, origin)
    words = np.uint64(stream), np.uint64(key)

    def work(memory: Memory, first: int, stop: int) -> None:
        if rician:
            add_rician_noise(kind, memory, scale, zero, *words, first, stop)
        else:
            add_noise(kind, memory, scale, *words, first, stop)

    _run(channel, work, NOISE_BLOCK, threads, in_c_order=True)


def _kinds(channel: Channel, *numbers: float) -> tuple[Any, tuple[Any, ...]]:
    """What a kernel takes for a dtype: its type, and numbers as it calculates with."""
    real = arithmetic_dtype(channel.dtype).type
    return as_type(channel.dtype), tuple(real(number) for number in numbers)


def _run(
    channel: Channel,
    work: Change,
    block: int,
    threads: int,
    read_only: bool = False,
    in_c_order: bool = False,
) -> None:
    """Let threads work on blocks of the channel's memory, or of a copy if it has gaps."""
    flags = channel.flags
    whole = flags.c_contiguous or (flags.f_contiguous and not in_c_order)
    voxels = channel if whole and flags.aligned else channel.copy(order="C")
    memory = voxels.__array_interface__["data"][0], voxels.size
    blocks = -(-voxels.size // block)
    threads = threads_worth(voxels.size, threads)
    run_parts(lambda first, stop: work(memory, first, stop), blocks, threads, [voxels])
    if voxels is not channel and not read_only:
        channel[...] = voxels
