"""Points through a displaced grid: forward, and backward by Newton's method.

A point `p` goes to ``p + u(p)``. The displacement and its derivative are sums over the
4 x 4 x 4 control points around the point, taken along axes 0 and 1 first: what is then left
are 12 numbers that lie side by side, so that the sums are vector code.
"""

import numpy as np

from ..jit.options import device, kernel
from ..warp.spline_rows import cubic_weights, span_of

# A residual this small, relative to the largest coordinate or to one voxel, is rounding.
ROUNDING = 1e-12

# The smallest part of a step that is tried when all of it does not decrease the residual.
MIN_STEP = 2.0**-12


@device
def cubic_slopes(t):
    """The derivatives of `cubic_weights`."""
    s = 1.0 - t
    return -0.5 * s * s, 1.5 * t * t - 2.0 * t, 2.0 * s - 1.5 * s * s, 0.5 * t * t


@device
def locate(point, density, last, shape, spans, splines):
    """The knot span of a point along each axis; its four B-splines and their slopes.

    Outside of the grid they are those of its nearest point, and the slopes are 0.
    """
    for axis in range(3):
        inside = min(max(point[axis], 0.0), last[axis])
        spans[axis], t = span_of(inside, density[axis], shape[axis] - 3)
        weights, slopes = cubic_weights(t), cubic_slopes(t)
        scale = density[axis] if inside == point[axis] else 0.0
        for i in range(4):
            splines[axis, 0, i] = weights[i]
            splines[axis, 1, i] = scale * slopes[i]


@device
def displace(lattice, density, last, point, spans, splines, sums, moved, derivative):
    """``moved = point + u(point)``, and its `derivative` (3, 3) by the point."""
    k0, k1, k2 = lattice.shape[0], lattice.shape[1], lattice.shape[2] // 3
    locate(point, density, last, (k0, k1, k2), spans, splines)
    first = 3 * spans[2]
    window = lattice[spans[0] : spans[0] + 4, spans[1] : spans[1] + 4, first : first + 12]
    weights, slopes = splines[1, 0], splines[1, 1]
    for m in range(12):
        value, slope0, slope1 = 0.0, 0.0, 0.0
        for i in range(4):
            blended, along = 0.0, 0.0
            for j in range(4):
                blended += weights[j] * window[i, j, m]
                along += slopes[j] * window[i, j, m]
            value += splines[0, 0, i] * blended
            slope0 += splines[0, 1, i] * blended
            slope1 += splines[0, 0, i] * along
        sums[0, m], sums[1, m], sums[2, m] = value, slope0, slope1
    for axis in range(3):
        value, slope0, slope1, slope2 = 0.0, 0.0, 0.0, 0.0
        for k in range(4):
            weight = splines[2, 0, k]
            value += weight * sums[0, 3 * k + axis]
            slope0 += weight * sums[1, 3 * k + axis]
            slope1 += weight * sums[2, 3 * k + axis]
            slope2 += splines[2, 1, k] * sums[0, 3 * k + axis]
        moved[axis] = point[axis] + value
        derivative[axis, 0], derivative[axis, 1], derivative[axis, 2] = slope0, slope1, slope2
        derivative[axis, axis] += 1.0


@device
def solve(m, a, b, c):
    """The x of ``m @ x = (a, b, c)`` by Cramer's rule; not finite if `m` is singular."""
    m00 = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
    m10 = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
    m20 = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
    m01 = m[0, 2] * m[2, 1] - m[0, 1] * m[2, 2]
    m11 = m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0]
    m21 = m[0, 1] * m[2, 0] - m[0, 0] * m[2, 1]
    m02 = m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]
    m12 = m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2]
    m22 = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    determinant = m[0, 0] * m00 + m[0, 1] * m10 + m[0, 2] * m20
    return (
        (m00 * a + m01 * b + m02 * c) / determinant,
        (m10 * a + m11 * b + m12 * c) / determinant,
        (m20 * a + m21 * b + m22 * c) / determinant,
    )


@kernel
def newton(lattice, density, last, wanted, steps, points, moved):
    """Take `points` at most so many `steps` towards where ``p + u(p)`` is `wanted`.

    lattice  (k0, k1, 3 * k2) control points, their three axes side by side
    density  (3,) knot spans per voxel
    last     (3,) last voxel of each axis of the grid
    wanted   (n, 3)
    points   (n, 3) where to begin; where it ended
    moved    (n, 3) for ``p + u(p)`` of the latter; without `steps`, that is all

    A step that does not decrease the residual is halved until it does; a point for which that
    does not help stays where it is.
    """
    spans, splines, sums = np.empty(3, np.int64), np.empty((3, 2, 4)), np.empty((3, 12))
    derivative, trial, result = np.empty((3, 3)), np.empty(3), np.empty(3)
    for n in range(points.shape[0]):
        y, p, value = wanted[n], points[n], moved[n]
        scale = max(1.0, abs(y[0]), abs(y[1]), abs(y[2]))
        rounding = (ROUNDING * scale) ** 2
        d0, d1, d2, size, minimum, taken = 0.0, 0.0, 0.0, 1.0, np.inf, 0
        while size > MIN_STEP:
            trial[0], trial[1], trial[2] = p[0] + size * d0, p[1] + size * d1, p[2] + size * d2
            displace(lattice, density, last, trial, spans, splines, sums, result, derivative)
            r0, r1, r2 = y[0] - result[0], y[1] - result[1], y[2] - result[2]
            residual = r0 * r0 + r1 * r1 + r2 * r2
            if residual < minimum:
                for axis in range(3):
                    p[axis], value[axis] = trial[axis], result[axis]
                minimum = residual
                if taken == steps or residual <= rounding:
                    break
                d0, d1, d2 = solve(derivative, r0, r1, r2)
                size, taken = 1.0, taken + 1
            else:
                size *= 0.5
