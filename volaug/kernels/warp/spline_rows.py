"""Where each voxel of one output row of a B-spline warp reads.

Such a row is a cubic polynomial in each knot span. The field is separable: the 4 x 4
rows of the lattice around the output row are blended to one, first along axis 0 (once for
all rows of a tile that share z) and then along axis 1. What is blended are not the control
points but the polynomials they stand for, made once a call, so that a row needs nothing
but the blend: 12 numbers a span, and then Horner's rule with 3 multiply-adds an axis and
voxel, where a sum over 4 x 4 x 4 control points has 192.
"""

from ..jit.lanes import LANES
from ..jit.options import device
from .borders import INNER, INSIDE, OUTSIDE, SUPPORT_HIGH, SUPPORT_LOW
from .cells import cells_by_rule, cells_inside, set_states
from .coordinates import SNAP
from .rows import number_of, run_of

# What is this near to a border, in voxels, is not known to be on either side: sums are rounded.
MARGIN = 1e-6

# The state of a span of a row of which only some voxels are inside.
MIXED = 2


@device
def cubic_weights(t):
    """The four cubic B-splines that are not zero at `t` in [0, 1] of a knot span."""
    s = 1.0 - t
    return (
        s * s * s / 6.0,
        (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
        (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0,
        t * t * t / 6.0,
    )


@device
def blend(weights, a, b, c, d, result):
    for i in range(result.shape[0]):
        result[i] = weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i] + weights[3] * d[i]


@device
def span_of(i, density, spans):
    """The knot span in which output index `i` lies, and the place in it, 0 to 1."""
    span = min(int(i * density), spans - 1)
    return span, i * density - span


@device
def blend_plane(lattice, density, z, y_first, y_last, plane):
    """Blend `lattice` (k0, k1, m) along axis 0 at output index `z`, for rows y_first..y_last."""
    span, t = span_of(z, density[0], lattice.shape[0] - 3)
    weights = cubic_weights(t)
    spans = lattice.shape[1] - 3
    first, last = span_of(y_first, density[1], spans)[0], span_of(y_last, density[1], spans)[0]
    for j in range(first, last + 4):
        blend(
            weights,
            lattice[span, j],
            lattice[span + 1, j],
            lattice[span + 2, j],
            lattice[span + 3, j],
            plane[j],
        )


@device
def blend_line(plane, density, y, line):
    """Blend what `blend_plane` left along axis 1, at output index `y`."""
    span, t = span_of(y, density[1], plane.shape[0] - 3)
    blend(cubic_weights(t), plane[span], plane[span + 1], plane[span + 2], plane[span + 3], line)


@device
def hull_of(affine, axis, first, stop, bounds):
    """The least and the greatest coordinate that voxels first..stop of a row can have on an axis.

    `bounds` are the minimum and the maximum displacement of each axis over the whole lattice.
    """
    start, step = affine[2 * axis] - SNAP, affine[2 * axis + 1]
    begin, end = start + step * first, start + step * (stop - 1)
    return min(begin, end) + bounds[2 * axis], max(begin, end) + bounds[2 * axis + 1]


@device
def surely_inside(affine, first, stop, border, bounds):
    """Whether voxels first..stop of a row are INSIDE, by the hull of all control points."""
    known = True
    for axis in range(3):
        low, high = hull_of(affine, axis, first, stop, bounds)
        known &= low > MARGIN and high < number_of(border, axis, INNER) - MARGIN
    return known


@device
def surely_outside(affine, width, border, bounds):
    """Whether a row is OUTSIDE, by the hull of all control points."""
    known = False
    for axis in range(3):
        low, high = hull_of(affine, axis, 0, width, bounds)
        known |= high < number_of(border, axis, SUPPORT_LOW) - MARGIN
        known |= low > number_of(border, axis, SUPPORT_HIGH) + MARGIN
    return known


@device
def span_state(polynomials, length, border):
    """Whether a span of a row is wholly INSIDE or OUTSIDE; MIXED if that is not known.

    A polynomial never leaves the hull of its four Bezier points.
    """
    state = INSIDE
    x = length - 1.0
    for axis in range(3):
        c0, c1 = polynomials[4 * axis] - SNAP, polynomials[4 * axis + 1] * x
        c2, c3 = polynomials[4 * axis + 2] * (x * x), polynomials[4 * axis + 3] * (x * x * x)
        b1, b2, b3 = c0 + c1 / 3, c0 + (2 * c1 + c2) / 3, c0 + c1 + c2 + c3
        low, high = min(c0, b1, b2, b3), max(c0, b1, b2, b3)
        if (
            high < number_of(border, axis, SUPPORT_LOW) - MARGIN
            or low > number_of(border, axis, SUPPORT_HIGH) + MARGIN
        ):
            return OUTSIDE
        if low < MARGIN or high > number_of(border, axis, INNER) - MARGIN:
            state = MIXED
    return state


@device
def snapped_polynomials(c):
    """Three cubic polynomials of four coefficients each, SNAP included in the constant terms."""
    return (
        c[0] + SNAP, c[1], c[2], c[3],
        c[4] + SNAP, c[5], c[6], c[7],
        c[8] + SNAP, c[9], c[10], c[11],
    )  # fmt: skip


@device
def fill_states(cells, first, stop, state):
    """Set the states of voxels first..stop, and of some more up to a whole block."""
    for at in range(first, stop, LANES):
        set_states(cells, at, state)


@device
def spans_inside(affine, border, starts, bounds):
    """The spans of a row that are INSIDE by the hull of all control points, as a half-open range.

    They follow each other, as what is added to a line is bounded. So only the ends are tried.
    """
    first, last = 0, starts.shape[0] - 2
    while first <= last and not surely_inside(
        affine, starts[first], starts[first + 1], border, bounds
    ):
        first += 1
    while last > first and not surely_inside(
        affine, starts[last], starts[last + 1], border, bounds
    ):
        last -= 1
    return first, last + 1


@device
def locate_spline_row(fraction, cells, line, affine, strides, border, starts, bounds):
    """Fill `cells` of one row of a B-spline warp, and return its `Run`, as of an affine row.

    `line` (12 * spans,) are the polynomials of the row's coordinates, without SNAP, `affine`
    as for an affine row, without the displacement, and `starts` (spans + 1,) the first voxel
    of each span and the end of the row.
    """
    # The last block of a span runs into the next one, which is written after it.
    width = starts[-1]
    inner_first, inner_stop = spans_inside(affine, border, starts, bounds)
    for s in range(starts.shape[0] - 1):
        first, stop = starts[s], starts[s + 1]
        polynomials = snapped_polynomials(line[12 * s : 12 * s + 12])
        state = INSIDE
        if not inner_first <= s < inner_stop:
            state = span_state(polynomials, stop - first, border)
            fill_states(cells, first, stop, state)
        elif s == inner_first:
            set_states(cells, first, INSIDE)
        if state == INSIDE:
            cells_inside(fraction, cells, first, stop, 0, polynomials, strides)
        elif state == MIXED:
            cells_by_rule(fraction, cells, first, stop, 0, polynomials, strides, border)
    return run_of(0, width, starts[inner_first], starts[inner_stop], width)
