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
        at = source.first + elements.voxel(int64, nearest, i)
        elements.check(at, source.extent)
        voxel = elements.voxel(dtype, source.address, at)
        elements.set_voxel(dtype, target.address, target.first + i, voxel)


@kernel
def nearest_row(dtype, _, fraction, source, wrap_step, cells, run, fill, target):
    """Sample one row of one channel; for the arguments see row_arguments.py."""
    fill_ends(dtype, run, fill, target)
    first, stop = run.first, run.stop
    while first < stop:
        end = stop if run.plain else end_of_run(cells, first, stop)
        if not run.plain and state_of(cells, first) == OUTSIDE:  # an outside span has no indices
            elements.fill(dtype, fill, target, first, end)
        else:
            copy_voxels(dtype, source, cells.nearest, target, first, end)
        first = end
