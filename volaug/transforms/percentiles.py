"""Exact percentiles of a channel: a sample says about where they are, and few voxels are sorted."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..kernels.jit.dtypes import as_type
from ..kernels.values.order_statistics import COUNTED, bracket_voxels
from ..kernels.warp.samplers import arithmetic_dtype
from .channels import BLOCK, Channel, Mask, Memory, Statistics, run_blocks

# Voxels of a sample: the rank of its percentiles is wrong by 1 % of all voxels at most.
SAMPLE = 2**15

# Standard deviations of a rank in the sample: if a percentile lies beyond, all voxels are sorted.
CERTAINTY = 4.0


class _Bracket(NamedTuple):
    """Two values, and the voxels between them, among all that are counted."""

    low: float
    high: float
    below: int  # how many are below the lower value
    to_low: int  # and how many below it or equal
    to_high: int  # and how many up to the upper value
    between: npt.NDArray[Any]

    def value_of_rank(self, rank: int) -> float | None:
        """Return the voxel of a rank, from 0 on; None if it is not in the bracket."""
        if not self.below <= rank < self.to_high:
            return None
        if rank < self.to_low:
            return self.low
        rank -= self.to_low
        if rank < self.between.size:
            return float(np.partition(self.between, rank)[rank])
        return self.high


def percentiles(
    channel: Channel, percents: Sequence[float], found: Statistics, threads: int, mask: Mask = None
) -> list[float]:
    """Return percentiles of the finite voxels of a channel, or of those in a mask.

    Parameters
    ----------
    channel : (n0, n1, n2) array
        Of any dtype and strides; with `found.finite` voxels that are finite, one at least.
    percents : sequence of float
        From 0 to 100.
    found : Statistics
        Of the channel, in the mask.
    threads : int
        Maximum number of threads.
    mask : (n0, n1, n2) array of bool, optional
        Default: all voxels.

    Returns
    -------
    list of float
        As `numpy.percentile` has them: where one lies between two voxels, interpolated.

    Notes
    -----
    R. Floyd and R. Rivest, "Expected time bounds for selection", Communications of the ACM 18,
    1975: a sample brackets the percentile, all voxels are counted, and those in the bracket sorted.
    """
    step = max(1, round((channel.size / SAMPLE) ** (1 / 3)))
    some = (slice(None, None, step),) * 3
    sample = channel[some] if mask is None else channel[some][mask[some]]
    sample = sample.astype(arithmetic_dtype(channel.dtype)).ravel()
    sample = np.sort(sample[np.isfinite(sample)])
    limits = [_limits(sample, percent / 100.0, found) for percent in percents]
    brackets = _brackets(channel, found.min, limits, threads, mask)
    results = []
    for percent, bracket in zip(percents, brackets, strict=True):
        value = _percentile(bracket, percent, found.finite)
        if value is None:  # the sample was not like the channel
            (bracket,) = _brackets(channel, found.min, [(found.min, found.max)], threads, mask)
            value = _percentile(bracket, percent, found.finite)
            assert value is not None
        results.append(value)
    return results


def _limits(sample: npt.NDArray[Any], part: float, found: Statistics) -> tuple[float, float]:
    """Return values of a sorted sample that a percentile of all lies between, nearly always."""
    rank = part * sample.size
    margin = CERTAINTY * math.sqrt(rank * (1.0 - part)) + 2.0
    first, last = math.floor(rank - margin), math.ceil(rank + margin)
    low = float(sample[first]) if first >= 0 else found.min
    return low, float(sample[last]) if last < sample.size else found.max


def _percentile(bracket: _Bracket, percent: float, count: int) -> float | None:
    """Return the percentile of so many voxels; None if it is not in the bracket."""
    place = percent / 100.0 * (count - 1)
    rank = math.floor(place)
    low, high = (bracket.value_of_rank(r) for r in (rank, min(rank + 1, count - 1)))
    if low is None or high is None:
        return None
    return float(np.interp(place - rank, (0.0, 1.0), (low, high)))


def _brackets(
    channel: Channel,
    minimum: float,
    limits: Sequence[tuple[float, float]],
    threads: int,
    mask: Mask,
) -> list[_Bracket]:
    """Return a bracket for each pair of limits, of the voxels from the minimum on."""
    real = arithmetic_dtype(channel.dtype)
    kind, least, ends = as_type(channel.dtype), real.type(minimum), np.array(limits, real)
    lows, highs = np.ascontiguousarray(ends.T)
    counts = np.zeros((len(limits), -(-channel.size // BLOCK), COUNTED), np.int64)
    values = np.empty((len(limits), channel.size), real)  # of which few pages are ever touched

    def work(memory: Memory, first: int, stop: int) -> None:
        bracket_voxels(kind, memory, least, lows, highs, BLOCK, counts, values, first, stop)

    run_blocks(channel, work, BLOCK, threads, mask, read_only=True)
    found = []
    for (low, high), of_blocks, kept in zip(ends.tolist(), counts, values, strict=True):
        below, to_low, _, to_high = of_blocks.sum(axis=0).tolist()
        # none, where the two values are one
        between = np.maximum(of_blocks[:, 2] - of_blocks[:, 1], 0).tolist()
        parts = [kept[k * BLOCK : k * BLOCK + count] for k, count in enumerate(between)]
        found.append(_Bracket(low, high, below, to_low, to_high, np.concatenate(parts)))
    return found
