"""Cubic B-spline interpolation of a row, from coefficients.

The coefficients lie in an array that is larger than the volume, so that all 64 of them
exist for every voxel. Four neighbours along the last axis are one vector; 16 of these are
summed for a voxel, and eight voxels at a time are summed along the last axis.
"""

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import elements, lanes
from .borders import OUTSIDE
from .cells import cell_of, end_of_run, state_of
from .gather import around_block
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


@intrinsic
def cubic_block(typingctx, read, write, fraction, source, cells, at, target):
    """Voxels at..at + 8 of the target's row, from their cells."""
    signature = types.void(read, write, fraction, source, cells, at, target)

    def codegen(context, b, signature, arguments):
        read, write, fraction = (kind.dtype for kind in signature.args[:3])
        _, _, _, source, cells, at, target = arguments
        fractions, beside = around_block(b, read, fraction, source, cells, at)
        weights = [_weights(b, fraction) for fraction in fractions]
        _, _, _, plane, row, _ = cgutils.unpack_tuple(b, source, 6)

        def corner(i, j):
            """From a cell to the first of four coefficients along the last axis."""
            steps = b.add(b.mul(plane, I64(i - 1)), b.mul(row, I64(j - 1)))
            return b.sub(steps, I64(1))

        def sum_of_planes(lane):
            """Four neighbours along the last axis, summed over the other two."""
            total = None
            for i in range(TAPS):
                plane_sum = None
                for j in range(TAPS):
                    four = beside(corner(i, j), [lane], TAPS)
                    weight = lanes.pick(b, weights[1][j], [lane] * TAPS)
                    plane_sum = (
                        b.fmul(four, weight)
                        if plane_sum is None
                        else lanes.call(b, "fmuladd", four, weight, plane_sum)
                    )
                weight = lanes.pick(b, weights[0][i], [lane] * TAPS)
                total = (
                    b.fmul(plane_sum, weight)
                    if total is None
                    else lanes.call(b, "fmuladd", plane_sum, weight, total)
                )
            return total

        sums = lanes.join(b, [sum_of_planes(lane) for lane in range(LANES)])
        result = None
        for k in range(TAPS):
            along = lanes.pick(b, sums, range(k, TAPS * LANES, TAPS))
            result = (
                b.fmul(along, weights[2][k])
                if result is None
                else lanes.call(b, "fmuladd", along, weights[2][k], result)
            )
        address, _, place = cgutils.unpack_tuple(b, target, 3)
        pointer = elements.pointer_to(b, write, address, place)
        lanes.store(b, elements.from_float(b, write, result), pointer, at)
        return context.get_dummy_value()

    return signature, codegen


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
    first, stop, plain, _, width = run
    elements.fill(write, fill, target, 0, first)
    elements.fill(write, fill, target, stop, width)
    while first < stop:
        end = stop if plain else end_of_run(cells, first, stop)
        if not plain and state_of(cells, first) == OUTSIDE:
            elements.fill(write, fill, target, first, end)
        elif end - first >= LANES:
            for start in range(first, end, LANES):
                at = min(start, end - LANES)  # the last block does some voxels once more
                cubic_block(read, write, fraction, source, cells, at, target)
        else:
            for i in range(first, end):
                index, weights = cell_of(fraction, cells, i)
                value = cubic_voxel(read, source, source[2] + index, weights)
                elements.write(write, target[0], target[2] + i, value)
        first = end
