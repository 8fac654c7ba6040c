"""Uniform cubic B-spline lattices over an output grid.

Control points are coefficients of an approximating spline. On an axis of `n` voxels with `k`
control points there are ``k - 3`` knot spans of ``h = (n - 1) / (k - 3)`` voxels, the first of
which begins on the first voxel and the last of which ends on the last one; in span `s` the
displacement is a cubic polynomial made of control points ``s .. s + 3`` (Unser, "Splines: a
perfect fit for signal and image processing", IEEE Signal Processing Magazine 16(6), 1999).
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...kernels.spline.polynomials import span_coefficients
from .blas import inv, tensordot

Floats = npt.NDArray[np.float64]

# The polynomial of a span, lowest power first, from its four control points.
TO_POLYNOMIAL = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6.0

# The Bezier points of a span from its four control points: a hull that touches the curve.
TO_BEZIER = np.array([[1, 4, 1, 0], [0, 4, 2, 0], [0, 2, 4, 0], [0, 1, 4, 1]]) / 6.0


# Maximum knot spans along each axis of the lattice on which the displacements of a warp are added.
MAX_SPANS = 64


class SplineMap(NamedTuple):
    """An affine map of a displaced grid, in the form that the kernels evaluate."""

    lattice: Floats  # (k0, k1, 12 * spans): per span along axis 2, 3 axes of 4 coefficients
    density: Floats  # (2,) knot spans per voxel along axes 0 and 1
    starts: npt.NDArray[np.int64]  # (spans + 1,) first voxel of each span, and the end
    bounds: Floats  # (6,) minimum and maximum displacement of each axis


def knot_spacing(shape: tuple[int, ...], lattice: tuple[int, ...]) -> list[float]:
    """Voxels between two knots; 1 on an axis of one voxel, which lies on the first knot."""
    return [(n - 1) / (k - 3) if n > 1 else 1.0 for n, k in zip(shape, lattice, strict=True)]


def of_coordinates(affine: Floats, displacement: Floats, shape: tuple[int, ...]) -> Floats:
    """Control points of the coordinates at which a grid reads.

    Parameters
    ----------
    affine : (3, 4) array
        From the grid to coordinates. A B-spline reproduces a linear function of the knots'
        places, so that it is a part of the control points from here on.
    displacement : (3, k0, k1, k2) array
        Control points of what is added to those coordinates.
    shape : (3,) ints
    """
    # (3, k): what the knots along each axis add
    along_0, along_1, along_2 = (
        affine[:, axis, np.newaxis] * ((np.arange(k) - 1) * h)
        for axis, (k, h) in enumerate(_knots(displacement, shape))
    )
    planes = along_1[:, :, np.newaxis] + (along_2 + affine[:, 3:])[:, np.newaxis]
    coordinates = displacement + planes[:, np.newaxis]
    coordinates += along_0[:, :, np.newaxis, np.newaxis]
    return coordinates


def _knots(control_points: Floats, shape: tuple[int, ...]) -> list[tuple[int, float]]:
    """How many control points there are along each axis, and the spacing of their knots."""
    lattice = control_points.shape[1:]
    return list(zip(lattice, knot_spacing(shape, lattice), strict=True))


def spline_map(affine: Floats, displacement: Floats, shape: tuple[int, ...]) -> SplineMap:
    """Turn an affine map and control points into polynomials along axis 2 of a grid of `shape`.

    Parameters
    ----------
    affine, displacement, shape
        As for `of_coordinates`.

    Notes
    -----
    The polynomials are in voxels from the first voxel of their span. Blending the rows of the
    lattice along axes 0 and 1, which is linear, may as well be done with them as with the
    control points.
    """
    lattice, starts = row_polynomials(of_coordinates(affine, displacement, shape), shape[2])
    density = 1.0 / np.array(knot_spacing(shape, displacement.shape[1:])[:2])
    flat, bounds = displacement.reshape(3, -1), np.empty(6)
    flat.min(axis=1, out=bounds[::2])
    flat.max(axis=1, out=bounds[1::2])
    return SplineMap(lattice, density, starts, bounds)


def row_polynomials(control_points: Floats, length: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Of each row of a lattice, the polynomials of its knot spans along axis 2.

    Parameters
    ----------
    control_points : (n, k0, k1, k2) array
        Of `n` functions.
    length : int
        Of the grid along axis 2, in voxels.

    Returns
    -------
    (k0, k1, 4 * n * (k2 - 3)) array
        Span by span, and in it function by function; the lowest power first.
    (k2 - 2,) array
        The first voxel of each span, and the end.
    """
    count, k0, k1, k2 = control_points.shape
    to_polynomial, starts = span_polynomials(length, k2)
    polynomials = np.empty((k0, k1, 4 * count * (k2 - 3)))
    # of one layout and kind, so that the kernel is compiled once
    points = np.require(control_points, np.float64, ["C", "W"])
    span_coefficients(points, to_polynomial, polynomials)
    return polynomials, starts


@functools.lru_cache(64)
def span_polynomials(length: int, points: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Of so many control points on an axis: matrices from four of them to a span's polynomial.

    Returns
    -------
    (points - 3, 4, 4) array
        From the right: four control points times this are the coefficients of a polynomial in
        voxels from the first voxel of the span, the lowest power first.
    (points - 2,) array
        The first voxel of each span, and the end.
    """
    (spacing,) = knot_spacing((length,), (points,))
    spans = points - 3
    starts = np.minimum(np.ceil(np.arange(spans + 1) * spacing), length).astype(np.int64)
    starts[-1] = length
    begin = starts[:-1] / spacing - np.arange(spans)  # in spans, 0 to 1
    density = 1.0 / spacing
    one, zero = np.ones(spans), np.zeros(spans)
    # p(begin + density * i) as a polynomial in i
    rebase = np.array(
        [
            [one, begin, begin**2, begin**3],
            [zero, density * one, 2 * density * begin, 3 * density * begin**2],
            [zero, zero, density**2 * one, 3 * density**2 * begin],
            [zero, zero, zero, density**3 * one],
        ]
    )
    to_polynomial = np.ascontiguousarray(np.einsum("pqs,qc->scp", rebase, TO_POLYNOMIAL))
    return to_polynomial, starts


def along(matrix: Floats, values: Floats, axis: int) -> Floats:
    """`matrix` times the values along one axis."""
    return np.moveaxis(tensordot(matrix, values, (1, axis)), 0, axis)


def level(control_points: Floats, shape: tuple[int, ...]) -> Floats:
    """Control points of the same values at the voxels, constant along axes of one voxel."""
    for axis, length in enumerate(shape, start=1):
        if length == 1:
            to_value = np.zeros((4, control_points.shape[axis]))
            to_value[:, :4] = TO_BEZIER[0]
            control_points = along(to_value, control_points, axis)
    return control_points


def refined(control_points: Floats, spans: tuple[int, ...]) -> Floats:
    """Control points of the same displacement on so many times finer a lattice.

    Parameters
    ----------
    control_points : (3, k0, k1, k2) array
    spans : (3,) ints
        Knot spans along each axis, a multiple of those there are.

    Notes
    -----
    A B-spline of a spacing is a sum of those of an m-th of it, with the coefficients of
    ``((1 + z + .. + z^(m - 1)) / m)^4 * m`` (Unser 1999, the m-scale relation).
    """
    for axis, (wanted, length) in enumerate(zip(spans, control_points.shape[1:], strict=True), 1):
        factor = wanted // (length - 3)
        if factor > 1:
            box = np.full(factor, 1.0 / factor)
            parts = factor * np.convolve(np.convolve(box, box), np.convolve(box, box))
            to_finer = np.zeros((wanted + 3, length))
            for i in range(length):
                # from the knot (i - 1) * factor on both sides, and one knot before the first
                first = (i - 1) * factor - 2 * (factor - 1) + 1
                for place, part in enumerate(parts, first):
                    if 0 <= place < wanted + 3:
                        to_finer[place, i] = part
            control_points = along(to_finer, control_points, axis)
    return control_points


def interpolating(samples: Floats) -> Floats:
    """Control points (3, s0 + 3, s1 + 3, s2 + 3) from values (3, s0 + 1, ...) at the knots.

    The two that are left on an axis let its third derivative be continuous at the second knot
    and at the last but one ("not-a-knot", which keeps the fourth order up to the ends); for
    this there must be three spans. One value alone is a constant.
    """
    for axis in (1, 2, 3):
        knots = samples.shape[axis]
        if knots == 1:
            to_control_points = np.ones((4, 1))
        else:
            values = np.zeros((knots + 2, knots + 2))
            for knot in range(knots):
                values[knot + 1, knot : knot + 3] = TO_BEZIER[0, :3]
            values[0, :5] = values[-1, -5:] = 1, -4, 6, -4, 1
            to_control_points = inv(values)[:, 1:-1]
        samples = along(to_control_points, samples, axis)
    return samples
