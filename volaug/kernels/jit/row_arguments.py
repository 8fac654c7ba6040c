"""What a sampler takes: one row of one channel, in named tuples of int64.

Tuples of integers, and no arrays: an array would be counted as a reference wherever it is
passed on, which takes 40 ns a row. A named tuple compiles to the same as a plain one.
"""

from typing import NamedTuple

from numba import types


class Source(NamedTuple):
    """The memory that is read; counts and strides are in elements."""

    address: int
    extent: int  # how many elements there are
    first: int  # the voxel whose linear index is 0
    plane: int  # strides of axes 0 and 1; that of axis 2 is 1
    row: int
    ahead: int  # how far on lies what is read soon, to be prefetched


class Cells(NamedTuple):
    """Addresses of the buffers of a row, and which of them are filled; see cells.py."""

    index: int
    fractions: int
    length: int
    nearest: int
    inside: int
    windows: int  # a table for `index` and then one for `nearest`, see windows.py
    blended: int
    wants_cells: int
    wants_nearest: int


class Run(NamedTuple):
    """The part of a row that reads, and what is known of it."""

    first: int
    stop: int
    parallel_first: int  # of it, what runs along a row of the source, all INSIDE or on a FACE
    parallel_stop: int
    inner_first: int  # of the part, what is known to be INSIDE, see borders.py
    inner_stop: int
    low: int  # the least and the greatest index of the parallel part
    high: int
    width: int  # of the whole row
    window: int  # size of the windows of the parallel part, 0 if it has none
    nearest_window: int
    shift: int  # from the voxels that the index of the cells leads to, to those that are read
    nearest_shift: int
    origin: int  # the voxel of the source at which the row begins that is located in the cells
    nearest_origin: int  # the same of the nearest voxels
    reusable: int  # whether another row can be read by the same cells, see separable.py
    repeats: int  # 1 or 2 if the target's row, or plane, before has the same nearest voxels


class Target(NamedTuple):
    """The memory that is written."""

    address: int
    extent: int
    first: int  # the first voxel of the row
    plane: int  # strides of axes 0 and 1
    row: int


def tuple_of(kind):
    """The Numba type of a named tuple of int64."""
    return types.NamedUniTuple(types.int64, len(kind._fields), kind)


# Along each axis, the step from the last voxel to the first where that follows it, and else 0.
WRAP_STEP = types.UniTuple(types.int64, 3)

# What every sampler takes after its dtypes; the number is the address of the fill.
ROW = (tuple_of(Source), WRAP_STEP, tuple_of(Cells), tuple_of(Run), types.int64, tuple_of(Target))
