"""Each operation again, from its definition: slow, short and without Numba."""

import itertools
import math

import numpy as np

# A voxel's influence on a spline fades by 0.27 a voxel: this far out, by 5e-11.
FADED = 18


def warp(
    volume,
    shape,
    matrix,
    offset,
    control_points=None,
    *,
    interpolation="linear",
    mode="constant",
    cval=0.0,
):
    """One voxel at a time, in float64; channels first if there are any.

    What is mixed comes as float64, neither rounded nor saturated: see `rounded`.
    """
    if volume.ndim == 4:
        options = {"interpolation": interpolation, "mode": mode}
        fills = np.broadcast_to(cval, len(volume))
        channels = [
            warp(v, shape, matrix, offset, control_points, cval=fill, **options)
            for v, fill in zip(volume, fills, strict=True)
        ]
        return np.stack(channels)
    mixes = interpolation in ("linear", "cubic")
    result = np.full(shape, cval, dtype=np.float64 if mixes else volume.dtype)
    fill = result.flat[0]
    read = {"nearest": nearest, "linear": trilinear, "cubic": cubic, "label": label}[interpolation]
    source = coefficients(volume, mode, fill) if interpolation == "cubic" else volume
    for voxel in np.ndindex(*shape):
        place = np.array(voxel, dtype=float)
        if control_points is not None:
            place += displacement(control_points, shape, voxel)
        place = (np.asarray(matrix) @ place + offset).tolist()
        place = [fold(mode, x, n, interpolation) for x, n in zip(place, volume.shape, strict=True)]
        if None not in place:
            result[voxel] = read(source, place, mode, fill)
    return result


def fold(mode, x, n, interpolation="linear"):
    """Where on an axis of `n` voxels a coordinate reads; None if that is only the fill."""
    last = n - 1
    if mode == "constant":
        return x if 0 <= x <= last else None
    if mode == "edge-constant":
        inside = -0.5 <= x < n - 0.5
        # the mirrored spline goes on where voxels have no value but the outermost one
        return (x if interpolation == "cubic" else min(max(x, 0), last)) if inside else None
    if mode in ("nearest", "grid-constant"):  # further out, nothing changes any more
        margin = FADED - 1 if interpolation == "cubic" else 0 if mode == "nearest" else 2
        return min(max(x, -margin), last + margin)
    if 0 <= x <= last:
        return x
    if mode == "reflect":
        q = (x + 0.5) % (2 * n)
        return min(q, 2 * n - q) - 0.5
    if mode == "grid-wrap":
        return x % n
    if n == 1:
        return 0.0
    if mode == "mirror":
        q = x % (2 * last)
        return min(q, 2 * last - q)
    assert mode == "wrap"
    return x % last if x > 0 else last - (-x) % last  # the ends are one voxel; scipy's choice of it


def tap(mode, i, n):
    """Which voxel of an axis stands at index `i`, maybe beyond its ends; None for the fill."""
    if mode == "grid-constant":
        return i if 0 <= i < n else None
    if mode == "grid-wrap":
        return i % n
    if mode == "reflect":
        return min(i % (2 * n), 2 * n - 1 - i % (2 * n))
    if mode == "mirror":
        period = max(2 * n - 2, 1)
        return min(i % period, period - i % period) if n > 1 else 0
    return min(max(i, 0), n - 1)


def nearest(volume, place, mode, fill):
    """The voxel at `place`, half a voxel rounding up."""
    at = [tap(mode, math.floor(x + 0.5), n) for x, n in zip(place, volume.shape, strict=True)]
    return fill if None in at else volume[tuple(at)]


def cell(volume, place, mode, fill):
    """Of the eight voxels around `place` those with a weight: (steps from floor, weight, value)."""
    axes = (ends(x, n, mode) for x, n in zip(place, volume.shape, strict=True))
    for corner in itertools.product(*axes):
        steps, shares, at = zip(*corner, strict=True)
        yield steps, math.prod(shares), fill if None in at else volume[at]


def ends(x, n, mode):
    """Of the two voxels around `x` on an axis those with a share: (step from floor, share, tap)."""
    low = math.floor(x)
    shares = ((step, 1 - abs(low + step - x)) for step in (0, 1))
    return [(step, share, tap(mode, low + step, n)) for step, share in shares if share != 0]


def trilinear(volume, place, mode, fill):
    """The weighted mean of the eight voxels around `place`."""
    return sum(weight * np.float64(value) for _, weight, value in cell(volume, place, mode, fill))


def label(volume, place, mode, fill):
    """The label with the largest sum of weights; of equal ones the nearest voxel's, or the least.

    Half a voxel rounds up. Weights are rounded to 2^-17 voxel, so that what should tie does.
    """
    place = [math.floor(x) + round((x - math.floor(x)) * 2**17) / 2**17 for x in place]
    sums = {}
    for steps, weight, value in cell(volume, place, mode, fill):
        if all(s == (x - math.floor(x) >= 0.5) for s, x in zip(steps, place, strict=True)):
            nearest_label = value
        sums[value] = sums.get(value, 0.0) + weight
    most = max(sums.values())
    winners = [value for value, total in sums.items() if total > most - 1e-9]
    return nearest_label if nearest_label in winners else min(winners)


def cubic(coefficients, place, mode, fill):
    """The sum of 64 B-splines around `place`."""
    return spline_at(coefficients, place, FADED + 1)


def coefficients(volume, mode, fill):
    """Those of the B-splines whose sum goes through the voxels of the continued volume.

    From FADED + 1 before the first voxel to as many after the last.
    """
    rule = "mirror" if mode in ("constant", "edge-constant", "wrap") else mode
    level = fill if mode == "grid-constant" else 0.0  # the splines of a constant are it
    result = np.float64(volume) - level
    for axis, n in enumerate(volume.shape):
        continued = np.zeros((n + 4 * FADED, n))
        for row in range(len(continued)):
            at = tap(rule, row - 2 * FADED, n)
            if at is not None:
                continued[row, at] = 1
        sums = sum(np.eye(len(continued), k=k) * cubic_bspline(k) for k in (-1, 0, 1))
        needed = np.linalg.solve(sums, continued)[FADED - 1 : 1 - FADED]
        result = np.moveaxis(np.tensordot(needed, result, (1, axis)), 0, axis)
    return result + level


def rounded(values, dtype):
    """float64 as a dtype: integers half away from zero, and saturated."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    info = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    low, high = (0, 1) if dtype.kind == "b" else (info.min, info.max)
    whole = np.trunc(values)
    whole += np.sign(values) * (np.abs(values - whole) >= 0.5)
    result = np.where((low < whole) & (whole < high), whole, 0).astype(info.dtype)
    result[whole <= low], result[whole >= high] = low, high
    return result.astype(dtype)


def displacement(control_points, shape, voxel):
    """Sum of control points, each times a product of three B-splines around its knot."""
    axes = zip(voxel, shape, control_points.shape[1:], strict=True)
    weights = [knot_weights(i, n, k) for i, n, k in axes]
    return np.einsum("cijk,i,j,k->c", control_points, *weights)


def knot_weights(i, n, k):
    """The weight of each of `k` control points at place `i` of an axis of `n` voxels."""
    spacing = (n - 1) / (k - 3) if n > 1 else 1.0
    # control point j stands on the knot at (j - 1) * spacing
    return [cubic_bspline(i / spacing - (j - 1)) for j in range(k)]


def displacement_field(control_points, shape):
    """`displacement` of every voxel, (3, n0, n1, n2)."""
    axes = zip(shape, control_points.shape[1:], strict=True)
    weights = [np.array([knot_weights(i, n, k) for i in range(n)]) for n, k in axes]
    return np.einsum("cijk,xi,yj,zk->cxyz", control_points, *weights, optimize=True)


def coordinates(shape, matrix, offset, control_points=None):
    """Where every voxel of the output reads, (3, n0, n1, n2)."""
    places = np.indices(shape, dtype=float)
    if control_points is not None:
        places += displacement_field(control_points, shape)
    return np.einsum("ij,j...->i...", matrix, places) + np.reshape(offset, (-1, 1, 1, 1))


def cubic_bspline(x):
    """The cubic B-spline around 0, of support [-2, 2]."""
    x = abs(x)
    if x < 1:
        return 2 / 3 - x**2 + x**3 / 2
    if x < 2:
        return (2 - x) ** 3 / 6
    return 0.0


def spline_at(coefficients, place, padding=0):
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
