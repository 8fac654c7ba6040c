"""A channel as if it had been scanned with fewer voxels, in place and in threads."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..kernels.elements import as_type
from ..kernels.low_resolution import coarse_planes, fine_planes
from ..kernels.samplers import arithmetic_dtype
from ..threads import run_parts, threads_worth
from .in_place import in_memory_order, slowest_first

Channel = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]


class Line(NamedTuple):
    """An axis: which of its voxels are kept, and what each is made of, of those; and how."""

    kept: Indices
    below: Indices
    above: Indices
    weights: npt.NDArray[Any]


def lower_resolution(channel: Channel, lengths: tuple[int, int, int], threads: int) -> None:
    """Keep so many voxels along each axis, the nearest ones, and mix them linearly to all again.

    Both by the centres of the voxels: of `m` voxels that share the extent of `n`, the centre of
    the i-th lies at ``(i + 1/2) n / m - 1/2`` of them. Nothing is shifted, but where that is the
    middle between two: the one behind is kept.

    Parameters
    ----------
    channel : (n0, n1, n2) array
        Of any dtype and strides.
    lengths : (3,) ints
        From 1 to the channel's own. It takes memory for the planes kept along the axis that
        varies the slowest, in the floats that are calculated with.
    threads : int
        At most this many threads.
    """
    if tuple(lengths) == channel.shape:
        return
    real = arithmetic_dtype(channel.dtype)
    axis0, axis1, axis2 = (
        _line(channel.shape[axis], lengths[axis], real) for axis in slowest_first(channel)
    )
    along2 = axis2.kept[axis2.below], axis2.kept[axis2.above], axis2.weights
    with in_memory_order(channel) as voxels:
        shape = voxels.shape
        kind, memory = as_type(voxels.dtype), (voxels.__array_interface__["data"][0], voxels.size)
        coarse = np.empty((len(axis0.kept), *shape[1:]), real)

        def down(first: int, stop: int) -> None:
            kept = axis0.kept, axis1.kept
            coarse_planes(kind, memory, coarse, shape, *kept, axis1[1:], along2, first, stop)

        def up(first: int, stop: int) -> None:
            fine_planes(kind, memory, coarse, axis0[1:], first, stop)

        threads = threads_worth(voxels.size, threads)
        run_parts(down, len(coarse), threads)
        run_parts(up, len(voxels), threads)


def kept_voxels(length: int, count: int) -> Indices:
    """Which of so many voxels lie the nearest to the centres of fewer; of two, the one behind."""
    return (2 * np.arange(count) + 1) * length // (2 * count)


def _line(length: int, count: int, real: np.dtype[Any]) -> Line:
    # in units of 1 / (2 length), so that a weight of 0 is exactly that
    places = np.clip((2 * np.arange(length) + 1) * count - length, 0, 2 * length * (count - 1))
    below, rest = np.divmod(places, 2 * length)
    weights = (rest / (2 * length)).astype(real)
    return Line(kept_voxels(length, count), below, below + (weights > 0.0), weights)
