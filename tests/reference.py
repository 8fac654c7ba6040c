"""Each operation again, from its definition: slow, short and without Numba."""

import itertools

import numpy as np


def warp(volume, shape, matrix, offset, control_points=None, *, interpolation="linear", cval=0.0):
    """One voxel at a time, in float64; channels first if there are any."""
    if volume.ndim == 4:
        return np.stack(
            [
                warp(
                    v, shape, matrix, offset, control_points, interpolation=interpolation, cval=cval
                )
                for v in volume
            ]
        )
    result = np.full(shape, cval, dtype=np.float64 if interpolation == "linear" else volume.dtype)
    sample = trilinear if interpolation == "linear" else nearest
    for voxel in np.ndindex(*shape):
        place = np.array(voxel, dtype=float)
        if control_points is not None:
            place += displacement(control_points, shape, voxel)
        place = np.asarray(matrix) @ place + offset
        if (place >= 0).all() and (place <= np.subtract(volume.shape, 1)).all():
            result[voxel] = sample(volume, place)
    return result


def trilinear(volume, place):
    """The weighted mean of the eight voxels around `place`, which is in the volume."""
    low = np.floor(place).astype(int)
    total = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        weight = np.prod(np.where(corner, place - low, 1 - (place - low)))
        if weight > 0:
            total += weight * np.float64(volume[tuple(low + corner)])
    return total


def nearest(volume, place):
    """The voxel at `place`, half a voxel rounding up."""
    return volume[tuple(np.floor(place + 0.5).astype(int))]


def displacement(control_points, shape, voxel):
    """Sum of control points, each times a product of three B-splines around its knot."""
    weights = []
    for i, n, k in zip(voxel, shape, control_points.shape[1:], strict=True):
        spacing = (n - 1) / (k - 3) if n > 1 else 1.0
        # control point j stands on the knot at (j - 1) * spacing
        weights.append([cubic_bspline(i / spacing - (j - 1)) for j in range(k)])
    return np.einsum("cijk,i,j,k->c", control_points, *weights)


def displacement_field(control_points, shape):
    """`displacement` of every voxel, (3, n0, n1, n2)."""
    field = np.empty((3, *shape))
    for voxel in np.ndindex(*shape):
        field[(slice(None), *voxel)] = displacement(control_points, shape, voxel)
    return field


def cubic_bspline(x):
    """The cubic B-spline around 0, of support [-2, 2]."""
    x = abs(x)
    if x < 1:
        return 2 / 3 - x**2 + x**3 / 2
    if x < 2:
        return (2 - x) ** 3 / 6
    return 0.0


def cubic(coefficients, place, padding=0):
    """The spline at `place`: 64 coefficients, each times a product of three B-splines.

    The grid of the coefficients begins `padding` voxels before the volume.
    """
    place = np.asarray(place) + padding
    low = np.floor(place).astype(int) - 1
    weights = [
        [cubic_bspline(x - knot) for knot in range(first, first + 4)]
        for x, first in zip(place, low, strict=True)
    ]
    taps = coefficients[tuple(slice(first, first + 4) for first in low)]
    return np.einsum("ijk,i,j,k", taps, *weights)


def pull(matrix, offset, control_points, shape, point):
    """Where a place of the output reads; beyond the grid it is displaced as its nearest place."""
    nearest_place = np.clip(point, 0, np.subtract(shape, 1))
    moved = point + displacement(control_points, shape, nearest_place)
    return np.asarray(matrix) @ moved + offset


def determinant(matrix, control_points, shape, voxel):
    """Of the derivative of `pull`; the displacement is constant along an axis of one voxel."""
    slopes = np.zeros((3, 3))
    for axis in range(3):
        if shape[axis] == 1:
            continue
        weights = []
        for i, (x, n, k) in enumerate(zip(voxel, shape, control_points.shape[1:], strict=True)):
            spacing = (n - 1) / (k - 3) if n > 1 else 1.0
            places = [x / spacing - (j - 1) for j in range(k)]
            weights.append(
                [cubic_bspline_slope(p) / spacing for p in places]
                if i == axis
                else [cubic_bspline(p) for p in places]
            )
        slopes[:, axis] = np.einsum("cijk,i,j,k->c", control_points, *weights)
    return np.linalg.det(matrix @ (np.eye(3) + slopes))


def cubic_bspline_slope(x):
    """The derivative of `cubic_bspline`: the difference of two quadratic B-splines."""
    return quadratic_bspline(x + 0.5) - quadratic_bspline(x - 0.5)


def quadratic_bspline(x):
    """The quadratic B-spline around 0, of support [-1.5, 1.5]."""
    x = abs(x)
    if x < 0.5:
        return 0.75 - x**2
    if x < 1.5:
        return (1.5 - x) ** 2 / 2
    return 0.0
