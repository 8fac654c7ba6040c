"""What becomes of a coordinate outside of the volume: all borders by the same instructions.

A border's rule is a row of numbers for each axis. It is applied to blocks of eight voxels of
which it is not known that they are inside, and may take some of them into the volume, leave
others outside, and say of others which of their neighbors are beyond the border.
"""

import numpy as np

from ..jit import lanes
from ..jit.lanes import F64, I8, I64, LANES
from .coordinates import SNAP, snap

# A border's rule, for each axis, in the order of an array's columns; coordinates in voxels.
RULE = (
    "inner_low", "inner",  # what is between these needs no rule
    "support_low", "support_high",  # and what is outside of these is filled
    "fold_low", "fold_high",  # outside of these, a coordinate x is folded:
    "shift", "period", "turn",  # q = (x + shift) mod period, min(q, turn - q) - shift
    "clamp_low", "clamp_high",  # and then brought into these
    "last_cell",  # the greatest floor; beyond it the fraction grows to 1
    "above",  # from this floor on the neighbor above is beyond the border, and below from -1
    "last_nearest", "after_nearest",  # a nearest voxel beyond the former becomes the latter
)  # fmt: skip
INNER_LOW, INNER, SUPPORT_LOW, SUPPORT_HIGH, FOLD_LOW = range(5)
COLUMNS = len(RULE)

# The states of a voxel. On a FACE a fraction is 1, and what is below on that axis is not read.
OUTSIDE, INSIDE, FACE = 0, 1, 129
# Otherwise a sum of these: the neighbor below, or above, on an axis is beyond the border.
BELOW, ABOVE = (2, 8, 32), (4, 16, 64)


def at_most(b, value, limit):
    return b.select(b.fcmp_ordered("<", value, limit), value, limit)


def at_least(b, value, limit):
    """And `limit` in place of NaN."""
    return b.select(b.fcmp_ordered(">", value, limit), value, limit)


def _fold(b, x, rule):
    """A coordinate that is outside of fold_low..fold_high, brought back."""
    beyond = b.or_(
        b.fcmp_ordered("<", x, rule["fold_low"]), b.fcmp_ordered(">", x, rule["fold_high"])
    )
    q = b.fadd(x, rule["shift"])
    size, period = lanes.call(b, "fabs", q), rule["period"]
    size = b.fsub(size, b.fmul(period, lanes.call(b, "floor", b.fdiv(size, period))))
    negative = b.fcmp_ordered("<", q, lanes.constant(F64, [0.0] * LANES))
    q = b.select(negative, b.fsub(period, size), size)
    q = at_most(b, q, b.fsub(rule["turn"], q))
    return b.select(beyond, b.fsub(q, rule["shift"]), x)


def by_rules(b, snapped, rules, folds):
    """Coordinates where the border's rules take them, and which lanes have a place at all.

    Folding is skipped, a branch for all lanes, where no rule does it.
    """
    places = [b.fsub(v, lanes.constant(F64, [SNAP] * LANES)) for v in snapped]
    known = lanes.constant(lanes.I1, [1] * LANES)
    for x, rule in zip(places, rules, strict=True):
        known = b.and_(known, b.fcmp_ordered(">=", x, rule["support_low"]))
        known = b.and_(known, b.fcmp_ordered("<=", x, rule["support_high"]))
    entry = b.basic_block
    with b.if_then(folds):
        folded = [_fold(b, x, rule) for x, rule in zip(places, rules, strict=True)]
        folding = b.basic_block
    for axis in range(3):
        place = b.phi(lanes.vector(F64))
        place.add_incoming(places[axis], entry)
        place.add_incoming(folded[axis], folding)
        places[axis] = place
    for axis, rule in enumerate(rules):
        place = at_most(b, at_least(b, places[axis], rule["clamp_low"]), rule["clamp_high"])
        places[axis] = snap(b, place)
    return places, known


def beyond(b, floors, rules):
    """The neighbors of a cell that are beyond the border, as a sum of BELOW and ABOVE."""
    flags = lanes.constant(I8, [0] * LANES)
    for axis in range(3):
        below = b.fcmp_ordered("<", floors[axis], lanes.constant(F64, [SNAP] * LANES))
        above = b.fcmp_ordered(">=", floors[axis], snap(b, rules[axis]["above"]))
        for test, flag in ((below, BELOW[axis]), (above, ABOVE[axis])):
            of_axis = b.select(
                test,
                lanes.constant(I8, [flag] * LANES),
                lanes.constant(I8, [0] * LANES),
            )
            flags = b.or_(flags, of_axis)
    return flags


def folds_any(b, border):
    """Whether the rules fold; all axes do, or none."""
    return b.fcmp_ordered(">", b.load(b.gep(border, [I64(FOLD_LOW)])), F64(-np.inf))


def rules_of(b, border):
    """The numbers of each axis's rule in all lanes, from the array (3, len(RULE))."""
    return [
        {
            name: lanes.splat(b, b.load(b.gep(border, [I64(axis * COLUMNS + column)])))
            for column, name in enumerate(RULE)
        }
        for axis in range(3)
    ]
