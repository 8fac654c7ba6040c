"""Coordinates along a row: float64, eight lanes at a time, snapped.

Each is snapped to a multiple of 2^-32 voxel by adding `SNAP`, whose last bit is worth just
that; then 1e-15 below zero is zero, and a turn by 90 degrees loses no voxel at the border.
Floor and bounds are taken of the snapped number, which SNAP is left in.
"""

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import lanes
from ..jit.lanes import F64, I64, LANES
from ..jit.vec import Vec, splat, vecs

SNAP = 1.5 * 2.0**20  # float64 there is spaced by 2^-32
ROUNDING = 2.0**-32  # and up to MAX_AXIS_LENGTH voxels: SNAP +- these stays below 2^21


def polynomial(t, coefficients):
    """Horner's rule in all lanes; `coefficients` are scalars, the constant first."""
    value = splat(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value.multiply_add(t, splat(coefficient))
    return value


def floor(snapped):
    """Floor of a snapped coordinate: its fraction is the lower half of the bits."""
    whole = snapped.bitcast(I64) & -(2**32)
    return whole.bitcast(F64)


def snap(values):
    """Snapped lanes of coordinates, or the limits that these are compared with."""
    return values + SNAP


def coordinates(b, offset, polynomials, count):
    """Snapped coordinates of eight voxels from `offset` on, by a polynomial an axis."""
    start = Vec(b, offset).convert("sitofp", F64)
    t = splat(start) + Vec(b, lanes.constant(F64, range(LANES)))
    scalars = vecs(b, cgutils.unpack_tuple(b, polynomials, count))
    terms = count // 3
    return [polynomial(t, scalars[terms * axis : terms * (axis + 1)]) for axis in range(3)]


@intrinsic
def multiply_add(typingctx, factor, other, term):
    """``factor * other + term`` of floats, rounded as it is in the lanes."""
    kind = term if isinstance(term, types.Float) else types.float64
    signature = kind(kind, kind, kind)

    def codegen(context, b, signature, arguments):
        return lanes.call(b, "fmuladd", *arguments)

    return signature, codegen
