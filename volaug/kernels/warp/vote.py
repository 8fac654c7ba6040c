"""The label with the largest sum of trilinear weights among the eight voxels of a cell.

It is what interpolating the indicator of each label linearly and taking the largest would
give, in one pass, whatever the number of labels. Ties go to the label of the nearest voxel,
half a voxel rounding up; and if that is not among them, to the smallest label.

Where two labels meet, the sum of one of them decides, and where three meet, the sums of two. These
sums are of float32. Cells where they are too near to a tie, or where more labels meet, take a vote
that has no branch: each corner's label gets the weights of all corners that share it, in all lanes
at once. Weights are rounded to 2^-17 voxel. Then sums of their products are exact in float64,
whatever the order of the axes in memory, and what should tie does.

`rows` are the labels of eight cells as four vectors of pairs: the two ends of axis 2 side by side.
The first two rows lie at the near end of axis 0, and of each two the first at that of axis 1.
"""

import functools
import itertools
import operator

from llvmlite import ir

from ..jit import lanes
from ..jit.lanes import F64, I8, LANES
from ..jit.vec import Vec, select

# The ends of eight cells along axis 2 in a row of pairs; and one of them in the place of both.
NEAR, FAR = range(0, 2 * LANES, 2), range(1, 2 * LANES, 2)
NEAR_TWICE, FAR_TWICE = ([lane // 2 * 2 + end for lane in range(2 * LANES)] for end in (0, 1))

# Sums of float32 that are farther apart than this differ in truth: each has at most eight roundings
# of 2^-25, and the third of three labels has the rest of both.
NEAR_TIE = 2.0**-18


def labels_of(rows):
    """The labels at the eight corners of each cell, ordered as the axes are."""
    return [row.pick(end) for row in rows for end in (NEAR, FAR)]


def differ(rows):
    """Whether more than one label meets in any of the cells."""
    different = rows[0] ^ rows[0].pick(NEAR_TWICE)
    for row in rows[1:]:
        different = different | (rows[0] ^ row)
    return different.any_bit()


def vote_of_two(rows, weights):
    """The winner where two labels meet, and which cells are not sure of it."""
    first, second, is_other, share = _shares_of_two(rows, _rounded(weights))
    near_tie = (share - 0.5).call("fabs") < NEAR_TIE
    return select(share > 0.5, second, first), near_tie | is_other


def vote_of_three(rows, weights):
    """The winner where up to three labels meet, and which cells are not sure of it."""
    weights = _rounded(weights)
    first, second, _, share = _shares_of_two(rows, weights)
    labels = labels_of(rows)
    is_first = [label == first for label in labels]
    share_of_first = _share(is_first, weights)
    known = [(label == second) | same for label, same in zip(labels, is_first, strict=True)]
    third = _any_but(labels, known)
    is_third = [label == third for label in labels]
    all_known = _all(a | b for a, b in zip(known, is_third, strict=True))
    rest = 1.0 - share - share_of_first

    winner = select(share > share_of_first, second, first)
    greater, lesser = share.max(share_of_first), share.min(share_of_first)
    winner = select(rest > greater, third, winner)
    lead = select(rest > greater, rest - greater, greater - lesser.max(rest))
    is_one = first == second  # then both have all weight
    return winner, ~all_known | ((lead < NEAR_TIE) & ~is_one)


def exact_vote(*values):
    """The winner among eight labels, by all sums; after the labels come three weights."""
    return vote(values[:8], values[8:])


def vote(labels, weights):
    """The winner among eight integer labels, in scalars or lanes.

    `labels[4 * i + 2 * j + k]` is at the near (0) or far (1) end of axes 0, 1 and 2; `weights`
    are those of the far ends.
    """
    exact = [weight.convert("fpext", F64) for weight in _rounded(weights)]
    labels, shares = _nearest_first(labels, exact)
    pairs = [p * q for p in shares[0] for q in shares[1]]
    masses = [pair * p for pair in pairs for p in shares[2]]
    return _winner(labels, _totals(labels, masses))


def _rounded(weights):
    """Weights of float32, rounded to a multiple of 2^-17: float32 at 64 is so spaced."""
    return [weight + 64.0 - 64.0 for weight in weights]


def _shares_of_two(rows, weights):
    """Two labels of each cell, which cells have another, and the second one's sum of weights.

    The first is that of a corner. Where there is no other label, the second is the same.
    """
    first = rows[0].pick(NEAR_TWICE)
    is_first = [row == first for row in rows]
    second = _any_but(rows, is_first)  # of each end of axis 2
    near, far = second.pick(NEAR_TWICE), second.pick(FAR_TWICE)
    second = select(near == first, far, near)
    is_second = [row == second for row in rows]
    is_other = ~_all(a | b for a, b in zip(is_first, is_second, strict=True))
    sides = [side for is_it in map(_ends, is_second) for side in (is_it << 8, is_it)]
    share = _share([side < 0 for side in sides], weights)
    return first.pick(NEAR), second.pick(NEAR), _ends(is_other) != 0, share


def _ends(mask):
    """A mask of a row of pairs as an integer a cell: all bits of its lower and its upper byte.

    LLVM makes three times as many instructions if lanes of a mask are picked.
    """
    b = mask.b
    ends = b.sext(mask.value, lanes.vector(I8, 2 * LANES))
    return Vec(b, b.bitcast(ends, lanes.vector(ir.IntType(16))), signed=True)


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


def _all(masks):
    return functools.reduce(operator.and_, masks)


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
