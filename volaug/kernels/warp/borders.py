"""What becomes of a coordinate outside of the volume: all borders by the same instructions.

A border's rule is a row of numbers for each axis. It is applied to blocks of eight voxels of
which it is not known that they are inside, and may take some of them into the volume, leave
others outside, and say of others which of their neighbors are out of bounds.
"""

import numpy as np

from ..jit import lanes
from ..jit.lanes import I8, I64, LANES
from ..jit.vec import Vec, joined, select, splat
from .coordinates import SNAP, snap

# A border's rule, for each axis, in the order of an array's columns; coordinates in voxels.
RULE = (
    "inner_low", "inner",  # what is between these needs no rule
    "support_low", "support_high",  # and what is outside of these is filled
    "fold_low", "fold_high",  # outside of these, a coordinate x is folded:
    "shift", "period", "turn",  # q = (x + shift) mod period, min(q, turn - q) - shift
    "clamp_low", "clamp_high",  # and then brought into these
    "last_cell",  # the maximum of the floor; after it the fraction grows to 1
    "above",  # from this floor on the neighbor above is out of bounds, and below from -1
    "last_nearest", "after_nearest",  # a nearest voxel after the former becomes the latter
)  # fmt: skip
INNER_LOW, INNER, SUPPORT_LOW, SUPPORT_HIGH, FOLD_LOW = range(5)
LAST_NEAREST = RULE.index("last_nearest")
COLUMNS = len(RULE)

# The states of a voxel. On a FACE a fraction is 1, and what is below on that axis is not read.
OUTSIDE, INSIDE, FACE = 0, 1, 129
# Otherwise a sum of these: the neighbor below, or above, on an axis is out of bounds.
BELOW, ABOVE = (2, 8, 32), (4, 16, 64)


def _fold(x, rule):
    """A coordinate that is outside of fold_low..fold_high, brought back."""
    is_outside = (x < rule["fold_low"]) | (x > rule["fold_high"])
    q = x + rule["shift"]
    size, period = q.call("fabs"), rule["period"]
    size = size - period * (size / period).call("floor")
    q = select(q < 0.0, period - size, size)
    q = q.min(rule["turn"] - q)
    return select(is_outside, q - rule["shift"], x)


def _fold_all(places, rules, folds):
    """Coordinates folded by the rules; skipped, a branch for all lanes, where no rule folds."""
    b = folds.b
    before = b.basic_block
    with b.if_then(folds.value):
        folded = [_fold(x, rule) for x, rule in zip(places, rules, strict=True)]
        after = b.basic_block
    return [joined(((x, before), (y, after))) for x, y in zip(places, folded, strict=True)]


def _are_supported(places, rules):
    """Which lanes the border does not fill."""
    supported = Vec(places[0].b, lanes.constant(lanes.I1, [1] * LANES))
    for x, rule in zip(places, rules, strict=True):
        supported = supported & (x >= rule["support_low"])
        supported = supported & (x <= rule["support_high"])
    return supported


def by_rules(snapped, rules, folds):
    """Coordinates where the border's rules take them, and which lanes have a place at all."""
    places = [v - SNAP for v in snapped]
    known = _are_supported(places, rules)
    places = _fold_all(places, rules, folds)
    for axis, rule in enumerate(rules):
        places[axis] = snap(places[axis].max(rule["clamp_low"]).min(rule["clamp_high"]))
    return places, known


def out_of_bounds(floors, rules):
    """The neighbors of a cell that are out of bounds, as a sum of BELOW and ABOVE."""
    flags = nothing = Vec(floors[0].b, lanes.constant(I8, [0] * LANES))
    for axis in range(3):
        below = floors[axis] < SNAP
        above = floors[axis] >= snap(rules[axis]["above"])
        flags = flags | select(below, BELOW[axis], nothing)
        flags = flags | select(above, ABOVE[axis], nothing)
    return flags


def folds_any(b, border):
    """Whether the rules fold; all axes do, or none."""
    return Vec(b, b.load(b.gep(border, [I64(FOLD_LOW)]))) > -np.inf


def rules_of(b, border):
    """The numbers of each axis's rule in all lanes, from the array (3, len(RULE))."""
    return [
        {
            name: splat(Vec(b, b.load(b.gep(border, [I64(axis * COLUMNS + column)]))))
            for column, name in enumerate(RULE)
        }
        for axis in range(3)
    ]
