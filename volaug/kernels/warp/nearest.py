"""The nearest voxel, half a voxel rounding up: bits are copied, of any type."""

from numba import int64

from ..jit import dtypes as elements
from ..jit.options import device, kernel
from .borders import OUTSIDE
from .cells import end_of_run, state_of
from .row_runs import fill_ends


@device
def copy_voxels(dtype, source, nearest, target, first, stop):
    for i in range(first, stop):
        at = source[2] + elements.voxel(int64, nearest, i)
        elements.check(at, source[1])
        voxel = elements.voxel(dtype, source[0], at)
        elements.set_voxel(dtype, target[0], target[2] + i, voxel)


@kernel
def nearest_row(dtype, _, fraction, source, around, cells, run, fill, target):
    """Sample one row of one channel; for the arguments see calls.py and cells.py."""
    fill_ends(dtype, run, fill, target)
    first, stop, plain, _, _ = run
    while first < stop:
        end = stop if plain else end_of_run(cells, first, stop)
        if not plain and state_of(cells, first) == OUTSIDE:  # an outside span has no indices
            elements.fill(dtype, fill, target, first, end)
        else:
            copy_voxels(dtype, source, cells[3], target, first, end)
        first = end
