"""Channels of zeros and ones as one label map, so that they are voted for together."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ...threads.parts import run_parts, threads_worth
from .allocation import empty
from .in_place import slowest_first

Labels = npt.NDArray[Any]

# What channels are packed into, and how many of them by a bit each; one more is for outside.
PACKED = tuple(map(np.dtype, ("uint8", "int16", "int32", "int64")))


MAX_BITS = 62


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
    packed = empty(ordered.shape[1:], dtype)
    packed[...] = 0
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
