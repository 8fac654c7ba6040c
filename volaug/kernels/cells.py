"""From a row's coordinates to its cells: where each voxel of the row reads.

The cell of a coordinate is the linear index of the voxel below it on all three axes,
and three fractions in [0, 1). A row's cells are kept in three small buffers, which stay
in the L1 cache and serve every channel:

    index      (n,) int64         linear index into the source
    fractions  (3, n) float       along axes 0, 1, 2; None where the nearest voxel is wanted
    inside     (n,) uint8         OUTSIDE, INSIDE, or on the last FACE of the source

Coordinates are float64, eight lanes at a time. Each is snapped to a multiple of 2^-32
voxel by adding `SNAP`, whose last bit is worth just that; then 1e-15 below zero is zero,
and a turn by 90 degrees loses no voxel at the border. Floor, index and bounds are taken
of the snapped number; nothing becomes an integer before it is known to be in range (but
`floor` is, as float64: an index is below 2^51 and so exact in it).

Tried on a Zen 4 core, and slower: index and fractions from the two 32-bit halves of the
snapped bits, in integers (18 shuffles a block, 1.3 times the time); four lanes at a time (1.2).
"""

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import lanes
from .lanes import F32, F64, I8, I64, LANES
from .options import device

SNAP = 1.5 * 2.0**20  # float64 there is spaced by 2^-32
ROUNDING = 2.0**-32
LONGEST_AXIS = 2**19  # and up to here: SNAP +- this stays below 2^21
TO_INTEGER = 1.5 * 2.0**52  # added to a whole float64, leaves it in the low bits
TO_INTEGER_BITS = int(np.float64(TO_INTEGER).view(np.int64))

OUTSIDE, INSIDE, FACE = 0, 1, 2


def _polynomial(b, t, coefficients):
    """Horner's rule in all lanes; `coefficients` are scalars, the constant first."""
    value = lanes.splat(b, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = lanes.call(b, "fmuladd", F64, value, t, lanes.splat(b, coefficient))
    return value


def _all_axes(b, relation, values, limits):
    """Lanes where `relation` holds between a value and its limit on all three axes."""
    tests = [
        b.fcmp_ordered(relation, value, lanes.splat(b, limit))
        for value, limit in zip(values, limits, strict=True)
    ]
    return b.and_(b.and_(tests[0], tests[1]), tests[2])


def _floor(b, snapped):
    """Floor of a snapped coordinate: its fraction is the lower half of the bits."""
    bits = b.bitcast(snapped, lanes.vector(I64))
    whole = b.and_(bits, lanes.constant(I64, [-(2**32)] * LANES))
    return b.bitcast(whole, lanes.vector(F64))


def _at_most(b, value, limit):
    return b.select(b.fcmp_ordered("<", value, limit), value, limit)


def _linear_index(b, floors, plane, row):
    """floor0 * plane + floor1 * row + floor2, exact in float64, as int64."""
    # each floor is still SNAP too large; the three leave with one constant
    excess = b.fmul(F64(SNAP), b.fadd(b.fadd(plane, row), F64(1.0)))
    value = b.fadd(floors[2], lanes.splat(b, b.fsub(F64(TO_INTEGER), excess)))
    value = lanes.call(b, "fmuladd", F64, floors[1], lanes.splat(b, row), value)
    value = lanes.call(b, "fmuladd", F64, floors[0], lanes.splat(b, plane), value)
    bits = b.bitcast(value, lanes.vector(I64))
    return b.sub(bits, lanes.constant(I64, [TO_INTEGER_BITS] * LANES))


def _store_cells(context, b, cells_type, cells, at, snapped, grid, checked):
    """Write the cells of eight snapped coordinates to the buffers, from element `at` on.

    Unchecked, all eight are INSIDE. Checked, lanes that are OUTSIDE get index 0, and lanes
    on a last FACE the cell before it, with a fraction of 1.
    """
    index_type, fractions_type, inside_type = cells_type
    index, fractions, inside = cgutils.unpack_tuple(b, cells, 3)
    plane, row, *limits = cgutils.unpack_tuple(b, grid, 8)
    limits = [b.fadd(limit, F64(SNAP)) for limit in limits]
    last, top = limits[:3], limits[3:]
    nearest = isinstance(fractions_type, types.NoneType)

    shift = lanes.constant(F64, [0.5 if nearest else 0.0] * LANES)
    floors = [_floor(b, b.fadd(v, shift) if nearest else v) for v in snapped]
    if checked:
        within = b.and_(
            _all_axes(b, ">=", snapped, [F64(SNAP)] * 3), _all_axes(b, "<=", snapped, last)
        )
        state = b.zext(within, lanes.vector(I8))
        if not nearest:
            before = [lanes.splat(b, b.fsub(limit, F64(1.0))) for limit in top]
            on_face = b.and_(within, b.not_(_all_axes(b, "<", snapped, top)))
            state = b.add(state, b.zext(on_face, lanes.vector(I8)))
            floors = [
                _at_most(b, floor, limit) for floor, limit in zip(floors, before, strict=True)
            ]
        lanes.store(b, state, lanes.data_of(context, b, inside_type, inside), at)

    linear = _linear_index(b, floors, plane, row)
    if checked:
        linear = b.select(within, linear, lanes.constant(I64, [0] * LANES))
    lanes.store(b, linear, lanes.data_of(context, b, index_type, index), at)
    if not nearest:
        rows = context.make_array(fractions_type)(context, b, fractions)
        width = b.extract_value(rows.shape, 1)
        for axis in range(3):
            fraction = b.fsub(snapped[axis], floors[axis])
            if fractions_type.dtype == types.float32:
                fraction = b.fptrunc(fraction, lanes.vector(F32))
            lanes.store(b, fraction, rows.data, b.add(b.mul(width, I64(axis)), at))


@intrinsic
def multiply_add(typingctx, factor, other, term):
    """``factor * other + term`` of scalars, rounded as it is in the lanes."""
    signature = types.float64(types.float64, types.float64, types.float64)

    def codegen(context, b, signature, arguments):
        kind = lanes.ir.FunctionType(F64, [F64] * 3)
        function = cgutils.get_or_insert_function(b.module, kind, "llvm.fmuladd.f64")
        return b.call(function, arguments)

    return signature, codegen


def _block(checked):
    """The intrinsic that writes the cells of eight voxels along a polynomial."""

    def store_block(typingctx, cells, at, offset, polynomials, grid):
        signature = types.void(cells, at, offset, polynomials, grid)
        terms = polynomials.count // 3

        def codegen(context, b, signature, arguments):
            cells, at, offset, polynomials, grid = arguments
            t = b.fadd(lanes.splat(b, b.sitofp(offset, F64)), lanes.constant(F64, range(LANES)))
            scalars = cgutils.unpack_tuple(b, polynomials, 3 * terms)
            snapped = [
                _polynomial(b, t, scalars[terms * axis : terms * (axis + 1)]) for axis in range(3)
            ]
            cells_type = signature.args[0]
            _store_cells(context, b, cells_type, cells, at, snapped, grid, checked)
            return context.get_dummy_value()

        return signature, codegen

    return store_block


# (cells, at, offset, polynomials, grid): lanes 0..7 are at `offset + lane` along the row;
# `polynomials` are three times as many coefficients as terms, the constant term first and
# SNAP included in it; they are linear on an affine row, cubic in a span of a B-spline.
cells_inside = intrinsic(_block(checked=False))
cells_checked = intrinsic(_block(checked=True))


@intrinsic
def set_states(typingctx, inside, at, state):
    """Make the eight states from `at` on equal to `state`."""
    signature = types.void(inside, at, state)

    def codegen(context, b, signature, arguments):
        inside, at, state = arguments
        states = lanes.splat(b, b.trunc(state, I8))
        lanes.store(b, states, lanes.data_of(context, b, signature.args[0], inside), at)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def equal_states(typingctx, inside, at, state):
    """How many of the eight states from `at` on equal `state`, up to the first that does not."""
    signature = types.int64(inside, at, state)

    def codegen(context, b, signature, arguments):
        inside, at, state = arguments
        place = b.gep(lanes.data_of(context, b, signature.args[0], inside), [at])
        eight = b.load(b.bitcast(place, I64.as_pointer()))
        eight.align = 1
        different = b.xor(eight, b.mul(b.zext(state, I64), I64(0x0101010101010101)))
        # the lowest byte is the first one: little-endian, as all that Numba compiles for
        return b.lshr(b.cttz(different, lanes.I1(0)), I64(3))

    return signature, codegen


@device
def end_of_run(inside, first, stop):
    """Where the run of equal states ends that begins at `first`."""
    state = inside[first]
    end = first
    equal = LANES
    while equal == LANES and end < stop:
        equal = equal_states(inside, end, state)
        end += equal
    return min(end, stop)
