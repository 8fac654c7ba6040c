"""The volumes that are warped together, in a table of integers."""

from typing import NamedTuple

from ..jit import dtypes as elements
from ..jit.dtypes import copy_bytes, integers
from ..jit.options import device


class Volume(NamedTuple):
    """What is sampled, and into what: a row of `volumes`. Counts and strides are in elements."""

    sampler: int  # its address, and so for the others without an ending
    source: int
    source_extent: int
    source_first: int
    source_channel: int  # the stride of channels
    channels: int
    target: int
    target_extent: int
    target_first: int
    target_channel: int
    target_plane: int
    target_row: int
    target_step: int  # the stride of axis 2
    fills: int
    fill_step: int  # bytes from one channel's fill to the next


COLUMNS = len(Volume._fields)


@device
def copy_from_plane_before(volumes, count, z, y_first, y_stop, width):
    """Make rows y_first..y_stop of plane `z` of all targets those of the plane before.

    `volumes` is the address of the table, and `count` how many there are. A row's voxels lie side
    by side.
    """
    for v in range(count):
        volume = integers(volumes, v * COLUMNS, Volume)
        itemsize = volume.fill_step
        rows, stride = y_stop - y_first, volume.target_row
        # rows that follow each other at once are copied as one
        many = rows if stride == width else 1
        for channel in range(volume.channels):
            first = volume.target_first + channel * volume.target_channel
            first += z * volume.target_plane + y_first * stride
            for row in range(0, rows, many):
                at = first + row * stride
                elements.check(at - volume.target_plane, volume.target_extent)
                elements.check(at + many * width - 1, volume.target_extent)
                target = volume.target + at * itemsize
                source = target - volume.target_plane * itemsize
                copy_bytes(source, target, many * width * itemsize)
