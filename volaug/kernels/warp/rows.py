"""Where each voxel of one output row of an affine map reads.

An affine row is a line through the source. The part of it that is in the source is an
interval, found in closed form, so that its voxels need no test.
"""

import numpy as np
from numba import float64, int64

from ..jit.dtypes import voxel
from ..jit.options import device
from ..jit.row_arguments import Run
from .borders import COLUMNS, INNER, INNER_LOW, INSIDE, SUPPORT_HIGH, SUPPORT_LOW
from .cells import cells_by_rule, cells_inside, set_states
from .coordinates import ROUNDING, SNAP, multiply_add


@device
def number_of(border, axis, column):
    """A number of a border's rule, see borders.py; `border` is the address of the array."""
    return voxel(float64, border, axis * COLUMNS + column)


@device
def affine_line(matrix, z, y):
    """(start, step) of each axis in turn along the output row at `z`, `y`, SNAP included."""
    return (
        SNAP + (matrix[0, 0] * z + matrix[0, 1] * y + matrix[0, 3]),
        matrix[0, 2],
        SNAP + (matrix[1, 0] * z + matrix[1, 1] * y + matrix[1, 3]),
        matrix[1, 2],
        SNAP + (matrix[2, 0] * z + matrix[2, 1] * y + matrix[2, 3]),
        matrix[2, 2],
    )


@device
def is_within(number, low, high):
    """Whether low <= number <= high; never, if low > high.

    LLVM 20 makes one instruction for pairs of numbers of two comparisons, and leaves the second
    number of a pair to chance: a denormal one costs some 150 cycles, see `tests/test_denormals.py`.
    """
    return max(low - number, number - high) <= 0.0


@device
def is_between(i, step, start, low, high):
    """Whether voxel `i` of a line is, by the very sum that the lanes make."""
    return is_within(multiply_add(i, step, start), low, high)


@device
def interval_within(start, step, low, high, first, stop):
    """The i in [first, stop) for which low <= start + step * i <= high, as a half-open range.

    `start` includes SNAP. The ends are tried by the very sum that the lanes make, which never
    decreases while `i` grows (or never increases): what lies between them needs no test.
    """
    low, high = SNAP + low, SNAP + high
    if step == 0.0:
        return (first, stop) if is_within(start, low, high) else (first, first)
    # sums are rounded to 2^-32, so that one this far outside may still be inside
    a, b = (low - start - ROUNDING) / step, (high - start + ROUNDING) / step
    lower, upper = np.floor(min(a, b)), np.ceil(max(a, b)) + 1.0
    # written so that NaN, of a number too large to divide, leaves the whole range
    begin = first if not lower > first else (int(lower) if lower < stop else stop)
    end = stop if not upper < stop else (int(upper) if upper > begin else begin)
    while begin < end and not is_between(begin, step, start, low, high):
        begin += 1
    while begin < end and not is_between(end - 1, step, start, low, high):
        end -= 1
    return begin, end


@device
def part_within(line, border, column, first, stop):
    """The part of first..stop of an affine row that is within two columns of the rules."""
    for axis in range(3):
        low, high = number_of(border, axis, column), number_of(border, axis, column + 1)
        start, step = line[2 * axis], line[2 * axis + 1]
        first, stop = interval_within(start, step, low, high, first, stop)
    return first, stop


@device
def is_inner(line, border, i):
    """Whether voxel `i` of an affine row needs no rule."""
    return (
        is_between(i, line[1], line[0], SNAP, SNAP + number_of(border, 0, INNER))
        and is_between(i, line[3], line[2], SNAP, SNAP + number_of(border, 1, INNER))
        and is_between(i, line[5], line[4], SNAP, SNAP + number_of(border, 2, INNER))
    )


@device
def run_of(first, stop, begin, end, width):
    """The `Run` of a row that is located by itself, and of which no part is parallel."""
    return Run(first, stop, 0, 0, begin, end, 0, 0, width, 0, 0, 0, 0, 0, 0, 0, 0)


@device
def parallel_run(first, stop, begin, end, low, high, width):
    """The same of a row whose inner part is parallel."""
    return Run(first, stop, begin, end, begin, end, low, high, width, 0, 0, 0, 0, 0, 0, 0, 0)


@device
def ends_of(cells, begin, end):
    """The least and the greatest index of a part of an affine row."""
    a, b = voxel(int64, cells.index, begin), voxel(int64, cells.index, end - 1)
    return min(a, b), max(a, b)


@device
def locate_affine_row(fraction, cells, line, strides, border, width, parallel):
    """Fill `cells` of one row, and return its `Run`.

    `line` is (start, step) of each axis in turn, SNAP included in the starts. What is not in
    the run's range is outside. A `parallel` row runs along the source's, and so does its inner
    part.
    """
    first, stop = 0, width
    plain = is_inner(line, border, 0) and is_inner(line, border, width - 1)
    if not plain and number_of(border, 0, SUPPORT_HIGH) < np.inf:  # and so the other axes
        first, stop = part_within(line, border, SUPPORT_LOW, first, stop)
        if stop <= first:
            return run_of(0, 0, 0, 0, width)
        plain = is_inner(line, border, first) and is_inner(line, border, stop - 1)
    begin, end = first, stop
    if not plain:
        begin, end = part_within(line, border, INNER_LOW, begin, end)
    # a block may run into the next part of the row, which is written after it
    at = first
    while at < stop:
        if begin <= at < end:
            part = end
            cells_inside(fraction, cells, at, end, at, line, strides)
            set_states(cells, at, INSIDE)
        else:
            part = begin if at < begin < end else stop
            cells_by_rule(fraction, cells, at, part, at, line, strides, border)
        at = part
    if not parallel or begin == end:
        return run_of(first, stop, begin, end, width)
    return parallel_run(first, stop, begin, end, *ends_of(cells, begin, end), width)
