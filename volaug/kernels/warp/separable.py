"""Rows of a separable map, one whose coordinates along axis 2 are the same in every row.

Scaling, resizing and flips are such, with crops and shifts by parts of a voxel. A row that is
within the source along axes 0 and 1 reads what another one has read, so many planes and rows on.
So it takes over the cells of that one, and needs only its own weights along axes 0 and 1. Locating
was a third of the time of a linear warp, and three fourths of a nearest one.
"""

import numpy as np

from ..jit import dtypes as elements
from ..jit.lanes import LANES
from ..jit.options import device
from ..jit.row_arguments import Run
from .borders import INNER, LAST_NEAREST
from .coordinates import SNAP
from .rows import is_between, locate_affine_row, number_of
from .windows import NONE, tabulate

ANYWHERE = (-(2**60), 2**60)


@device
def is_level(line, border, axis):
    """Whether a row needs no rule along an axis on which its coordinate is always the same."""
    inner = SNAP + number_of(border, axis, INNER)
    return is_between(0, line[2 * axis + 1], line[2 * axis], SNAP, inner)


@device
def set_weights(fraction, cells, run, weights):
    """Make the weights along axes 0 and 1 of a row's voxels, up to a whole block, the same."""
    stop = run.first + (run.stop - run.first + LANES - 1) // LANES * LANES
    for axis in range(2):
        for i in range(run.first, stop):
            elements.set_voxel(fraction, cells.fractions, axis * cells.length + i, weights[axis])


@device
def window_tables(cells, run, row_limits):
    """Fill the tables of a row's windows, for what is wanted of `cells`, and return their sizes."""
    size, nearest_size = NONE, NONE
    first, stop = run.parallel_first, run.parallel_stop
    if cells.wants_cells:
        size = tabulate(cells.index, first, stop, ANYWHERE, cells.windows, cells.length)
    if cells.wants_nearest:
        table = cells.windows + 2 * cells.length
        nearest_size = tabulate(cells.nearest, first, stop, row_limits, table, cells.length)
    return size, nearest_size


@device
def level_run(run, sizes, shifts, origins, reusable, repeats):
    """The run of a level row."""
    first, stop, along, until = run.first, run.stop, run.parallel_first, run.parallel_stop
    ends = first, stop, run.plain, along, until
    return Run(*ends, run.width, *sizes, *shifts, *origins, reusable, repeats)


@device
def origin_of(line, strides, rounding):
    """The voxel of the source at which a level row begins, rounded down or to the nearest."""
    z, y = np.floor(line[0] - SNAP + rounding), np.floor(line[2] - SNAP + rounding)
    return int(z) * int(strides[0]) + int(y) * int(strides[1])


@device
def repetition(origins, place, origin):
    """Whether a row reads what another row of its tile has read: 0, or `Run.repeats`."""
    before, above = place > 0 and origins[place - 1] == origin, origins[place] == origin
    origins[place] = origin
    return 1 if before else 2 if above else 0


@device
def locate_separable_row(fraction, cells, line, strides, border, width, known, origins, place):
    """As `locate_affine_row`, of the row at `place` in its tile along axis 1.

    `known` is the run of the row that is located in `cells`. `origins` are those of the nearest
    voxels of the last row at each place, or -1.
    """
    if not (is_level(line, border, 0) and is_level(line, border, 1)):
        origins[place] = -1
        return locate_affine_row(fraction, cells, line, strides, border, width, True)
    origin, nearest_origin = origin_of(line, strides, 0.0), origin_of(line, strides, 0.5)
    repeats = repetition(origins, place, nearest_origin)
    if known.reusable or (repeats and not cells.wants_cells):
        if cells.wants_cells:
            z, y = line[0] - SNAP, line[2] - SNAP
            set_weights(fraction, cells, known, (z - np.floor(z), y - np.floor(y)))
        sizes = known.window, known.nearest_window
        known_origins = known.origin, known.nearest_origin
        shifts = origin - known.origin, nearest_origin - known.nearest_origin
        return level_run(known, sizes, shifts, known_origins, known.reusable, repeats)
    run = locate_affine_row(fraction, cells, line, strides, border, width, True)
    row_end = nearest_origin + int(number_of(border, 2, LAST_NEAREST))
    sizes = window_tables(cells, run, (nearest_origin, row_end))
    return level_run(run, sizes, (0, 0), (origin, nearest_origin), 1, repeats)
