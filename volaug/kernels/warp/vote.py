"""The label with the largest sum of trilinear weights among the eight voxels of a cell.

It is what interpolating the indicator of each label linearly and taking the largest would
give, in one pass, whatever the number of labels. Ties go to the label of the nearest voxel,
half a voxel rounding up; and if that is not among them, to the smallest label.

Most blocks of eight cells lie in one label. Of the others, nearly all are decided by one sum: if
the nearest voxel's label has half of the weight it wins, and if not, and there is but one other
label, that one wins. This sum is of float32. Blocks where it is too near to a half, or where a
voxel has a third label, take a vote that has no branch: each corner's label gets the weights of
all corners that share it, in all lanes at once. Weights are rounded to 2^-17 voxel. Then sums of
their products are exact in float64, whatever the order of the axes in memory, and what should tie
does.
"""

import functools
import itertools
import operator

from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import dtypes as elements, lanes
from ..jit.lanes import F64, LANES
from ..jit.options import device, kernel
from ..jit.vec import Vec, call_apart, select, vecs
from .cells import cell_of
from .gather import CELL, block_intrinsic, check_block, corners, window_block_intrinsic
from .row_runs import fill_ends, in_blocks, sample_runs, shifted
from .target_rows import row_to_write
from .windows import NARROW, WIDE

# Farther from a half than this, a sum of float32 is on its side of it: it has three roundings.
NEAR_TIE = 2.0**-20


def _rounded(weight):
    """A float32 weight, rounded to a multiple of 2^-17: float32 at 64 is so spaced."""
    return weight + 64.0 - 64.0


def _nearest(labels, weights):
    """The label of the nearest voxel."""
    for weight in weights:  # of axis 0 first, whose ends are four labels apart
        far, half = weight >= 0.5, len(labels) // 2
        pairs = zip(labels[half:], labels[:half], strict=True)
        labels = [select(far, *pair) for pair in pairs]
    return labels[0]


def _share(same, weights):
    """The sum of the weights of some corners; `same` says which."""
    w0, w1, w2 = weights
    pairs = zip(same[::2], same[1::2], strict=True)
    a, b, c, d = (select(p, 1.0 - w2, 0.0) + select(q, w2, 0.0) for p, q in pairs)
    near, far = (b - a).multiply_add(w1, a), (d - c).multiply_add(w1, c)
    return (far - near).multiply_add(w0, near)


def _any_but(labels, excluded):
    """A label that is not excluded, where there is one; in pairs, not to wait for one another."""
    while len(labels) > 1:
        labels = [select(excluded[k], labels[k + 1], labels[k]) for k in range(0, len(labels), 2)]
        excluded = [a & b for a, b in zip(excluded[::2], excluded[1::2], strict=True)]
    return labels[0]


def _vote_of_two(labels, weights):
    """The winner where no more than two labels meet, and which lanes are not sure of it."""
    nearest = _nearest(labels, weights)
    same = [label == nearest for label in labels]
    other = _any_but(labels, same)
    known = [is_same | (label == other) for label, is_same in zip(labels, same, strict=True)]
    third = ~functools.reduce(operator.and_, known)
    share = _share(same, weights)
    wins = share >= 0.5
    near_tie = (share - 0.5).call("fabs") < NEAR_TIE
    return select(wins, nearest, other), near_tie | (third & ~wins)


def _nearest_first(labels, weights):
    """Labels, reordered so that label 0 is the nearest voxel's, and the shares of each axis.

    The shares are those of its near and of its far end, after that.
    """
    shares = []
    for axis, weight in enumerate(weights):
        step = 4 >> axis
        far = weight >= 0.5
        rest = 1.0 - weight
        shares.append((select(far, weight, rest), select(far, rest, weight)))
        labels = [select(far, labels[corner ^ step], label) for corner, label in enumerate(labels)]
    return labels, shares


def _totals(labels, masses):
    """For each label, the sum of the masses of all that are equal to it."""
    totals = list(masses)
    for i, j in itertools.combinations(range(8), 2):
        same = labels[i] == labels[j]
        totals[i] = totals[i] + select(same, masses[j], 0.0)
        totals[j] = totals[j] + select(same, masses[i], 0.0)
    return totals


def _winner(labels, totals):
    """The label of the maximum; among ties the first one stays, and else the smallest wins."""
    winner, maximum = labels[0], totals[0]
    for label, total in zip(labels[1:], totals[1:], strict=True):
        yields = (label < winner) & (winner != labels[0])
        wins = (total == maximum) & yields
        wins = (total > maximum) | wins
        winner, maximum = select(wins, label, winner), select(wins, total, maximum)
    return winner


def _vote(labels, weights):
    """The winner among eight integer labels, in scalars or lanes.

    `labels[4 * i + 2 * j + k]` is at the near (0) or far (1) end of axes 0, 1 and 2; `weights`
    are those of the far ends.
    """
    exact = [_rounded(weight).convert("fpext", F64) for weight in weights]
    labels, shares = _nearest_first(labels, exact)
    pairs = [p * q for p in shares[0] for q in shares[1]]
    masses = [pair * p for pair in pairs for p in shares[2]]
    return _winner(labels, _totals(labels, masses))


def _exact_vote(*values):
    return _vote(list(values[:8]), values[8:])


def _store_votes(b, block, labels, differ):
    """Write the winners of eight voxels; without votes where no bit of `differ` is set."""
    pointer = row_to_write(b, block.read, block.target, block.at)
    lanes.store(b, labels[0].value, pointer, block.at)
    with b.if_then(differ.any_bit().value):
        winner, unsure = _vote_of_two(labels, [_rounded(weight) for weight in block.weights])
        lanes.store(b, winner.value, pointer, block.at)
        with b.if_then(unsure.any().value):
            name = f"exact_vote.{block.read}"
            votes = call_apart(name, _exact_vote, [*labels, *block.weights])
            lanes.store(b, votes.value, pointer, block.at)


def _label_block(b, block):
    rows = [block.load(corner, range(LANES), 2) for corner in _corners(block.source)]
    differ = rows[0] ^ rows[0].pick([lane ^ 1 for lane in range(2 * LANES)])
    for other in rows[1:]:
        differ = differ | (rows[0] ^ other)
    ends = (range(0, 2 * LANES, 2), range(1, 2 * LANES, 2))
    labels = [Vec(b, row.pick(end).value, block.read.signed) for row in rows for end in ends]
    _store_votes(b, block, labels, differ)


def _label_window_block(b, block):
    rows = [(corner, corner + 1) for corner in _corners(block.source)]
    labels = [block.load(place) for row in rows for place in row]
    labels = [Vec(b, label.value, block.read.signed) for label in labels]
    differences = [labels[0] ^ label for label in labels[1:]]
    _store_votes(b, block, labels, functools.reduce(operator.or_, differences))


def _corners(source):
    """From a cell to its four rows."""
    return source.row.number(0), source.row, source.plane, source.plane + source.row


label_block = block_intrinsic(_label_block)
label_narrow = window_block_intrinsic(_label_window_block, NARROW)
label_wide = window_block_intrinsic(_label_window_block, WIDE)


@intrinsic
def vote(typingctx, labels, weights):
    """The winner among the eight labels of one cell."""

    def codegen(context, b, signature, arguments):
        labels, weights = arguments
        signed = signature.args[0].dtype.signed
        labels = vecs(b, cgutils.unpack_tuple(b, labels, 8), signed=signed)
        return _vote(labels, vecs(b, cgutils.unpack_tuple(b, weights, 3))).value

    return labels.dtype(labels, weights), codegen


@device
def blocks(state, dtype, _, fraction, source, cells, first, stop, target):
    in_blocks(label_block, CELL, dtype, dtype, fraction, source, cells, first, stop, target)


@device
def voxels(state, dtype, _, fraction, source, wrap_step, cells, first, stop, fill, target):
    outside = elements.voxel(dtype, fill, 0)
    for i in range(first, stop):
        index, weights = cell_of(fraction, cells, i)
        found = corners(dtype, source, wrap_step, state, source.first + index, weights, outside)
        elements.set_voxel(dtype, target.address, target.first + i, vote(found, weights))


@device
def window_blocks(block, dtype, fraction, source, cells, first, stop, target):
    for start in range(first, stop, LANES):
        at, number = min(start, stop - LANES), (start - first) // LANES
        check_block(source, cells, at, *CELL)
        block(dtype, dtype, fraction, source, cells, number, at, target)


@device
def parallel_part(dtype, fraction, source, cells, run, target):
    """Sample the part of a row that has windows: where it begins and ends."""
    first, stop = run.parallel_first, run.parallel_stop
    # a window may reach beyond the row, but not beyond the memory
    last = source.first + run.high + max(source.plane, 0) + max(source.row, 0) + 1
    if last + WIDE > source.extent:
        return 0, 0
    if run.window == NARROW:
        window_blocks(label_narrow, dtype, fraction, source, cells, first, stop, target)
    elif run.window == WIDE:
        window_blocks(label_wide, dtype, fraction, source, cells, first, stop, target)
    else:
        return 0, 0
    return first, stop


@kernel
def label_row(read, write, fraction, source, wrap_step, cells, run, fill, target):
    """Sample one row of one channel; for the arguments see row_arguments.py."""
    fill_ends(write, run, fill, target)
    source = shifted(source, run.shift)
    done = parallel_part(read, fraction, source, cells, run, target)
    sample_runs(
        blocks, voxels, read, write, fraction, source, wrap_step, cells, run, done, fill, target
    )
