"""Rows of a separable map, one whose coordinates along axis 2 are the same in every row.

Scaling, resizing and flips are such, with crops and shifts by parts of a voxel. A row that is
within the source along axes 0 and 1 reads what another one has read, so many planes and rows on.
So it takes over the cells of that one, and needs only its own weights along axes 0 and 1. Locating
was a third of the time of a linear warp, and three fourths of a nearest one.
"""

import numpy as np
from numba import int64

from ..jit import dtypes as elements
from ..jit.dtypes import voxel
from ..jit.lanes import LANES
from ..jit.options import device
from ..jit.row_arguments import Run
from .borders import FACE, INNER, INSIDE, LAST_NEAREST
from .cells import state_of
from .coordinates import SNAP
from .rows import affine_line, is_between, locate_affine_row, number_of
from .windows import NONE, extremes, tabulate

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
def continues(cells, i, beside):
    """Whether the parallel part goes on at voxel `i`, beside one of its own."""
    index = cells.index if cells.wants_cells else cells.nearest
    jump = abs(voxel(int64, index, i) - voxel(int64, index, beside))
    return state_of(cells, i) in (INSIDE, FACE) and jump < LANES


@device
def parallel_ends(cells, run):
    """Where the parallel part begins and ends, with what the border's rule took into the source."""
    first, stop = run.parallel_first, run.parallel_stop
    if first == stop:
        return first, stop
    while first > run.first and continues(cells, first - 1, first):
        first -= 1
    while stop < run.stop and continues(cells, stop, stop - 1):
        stop += 1
    return first, stop


@device
def first_level_run(cells, run, border, origins, repeats):
    """The run of a level row that was located by itself, with what others take over."""
    first, stop = parallel_ends(cells, run)
    size, nearest_size, low, high = NONE, NONE, 0, 0
    if cells.wants_cells:
        size = tabulate(cells.index, first, stop, ANYWHERE, cells.windows, cells.length)
        low, high = extremes(cells.index, first, stop)
    if cells.wants_nearest:
        limits = origins[1], origins[1] + int(number_of(border, 2, LAST_NEAREST))
        table = cells.windows + 2 * cells.length
        nearest_size = tabulate(cells.nearest, first, stop, limits, table, cells.length)
    parallel = first, stop, run.parallel_first, run.parallel_stop, low, high
    part = run.first, run.stop, *parallel, run.width
    return Run(*part, size, nearest_size, 0, 0, *origins, 1, repeats)


@device
def next_level_run(run, origins, repeats):
    """The run of a level row that takes over the cells of another one."""
    parallel = run.parallel_first, run.parallel_stop, run.inner_first, run.inner_stop
    part = run.first, run.stop, *parallel, run.low, run.high, run.width
    shifts = origins[0] - run.origin, origins[1] - run.nearest_origin
    same = run.origin, run.nearest_origin, run.reusable, repeats
    return Run(*part, run.window, run.nearest_window, *shifts, *same)


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
def repeats_plane(matrix, border, z):
    """Whether plane `z` of a separable map has the nearest voxels of the plane before.

    To copy such planes of a tile takes 0.63 to 0.71 of the time of copying each row from 128^3 to
    256^3, and 0.86 to 0.93 from 160^3 to 237^3 (Zen 3, one thread).
    """
    if matrix[0, 1] != 0.0 or matrix[1, 0] != 0.0:  # rows of a plane lie in several planes
        return False
    line, before = affine_line(matrix, z, 0), affine_line(matrix, z - 1, 0)
    if not (is_level(line, border, 0) and is_level(before, border, 0)):
        return False
    return np.floor(line[0] - SNAP + 0.5) == np.floor(before[0] - SNAP + 0.5)


@device
def locate_straight_row(
    fraction, cells, line, strides, border, width, parallel, separable, known, last_origins, place
):
    """Fill `cells` of a row of an affine warp, and return its `Run`; see `locate_affine_row`.

    In a `separable` map, `known` is the run of the row that is located in `cells`, and
    `last_origins` are those of the nearest voxels of the last row at each `place` in a tile along
    axis 1, or -1.
    """
    level = separable and is_level(line, border, 0) and is_level(line, border, 1)
    origins, repeats = (0, 0), 0
    if level:
        origins = origin_of(line, strides, 0.0), origin_of(line, strides, 0.5)
        repeats = repetition(last_origins, place, origins[1])
        if known.reusable or (repeats and not cells.wants_cells):
            if cells.wants_cells:
                z, y = line[0] - SNAP, line[2] - SNAP
                set_weights(fraction, cells, known, (z - np.floor(z), y - np.floor(y)))
            return next_level_run(known, origins, repeats)
    else:
        last_origins[place] = -1
    # at one place, and so compiled once: it is most of the kernel
    run = locate_affine_row(fraction, cells, line, strides, border, width, parallel)
    return first_level_run(cells, run, border, origins, repeats) if level else run
