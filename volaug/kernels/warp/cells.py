"""From a row's coordinates to its cells: where each voxel of the row reads.

The cell of a coordinate is the linear index of the voxel below it on all three axes,
and three fractions in [0, 1]. A row's cells are kept in small buffers, which stay in the
L1 cache and serve every channel of every volume that is warped together. `cells` are their
addresses (an array would be counted as a reference wherever it is passed on: 40 ns a row)
and which of them are filled:

    index      int64 a voxel      linear index into the source
    fractions  float, 3 rows      along axes 0, 1, 2
    length                        of such a row
    nearest    int64              linear index of the nearest voxel, half a voxel rounding up
    inside     uint8              the state: INSIDE or another, see borders.py; of the inner
                                  part of a row, only those of the first eight are written
    windows                       tables of the parallel part, see windows.py
    blended    float              for a row of the source, interpolated along axes 0 and 1;
                                  or for labels, see label_rows.py
    wants_cells                   whether index and fractions are written
    wants_nearest                 whether nearest is

Nothing becomes an integer before it is known to be in range; the floor of a coordinate is
float64, and the index is calculated so (it is below 2^51, and exact). Where it is not known
that a block of eight is inside, the border's rule is applied to each, see borders.py.

Tried on a Zen 4 core, and slower: index and fractions from the two 32-bit halves of the
snapped bits, in integers (18 shuffles a block, 1.3 times the time); four lanes at a time (1.2).
"""

import numpy as np
from numba import int64, types, uint8
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import lanes
from ..jit.dtypes import voxel
from ..jit.lanes import F32, F64, I8, I64, LANES
from ..jit.options import device
from ..jit.row_arguments import Cells
from ..jit.vec import Vec, fields, select, splat, vecs
from .borders import FACE, INSIDE, OUTSIDE, by_rules, folds_any, out_of_bounds, rules_of
from .coordinates import SNAP, coordinates, floor, snap

TO_INTEGER = 1.5 * 2.0**52  # added to a whole float64, leaves it in the low bits
TO_INTEGER_BITS = int(np.float64(TO_INTEGER).view(np.int64))


def _linear_index(floors, strides):
    """floor0 * plane + floor1 * row + floor2, exact in float64, as int64."""
    plane, row = strides
    # each floor is still SNAP too large; the three leave with one constant
    excess = SNAP * (plane + row + 1.0)
    value = floors[2] + splat(TO_INTEGER - excess)
    value = floors[1].multiply_add(splat(row), value)
    value = floors[0].multiply_add(splat(plane), value)
    return value.bitcast(I64) - TO_INTEGER_BITS


class _Block:
    """Eight voxels of a row, whose cells go to the buffers from element `at` on.

    Without a `border` all of them are known to be INSIDE. With one, `inside` is written, and
    voxels that are OUTSIDE get the index 0.
    """

    def __init__(self, b, cells, at, snapped, strides, border=None):
        self.b, self.cells, self.at = b, fields(b, Cells, cells), Vec(b, at)
        self.snapped, self.strides = snapped, vecs(b, cgutils.unpack_tuple(b, strides, 2))
        self.rules = None if border is None else rules_of(b, border)
        if border is not None:
            folds = folds_any(b, border)
            self.snapped, self.known = by_rules(snapped, self.rules, folds)
            self.store_states(self.states(INSIDE))

    def states(self, value):
        return Vec(self.b, lanes.constant(I8, [value] * LANES))

    def store_states(self, states):
        self.store(select(self.known, states, OUTSIDE), self.cells.inside, self.at)

    def store(self, value, address, place):
        pointer = self.b.inttoptr(address.value, value.element.as_pointer())
        lanes.store(self.b, value.value, pointer, place.value)

    def store_index(self, floors, address):
        linear = _linear_index(floors, self.strides)
        if self.rules is not None:
            linear = select(self.known, linear, 0)
        self.store(linear, address, self.at)

    def store_cell(self, fraction):
        """Index and fractions, and which neighbors are out of bounds."""
        floors = [floor(v) for v in self.snapped]
        if self.rules is not None:
            floors, states = self.cell_by_rule(floors)
            self.store_states(states)
        self.store_index(floors, self.cells.index)
        for axis in range(3):
            weight = self.snapped[axis] - floors[axis]
            if fraction == types.float32:
                weight = weight.convert("fptrunc", F32)
            self.store(weight, self.cells.fractions, self.cells.length * axis + self.at)

    def cell_by_rule(self, floors):
        """Floors of which none is after the last cell's, and the states of the voxels."""
        limits = [snap(rule["last_cell"]) for rule in self.rules]
        faces = [low > limit for low, limit in zip(floors, limits, strict=True)]
        on_face = faces[0] | faces[1] | faces[2]
        floors = [low.min(limit) for low, limit in zip(floors, limits, strict=True)]
        flags = out_of_bounds(floors, self.rules)
        inside = select(on_face, FACE, self.states(INSIDE))
        return floors, select(flags == 0, inside, flags)

    def store_nearest(self):
        """The index of the nearest voxel."""
        floors = [floor(v + 0.5) for v in self.snapped]
        if self.rules is not None:
            for axis, rule in enumerate(self.rules):
                last, after = snap(rule["last_nearest"]), snap(rule["after_nearest"])
                floors[axis] = select(floors[axis] > last, after, floors[axis])
        self.store_index(floors, self.cells.nearest)

    def store_outputs(self, fraction):
        """What the flags of `cells` ask for."""
        b = self.b
        with b.if_then((self.cells.wants_cells != 0).value):
            self.store_cell(fraction)
        with b.if_then((self.cells.wants_nearest != 0).value):
            self.store_nearest()


# Of all three: lanes 0..7 are at `offset + lane` along the row, and their cells go to the buffers
# from element `at` on, with fractions of the type `fraction`. `polynomials` are three times as
# many coefficients as terms, the constant term first and SNAP included in it; linear on an
# affine row, cubic in a span of a B-spline.
def _inside(store):
    """The intrinsic that stores cells of eight voxels that are known to be INSIDE."""

    def store_block(typingctx, fraction, cells, at, offset, polynomials, strides):
        signature = types.void(fraction, cells, at, offset, polynomials, strides)

        def codegen(context, b, signature, arguments):
            _, cells, at, offset, polynomials, strides = arguments
            snapped = coordinates(b, offset, polynomials, signature.args[4].count)
            store(_Block(b, cells, at, snapped, strides), signature.args[0].dtype)
            return context.get_dummy_value()

        return signature, codegen

    return store_block


cell_inside = intrinsic(_inside(_Block.store_cell))
outputs_inside = intrinsic(_inside(_Block.store_outputs))


@intrinsic
def outputs_by_rule(typingctx, fraction, cells, at, offset, polynomials, strides, border):
    """The outputs of eight voxels, each by the border's rule."""
    signature = types.void(fraction, cells, at, offset, polynomials, strides, border)

    def codegen(context, b, signature, arguments):
        _, cells, at, offset, polynomials, strides, border = arguments
        snapped = coordinates(b, offset, polynomials, signature.args[4].count)
        rules = b.inttoptr(border, F64.as_pointer())
        _Block(b, cells, at, snapped, strides, rules).store_outputs(signature.args[0].dtype)
        return context.get_dummy_value()

    return signature, codegen


@device
def cells_inside(fraction, cells, first, stop, offset, polynomials, strides):
    """The cells of voxels first..stop, which are INSIDE; `first` is at `offset` along the row."""
    # two loops: with the flags tested in one, its constants are loaded for each block, and
    # locating takes 1.2 times as long
    if cells.wants_nearest:
        for at in range(first, stop, LANES):
            outputs_inside(fraction, cells, at, at - first + offset, polynomials, strides)
    else:
        for at in range(first, stop, LANES):
            cell_inside(fraction, cells, at, at - first + offset, polynomials, strides)


@device
def cells_by_rule(fraction, cells, first, stop, offset, polynomials, strides, border):
    """The cells of voxels first..stop; `first` is at `offset` along the row."""
    for at in range(first, stop, LANES):
        outputs_by_rule(fraction, cells, at, at - first + offset, polynomials, strides, border)


@intrinsic
def set_states(typingctx, cells, at, state):
    """Make the eight states from `at` on equal to `state`."""
    signature = types.void(cells, at, state)

    def codegen(context, b, signature, arguments):
        cells, at, state = arguments
        inside = b.inttoptr(fields(b, Cells, cells).inside.value, I8.as_pointer())
        lanes.store(b, splat(Vec(b, state).convert("trunc", I8)).value, inside, at)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def equal_states(typingctx, cells, at, state):
    """How many of the eight states from `at` on equal `state`, up to the first that does not."""
    signature = types.int64(cells, at, state)

    def codegen(context, b, signature, arguments):
        cells, at, state = arguments
        inside = b.inttoptr(fields(b, Cells, cells).inside.value, I8.as_pointer())
        eight = b.load(b.bitcast(b.gep(inside, [at]), I64.as_pointer()))
        eight.align = 1
        different = Vec(b, eight) ^ (Vec(b, state) * 0x0101010101010101)
        # the lowest byte is the first one: little-endian, as all that Numba compiles for
        return (different.like(b.cttz(different.value, lanes.I1(0))) >> 3).value

    return signature, codegen


@device
def state_of(cells, i):
    """OUTSIDE, INSIDE, FACE, or which neighbors are out of bounds."""
    return np.int64(voxel(uint8, cells.inside, i))


@device
def cell_of(fraction, cells, i):
    """The index and the three fractions of one voxel."""
    return voxel(int64, cells.index, i), (
        voxel(fraction, cells.fractions, i),
        voxel(fraction, cells.fractions, i + cells.length),
        voxel(fraction, cells.fractions, i + 2 * cells.length),
    )


@device
def end_of_run(cells, run, state, first, stop):
    """Where the run of voxels of a `state` ends that begins at `first`."""
    end = first
    equal = LANES
    while equal == LANES and end < stop:
        if state == INSIDE and run.inner_first <= end < run.inner_stop:
            end = run.inner_stop
        else:
            equal = equal_states(cells, end, state)
            end += equal
    return min(end, stop)
