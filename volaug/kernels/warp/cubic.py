"""Cubic B-spline interpolation of a row, from coefficients.

The coefficients lie in an array that is larger than the volume, so that all 64 of them
exist for every voxel. Four neighbors along the last axis are one vector; 16 of these are
summed for a voxel, and eight voxels at a time are summed along the last axis. A row that runs
parallel to the source's rows sums whole rows first, as in linear.py.

A weight below the rounding counts as zero. So a product of three weights is no less than the
rounding cubed, and that of no coefficient is denormal (see warping/engine/prefilter.py).
"""

import itertools

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import dtypes as elements, lanes
from ..jit.lanes import F32, F64, I64, LANES
from ..jit.options import device, kernel
from .cells import cell_of
from .gather import around_blended, around_block, row_loader, store_blended, store_voxels
from .row_runs import fill_ends, in_blocks, parallel_row, sample_runs

TAPS = 4
REACH = (-1, 2)  # of coefficients along each axis, from a cell

# Half of the spacing of floats below 1: what a float near 1 is rounded by, at most.
ROUNDING = {F32: float(np.finfo(np.float32).epsneg), F64: float(np.finfo(np.float64).epsneg)}


def _weights(b, t):
    """The four cubic B-splines that are not zero at `t` in [0, 1], a scalar or lanes."""
    rounding = ROUNDING[getattr(t.type, "element", t.type)]
    minus_half, one, sixth, two_thirds = (
        lanes.number(t.type, x) for x in (-1 / 2, 1.0, 1 / 6, 2 / 3)
    )

    zero, minimum = lanes.number(t.type, 0.0), lanes.number(t.type, rounding)

    def outer(x):
        weight = b.fmul(b.fmul(b.fmul(x, x), x), sixth)
        return b.select(b.fcmp_ordered("<", weight, minimum), zero, weight)

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
    """Four neighbors along the last axis of each of eight voxels, summed."""
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
            """Four neighbors along the last axis, summed over the other two."""
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


@intrinsic
def tap_weights(typingctx, fraction):
    """The four weights of the coefficients along an axis."""

    def codegen(context, b, signature, arguments):
        return cgutils.pack_array(b, _weights(b, *arguments))

    return types.UniTuple(fraction, TAPS)(fraction), codegen


@device
def cubic_voxel(read, source, k, weights):
    """One voxel: the sum of 64 coefficients."""
    address, extent, _, plane, row, _ = source
    total = 0.0
    for i, w0 in enumerate(tap_weights(weights[0])):
        for j, w1 in enumerate(tap_weights(weights[1])):
            first = k + (i - 1) * plane + (j - 1) * row - 1
            elements.check(first, extent)
            elements.check(first + TAPS - 1, extent)
            for x, w2 in enumerate(tap_weights(weights[2])):
                total += w0 * w1 * w2 * elements.read(read, address, first + x)
    return total


@device
def blocks(state, read, write, fraction, source, cells, first, stop, target):
    in_blocks(cubic_block, REACH, read, write, fraction, source, cells, first, stop, target)


@device
def voxels(state, read, write, fraction, source, around, cells, first, stop, fill, target):
    for i in range(first, stop):
        index, weights = cell_of(fraction, cells, i)
        value = cubic_voxel(read, source, source[2] + index, weights)
        elements.write(write, target[0], target[2] + i, value)


@kernel
def cubic_row(read, write, fraction, source, around, cells, run, fill, target):
    """Sample one row of one channel; for the arguments see calls.py and cells.py."""
    fill_ends(write, run, fill, target)
    if not parallel_row(
        blend_block, along_block, REACH, read, write, fraction, source, cells, run, target
    ):
        sample_runs(blocks, voxels, read, write, fraction, source, around, cells, run, fill, target)
