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

from ..jit import dtypes as elements
from ..jit.lanes import F32, F64, LANES
from ..jit.options import device, kernel
from ..jit.row_arguments import Cells, Source
from ..jit.vec import Vec, fields, join, select, splat, vecs
from .cells import cell_of
from .coordinates import multiply_add
from .gather import along_intrinsics, block_intrinsic, row_loader, store_blended
from .row_runs import fill_ends, in_blocks, parallel_part, sample_runs, shifted
from .target_rows import store_voxels

TAPS = 4
OFFSETS = (-1, 2)  # of the coefficients of a cell along each axis, from the first to the last

# Half of the spacing of floats below 1: what a float near 1 is rounded by, at most.
ROUNDING = {F32: float(np.finfo(np.float32).epsneg), F64: float(np.finfo(np.float64).epsneg)}


def _weights(t):
    """The four cubic B-splines that are not zero at `t` in [0, 1], a scalar or lanes."""

    def outer(x):
        weight = x * x * x * (1 / 6)
        return select(weight < ROUNDING[t.element], 0.0, weight)

    def inner(x):  # 2/3 - x^2 (1 - x/2)
        rest = x.multiply_add(-1 / 2, 1.0)
        return (-x * x).multiply_add(rest, 2 / 3)

    s = 1.0 - t
    return outer(s), inner(t), inner(s), outer(t)


def _corners(source, first):
    """From a cell to the 16 rows of its coefficients, and `first` on along the last axis."""
    plane, row = source.plane, source.row
    for i in range(TAPS):
        for j in range(TAPS):
            yield plane * (i - 1) + row * (j - 1) + first


def _weighted(values, weights):
    """The sum of some values, each times its weight."""
    total = None
    for value, weight in zip(values, weights, strict=True):
        total = value * weight if total is None else value.multiply_add(weight, total)
    return total


def _sum_over_planes(rows, weights0, weights1):
    """16 rows, summed over axis 1 and then over axis 0."""
    planes = (_weighted(itertools.islice(rows, TAPS), weights1) for _ in range(TAPS))
    return _weighted(planes, weights0)


def _sum_along(sums, weights):
    """Four neighbors along the last axis of each of eight voxels, summed."""
    along = (sums.pick(range(k, TAPS * LANES, TAPS)) for k in range(TAPS))
    return _weighted(along, weights)


def _cubic_block(b, block):
    weights = [_weights(fraction) for fraction in block.weights]

    def sum_of_rows(lane):
        """Four neighbors along the last axis, summed over the other two."""
        picked = [[w.pick([lane] * TAPS) for w in weights[axis]] for axis in (0, 1)]
        starts = _corners(block.source, -1)
        rows = (block.load(corner, [lane], TAPS) for corner in starts)
        return _sum_over_planes(rows, *picked)

    sums = join([sum_of_rows(lane) for lane in range(LANES)])
    store_voxels(b, block.write, block.target, block.at, _sum_along(sums, weights[2]))


cubic_block = block_intrinsic(_cubic_block)


@intrinsic
def blend_block(typingctx, read, fraction, source, cells, weights, k, at):
    """Eight voxels of the source's row, summed over axes 0 and 1; they lie `at` on from `k`."""
    signature = types.void(read, fraction, source, cells, weights, k, at)

    def codegen(context, b, signature, arguments):
        read, fraction = (kind.dtype for kind in signature.args[:2])
        _, _, source, cells, fractions, k, at = arguments
        source, cells = fields(b, Source, source), fields(b, Cells, cells)
        fractions = vecs(b, cgutils.unpack_tuple(b, fractions, 3))
        weights = [_weights(splat(t)) for t in fractions]
        eight = row_loader(b, read, source, k, at)
        rows = (eight(corner) for corner in _corners(source, 0))
        store_blended(b, fraction, cells, at, _sum_over_planes(rows, *weights[:2]))
        return context.get_dummy_value()

    return signature, codegen


def _along(taps, fraction):
    """Eight voxels of the target's row, from the blended one."""
    return _weighted(taps, _weights(fraction))


along_each, along_narrow, along_wide = along_intrinsics(_along, OFFSETS)


@intrinsic
def tap_weights(typingctx, fraction):
    """The four weights of the coefficients along an axis."""

    def codegen(context, b, signature, arguments):
        return cgutils.pack_array(b, [weight.value for weight in _weights(Vec(b, *arguments))])

    return types.UniTuple(fraction, TAPS)(fraction), codegen


@device
def weighted_voxels(a, b, c, d, weights):
    """`_weighted` of four scalars."""
    total = multiply_add(b, weights[1], a * weights[0])
    return multiply_add(d, weights[3], multiply_add(c, weights[2], total))


@device
def summed_row(read, source, k, weights):
    """Four coefficients along axis 1 around `k`, summed."""
    step = source.row
    elements.check(k - step, source.extent)
    elements.check(k + 2 * step, source.extent)
    return weighted_voxels(
        elements.read(read, source.address, k - step),
        elements.read(read, source.address, k),
        elements.read(read, source.address, k + step),
        elements.read(read, source.address, k + 2 * step),
        weights,
    )


@device
def summed_plane(read, source, k, weights0, weights1):
    """Sixteen coefficients along axes 1 and 0 around `k`, summed."""
    step = source.plane
    return weighted_voxels(
        summed_row(read, source, k - step, weights1),
        summed_row(read, source, k, weights1),
        summed_row(read, source, k + step, weights1),
        summed_row(read, source, k + 2 * step, weights1),
        weights0,
    )


@device
def cubic_voxel(read, source, k, weights):
    """One voxel: 64 coefficients, summed in the order that the lanes have."""
    w0, w1 = tap_weights(weights[0]), tap_weights(weights[1])
    return weighted_voxels(
        summed_plane(read, source, k - 1, w0, w1),
        summed_plane(read, source, k, w0, w1),
        summed_plane(read, source, k + 1, w0, w1),
        summed_plane(read, source, k + 2, w0, w1),
        tap_weights(weights[2]),
    )


@device
def blocks(state, read, write, fraction, source, cells, first, stop, target):
    in_blocks(cubic_block, OFFSETS, read, write, fraction, source, cells, first, stop, target)


@device
def voxels(state, read, write, fraction, source, wrap_step, cells, first, stop, fill, target):
    for i in range(first, stop):
        index, weights = cell_of(fraction, cells, i)
        value = cubic_voxel(read, source, source.first + index, weights)
        elements.write(write, target.address, target.first + i, value)


@kernel
def cubic_row(read, write, fraction, source, wrap_step, cells, run, fill, target):
    """Sample one row of one channel; for the arguments see row_arguments.py."""
    fill_ends(write, run, fill, target)
    source = shifted(source, run.shift)
    along = along_each, along_narrow, along_wide
    done = parallel_part(
        blend_block, along, OFFSETS, read, write, fraction, source, cells, run, target
    )
    sample_runs(
        blocks, voxels, read, write, fraction, source, wrap_step, cells, run, done, fill, target
    )
