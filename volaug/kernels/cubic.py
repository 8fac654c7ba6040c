"""Cubic B-spline interpolation of a row, from coefficients.

The coefficients lie in an array that is larger than the volume, so that all 64 of them
exist for every voxel. Four neighbours along the last axis are one vector; 16 of these are
summed for a voxel, and eight voxels at a time are summed along the last axis. A row that runs
parallel to the source's rows sums whole rows first, as in linear.py.
"""

import itertools

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import elements, lanes
from .borders import OUTSIDE
from .cells import cell_of, end_of_run, state_of
from .gather import (
    around_blended,
    around_block,
    check_block,
    row_loader,
    store_blended,
    store_voxels,
)
from .lanes import I64, LANES
from .options import device, kernel
from .rows import cubic_weights

TAPS = 4


def _weights(b, t):
    """The four cubic B-splines that are not zero at `t` in [0, 1], in all lanes."""
    minus_half, one, sixth, two_thirds = (
        lanes.number(t.type, x) for x in (-1 / 2, 1.0, 1 / 6, 2 / 3)
    )

    def outer(x):
        return b.fmul(b.fmul(b.fmul(x, x), x), sixth)

    def inner(x):  # 2/3 - x^2 (1 - x/2)
        rest = lanes.call(b, "fmuladd", x, minus_half, one)
        return lanes.call(b, "fmuladd", b.fmul(b.fneg(x), x), rest, two_thirds)

    s = b.fsub(one, t)
    return outer(s), inner(t), inner(s), outer(t)


def _corners(b, source, first):
    """From a cell to the 16 rows of its coefficients, and `first` on along the last axis."""
    _, _, _, plane, row, _ = cgutils.unpack_tuple(b, source, 6)
    for i in range(TAPS):
        for j in range(TAPS):
            steps = b.add(b.mul(plane, I64(i - 1)), b.mul(row, I64(j - 1)))
            yield b.add(steps, first)


def _weighted(b, values, weights):
    """The sum of some values, each times its weight."""
    total = None
    for value, weight in zip(values, weights, strict=True):
        if total is None:
            total = b.fmul(value, weight)
        else:
            total = lanes.call(b, "fmuladd", value, weight, total)
    return total


def _sum_over_planes(b, rows, weights0, weights1):
    """16 rows, summed over axis 1 and then over axis 0."""
    planes = (_weighted(b, itertools.islice(rows, TAPS), weights1) for _ in range(TAPS))
    return _weighted(b, planes, weights0)


def _sum_along(b, sums, weights):
    """Four neighbours along the last axis of each of eight voxels, summed."""
    along = (lanes.pick(b, sums, range(k, TAPS * LANES, TAPS)) for k in range(TAPS))
    return _weighted(b, along, weights)


@intrinsic
def cubic_block(typingctx, read, write, fraction, source, cells, at, target):
    """Voxels at..at + 8 of the target's row, from their cells."""
    signature = types.void(read, write, fraction, source, cells, at, target)

    def codegen(context, b, signature, arguments):
        read, write, fraction = (kind.dtype for kind in signature.args[:3])
        _, _, _, source, cells, at, target = arguments
        fractions, beside = around_block(b, read, fraction, source, cells, at)
        weights = [_weights(b, fraction) for fraction in fractions]

        def sum_of_rows(lane):
            """Four neighbours along the last axis, summed over the other two."""
            picked = [[lanes.pick(b, w, [lane] * TAPS) for w in weights[axis]] for axis in (0, 1)]
            rows = (beside(corner, [lane], TAPS) for corner in _corners(b, source, I64(-1)))
            return _sum_over_planes(b, rows, *picked)

        sums = lanes.join(b, [sum_of_rows(lane) for lane in range(LANES)])
        store_voxels(b, write, target, at, _sum_along(b, sums, weights[2]))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def blend_block(typingctx, read, fraction, source, cells, weights, k, at):
    """Eight voxels of the source's row, summed over axes 0 and 1; they lie `at` on from `k`."""
    signature = types.void(read, fraction, source, cells, weights, k, at)

    def codegen(context, b, signature, arguments):
        read, fraction = (kind.dtype for kind in signature.args[:2])
        _, _, source, cells, fractions, k, at = arguments
        fractions = (lanes.splat(b, t) for t in cgutils.unpack_tuple(b, fractions, 3))
        weights = [_weights(b, t) for t in fractions]
        eight = row_loader(b, read, source, k, at)
        rows = (eight(corner) for corner in _corners(b, source, I64(0)))
        store_blended(b, fraction, cells, at, _sum_over_planes(b, rows, *weights[:2]))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def along_block(typingctx, write, fraction, cells, first, at, target):
    """Voxels at..at + 8 of the target's row from the blended one, whose index 0 is `first`."""
    signature = types.void(write, fraction, cells, first, at, target)

    def codegen(context, b, signature, arguments):
        write, fraction = (kind.dtype for kind in signature.args[:2])
        _, _, cells, first, at, target = arguments
        fractions, beside = around_blended(b, fraction, cells, first, at)
        sums = lanes.join(b, [beside(I64(-1), [lane], TAPS) for lane in range(LANES)])
        store_voxels(b, write, target, at, _sum_along(b, sums, _weights(b, fractions[2])))
        return context.get_dummy_value()

    return signature, codegen


@device
def parallel_row(read, write, fraction, source, cells, first, stop, target):
    """Voxels first..stop, all INSIDE, of a row that is parallel to the source's; whether it can."""
    begin, weights = cell_of(fraction, cells, first)
    end, _ = cell_of(fraction, cells, stop - 1)
    low, count = min(begin, end) - 1, abs(end - begin) + TAPS
    if count < LANES or stop - first < LANES:
        return False
    for start in range(0, count, LANES):
        at = min(start, count - LANES)  # the last block does some voxels once more
        blend_block(read, fraction, source, cells, weights, source[2] + low, at)
    for start in range(first, stop, LANES):
        at = min(start, stop - LANES)
        along_block(write, fraction, cells, low, at, target)
    return True


@device
def cubic_voxel(read, source, k, weights):
    """One voxel: the sum of 64 coefficients."""
    address, extent, _, plane, row, _ = source
    total = 0.0
    for i, w0 in enumerate(cubic_weights(weights[0])):
        for j, w1 in enumerate(cubic_weights(weights[1])):
            first = k + (i - 1) * plane + (j - 1) * row - 1
            elements.check(first, extent)
            elements.check(first + TAPS - 1, extent)
            for x, w2 in enumerate(cubic_weights(weights[2])):
                total += w0 * w1 * w2 * elements.read(read, address, first + x)
    return total


@kernel
def cubic_row(read, write, fraction, source, around, cells, run, fill, target):
    """Sample one row of one channel; for the arguments see calls.py and cells.py."""
    first, stop, plain, parallel, width = run
    elements.fill(write, fill, target, 0, first)
    elements.fill(write, fill, target, stop, width)
    if (
        parallel
        and plain
        and parallel_row(read, write, fraction, source, cells, first, stop, target)
    ):
        return
    while first < stop:
        end = stop if plain else end_of_run(cells, first, stop)
        if not plain and state_of(cells, first) == OUTSIDE:
            elements.fill(write, fill, target, first, end)
        elif end - first >= LANES:
            for start in range(first, end, LANES):
                at = min(start, end - LANES)  # the last block does some voxels once more
                check_block(source, cells, at, -1, 2)
                cubic_block(read, write, fraction, source, cells, at, target)
        else:
            for i in range(first, end):
                index, weights = cell_of(fraction, cells, i)
                value = cubic_voxel(read, source, source[2] + index, weights)
                elements.write(write, target[0], target[2] + i, value)
        first = end
