"""The label with the largest sum of trilinear weights among the eight voxels of a cell.

It is what interpolating the indicator of each label linearly and taking the largest would
give, in one pass, whatever the number of labels. Ties go to the label of the nearest voxel,
half a voxel rounding up; and if that is not among them, to the least.

Most blocks of eight cells lie in one label. The others take a vote that has no branch: each
corner's label gets the weights of all corners that share it, in all lanes at once. Weights
are rounded to 2^-17 voxel. Then sums of their products are exact in float64, whatever the
order of the axes in memory, and what should tie does.
"""

import itertools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import dtypes as elements, lanes
from ..jit.lanes import F64, I64, LANES
from ..jit.options import device, kernel
from .cells import cell_of
from .gather import CELL, around_block, corners
from .row_runs import fill_ends, in_blocks, sample_runs


def _exact(b, weight):
    """A float32 weight as float64, rounded to a multiple of 2^-17: float32 at 64 is so spaced."""
    shift = lanes.number(weight.type, 64.0)
    rounded = b.fsub(b.fadd(weight, shift), shift)
    lanes_of = getattr(weight.type, "count", None)
    return b.fpext(rounded, F64 if lanes_of is None else lanes.vector(F64, lanes_of))


def _vote(b, dtype, labels, weights):
    """The winner among eight labels of an integer dtype, in scalars or lanes.

    `labels[4 * i + 2 * j + k]` is at the near (0) or far (1) end of axes 0, 1 and 2; `weights`
    are those of the far ends.
    """
    weights = [_exact(b, weight) for weight in weights]
    one, half, nothing = (lanes.number(weights[0].type, value) for value in (1.0, 0.5, 0.0))
    shares = []
    # reorder, so that label 0 is the nearest voxel's
    for axis, weight in enumerate(weights):
        step = 4 >> axis
        far = b.fcmp_ordered(">=", weight, half)
        rest = b.fsub(one, weight)
        shares.append((b.select(far, weight, rest), b.select(far, rest, weight)))
        labels = [
            b.select(far, labels[corner ^ step], label) for corner, label in enumerate(labels)
        ]
    pairs = [b.fmul(p, q) for p in shares[0] for q in shares[1]]
    masses = [b.fmul(pair, p) for pair in pairs for p in shares[2]]

    totals = list(masses)
    for i, j in itertools.combinations(range(8), 2):
        same = b.icmp_unsigned("==", labels[i], labels[j])
        totals[i] = b.fadd(totals[i], b.select(same, masses[j], nothing))
        totals[j] = b.fadd(totals[j], b.select(same, masses[i], nothing))
    winner, most = labels[0], totals[0]
    for label, total in zip(labels[1:], totals[1:], strict=True):
        # among ties the nearest voxel's label stays, and else the least wins
        less = (b.icmp_signed if dtype.signed else b.icmp_unsigned)("<", label, winner)
        yields = b.and_(less, b.icmp_unsigned("!=", winner, labels[0]))
        wins = b.and_(b.fcmp_ordered("==", total, most), yields)
        wins = b.or_(b.fcmp_ordered(">", total, most), wins)
        winner, most = b.select(wins, label, winner), b.select(wins, total, most)
    return winner


@intrinsic
def label_block(typingctx, read, write, fraction, source, cells, at, target):
    """Voxels at..at + 8 of the target's row, from their cells."""
    signature = types.void(read, write, fraction, source, cells, at, target)

    def codegen(context, b, signature, arguments):
        of, _, fraction = (kind.dtype for kind in signature.args[:3])
        _, _, _, source, cells, at, target = arguments
        weights, beside = around_block(b, of, fraction, source, cells, at)
        _, _, _, plane, row, _ = cgutils.unpack_tuple(b, source, 6)
        corners = [I64(0), row, plane, b.add(plane, row)]
        rows = [beside(corner, range(LANES), 2) for corner in corners]
        swapped = lanes.pick(b, rows[0], [lane ^ 1 for lane in range(2 * LANES)])
        differ = b.xor(rows[0], swapped)
        for other in rows[1:]:
            differ = b.or_(differ, b.xor(rows[0], other))
        mixed = b.icmp_unsigned("!=", differ, ir.Constant(differ.type, None))

        address, _, place = cgutils.unpack_tuple(b, target, 3)
        pointer = elements.pointer_to(b, of, address, place)
        ends = (range(0, 2 * LANES, 2), range(1, 2 * LANES, 2))
        lanes.store(b, lanes.pick(b, rows[0], ends[0]), pointer, at)
        with b.if_then(lanes.any_lane(b, mixed)):
            labels = [lanes.pick(b, row, end) for row in rows for end in ends]
            lanes.store(b, _vote(b, of, labels, weights), pointer, at)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def vote(typingctx, labels, weights):
    """The winner among the eight labels of one cell."""

    def codegen(context, b, signature, arguments):
        labels, weights = arguments
        labels = cgutils.unpack_tuple(b, labels, 8)
        dtype = signature.args[0].dtype
        return _vote(b, dtype, labels, cgutils.unpack_tuple(b, weights, 3))

    return labels.dtype(labels, weights), codegen


@device
def blocks(state, dtype, _, fraction, source, cells, first, stop, target):
    in_blocks(label_block, CELL, dtype, dtype, fraction, source, cells, first, stop, target)


@device
def voxels(state, dtype, _, fraction, source, around, cells, first, stop, fill, target):
    beyond = elements.voxel(dtype, fill, 0)
    for i in range(first, stop):
        index, weights = cell_of(fraction, cells, i)
        found = corners(dtype, source, around, state, source[2] + index, weights, beyond)
        elements.set_voxel(dtype, target[0], target[2] + i, vote(found, weights))


@kernel
def label_row(read, write, fraction, source, around, cells, run, fill, target):
    """Sample one row of one channel; for the arguments see calls.py and cells.py."""
    fill_ends(write, run, fill, target)
    sample_runs(blocks, voxels, read, write, fraction, source, around, cells, run, fill, target)
