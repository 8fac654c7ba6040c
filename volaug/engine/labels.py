"""Labels with others in place of some, and in fewer voxels."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.jit.dtypes import as_type
from ..kernels.values.relabel import replace_bits
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.in_place import in_memory_order, slowest_first
from .low_resolution import kept_voxels

Labels = npt.NDArray[Any]

BLOCK = 2**15  # voxels

# What channels are packed into, and how many of them by a bit each; one more is for outside.
PACKED = tuple(map(np.dtype, ("uint8", "int16", "int32", "int64")))
MAX_BITS = 62


def label_bits(label: int, dtype: np.dtype[Any]) -> int | None:
    """The bits of a label in a dtype; None if it cannot hold it."""
    if dtype.kind in "biu":
        limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not limits[0] <= label <= limits[1]:
            return None
    with np.errstate(over="ignore"):
        value = np.array(label).astype(dtype)
    return int(value.view(f"u{dtype.itemsize}")) if value.item() == label else None


def replace(labels: Labels, old: int, new: int, threads: int) -> None:
    """Give voxels of the label `old` the label `new`, which must fit into the dtype.

    Parameters
    ----------
    labels : (n0, n1, n2) array
        Of any dtype and strides. If its dtype cannot hold `old`, nothing is.
    old, new : int
    threads : int
        At most this many threads.
    """
    bits = label_bits(old, labels.dtype), label_bits(new, labels.dtype)
    if bits[0] is None:
        return
    if old == 0 and labels.dtype.kind == "f":  # which has two zeros
        np.copyto(labels, new, where=labels == 0)
        return
    with in_memory_order(labels) as voxels:
        unsigned = np.dtype(f"u{voxels.itemsize}")
        kind, (before, after) = as_type(unsigned), map(unsigned.type, bits)
        memory = voxels.__array_interface__["data"][0], voxels.size

        def work(first: int, stop: int) -> None:
            last = min(stop * BLOCK, memory[1])
            replace_bits(kind, memory, before, after, first * BLOCK, last)

        blocks = -(-voxels.size // BLOCK)
        run_parts(work, blocks, threads_worth(voxels.size, threads), [voxels])


def at_scale(labels: Labels, scale: tuple[float, float, float]) -> Labels:
    """The nearest labels in this share of the voxels, by their centres; a new array, or the same.

    Parameters
    ----------
    labels : (..., n0, n1, n2) array
    scale : (3,) floats
        0 to 1. There are ``round(n * scale)`` voxels, at least one; as many as there were are
        the array itself.
    """
    before = labels.shape[-3:]
    after = tuple(max(1, round(n * s)) for n, s in zip(before, scale, strict=True))
    if after == before:
        return labels
    order = slowest_first(labels)
    kept: Labels = labels.transpose(order)
    for axis, number in enumerate(order):
        spatial = number - (labels.ndim - 3)
        if spatial >= 0:
            kept = _kept(kept, axis, kept_voxels(before[spatial], after[spatial]))
    return kept.copy(order="C").transpose(np.argsort(order))


def _kept(labels: Labels, axis: int, index: npt.NDArray[np.int64]) -> Labels:
    """Some voxels along an axis: seen, and not copied, where they are evenly spaced."""
    first, step = int(index[0]), int(index[1] - index[0]) if len(index) > 1 else 1
    if (np.diff(index) == step).all():
        stop = first + step * len(index)
        return labels[(slice(None),) * axis + (slice(first, stop, step),)]
    return labels.take(index, axis)


def packed_channels(channels: Labels) -> Labels | None:
    """Channels of zeros and ones as one label map; None if they are not such.

    A label is a combination of channels: bit c says whether channel c is one. A vote on it looks
    at no other voxels than a vote on each channel, and so a one-hot label stays one-hot, whatever
    else lies in the volume. More channels than there are bits must not overlap: then a label is
    the number of its channel, counted from 1, or 0.

    Parameters
    ----------
    channels : (C, n0, n1, n2) array
        Two or more channels.

    Returns
    -------
    (1, n0, n1, n2) array or None
        In the memory order of the channels.
    """
    count = len(channels)
    some = channels[(slice(None), *(slice(None, None, -(-n // 8)) for n in channels.shape[1:]))]
    if count < 2 or not ((some == 0) | (some == 1)).all():  # most others show by a few voxels
        return None
    order = slowest_first(channels[0])
    ordered = channels.transpose(0, *(1 + axis for axis in order))
    # no dtype but these, so that few kernels are compiled
    dtype = next(dtype for dtype in PACKED if packed_outside(count) <= np.iinfo(dtype).max)
    packed = np.zeros(ordered.shape[1:], dtype)
    for number, channel in enumerate(ordered):
        is_one = channel == 1
        if np.count_nonzero(is_one) != np.count_nonzero(channel):
            return None
        if count > MAX_BITS and packed[is_one].any():
            return None
        packed |= np.where(is_one, dtype.type(packed_label(number, count)), dtype.type(0))
    return packed.transpose(np.argsort(order))[np.newaxis]


def packed_label(channel: int, count: int) -> int:
    """The label of what belongs to one of so many channels alone."""
    return 1 << channel if count <= MAX_BITS else channel + 1


def packed_outside(count: int) -> int:
    """A label that no combination of so many channels has."""
    return packed_label(count, count)


def packed_fills(fills: Labels) -> int:
    """The label of what lies outside, where the channels (C,) have some fills."""
    ones = np.flatnonzero(fills == 1).tolist()
    if np.count_nonzero(fills) == len(ones) and (len(fills) <= MAX_BITS or len(ones) < 2):
        return sum(packed_label(channel, len(fills)) for channel in ones)
    return packed_outside(len(fills))


def unpack_channels(packed: Labels, fills: Labels, target: Labels, threads: int) -> None:
    """Write the channels (C, n0, n1, n2) of a packed label map (n0, n1, n2)."""
    count = len(fills)

    def work(first: int, stop: int) -> None:
        for plane in range(first, stop):
            labels = packed[plane]
            outside = labels == packed_outside(count)
            for number, channel in enumerate(target):
                label = packed_label(number, count)
                is_one = (labels & label) != 0 if count <= MAX_BITS else labels == label
                np.copyto(channel[plane], is_one)
                np.copyto(channel[plane], fills[number], where=outside)

    run_parts(work, len(packed), threads_worth(target.size, threads))
