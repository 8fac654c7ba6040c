"""The inverse of an elastic warp, as a lattice over the input."""

from collections.abc import Callable

import numpy as np

from .blas import matmul, tensordot
from .bspline import Floats, interpolating
from .displacement import Displacement, displace, over_grid, undisplace

# The maximum error, in output voxels; and the maximum at the points where it is measured, since
# the error between them was up to 1.25 times as large.
ACCEPTED = 1e-3
AIM = 0.7e-3

# Number of points at which the error is measured, and maximum knots of the inverse.
CHECKS = 2**14
MAX_KNOTS = 2**20

# Spans by which a lattice extends outside of its grid.
MARGIN = 2


def inverse_control_points(
    affine: Floats, control_points: Floats, shape: tuple[int, ...], source: tuple[int, ...]
) -> Floats:
    """Return control points over the `source` grid that undo the displacement of a warp.

    The output voxel `o` reads the input at ``x = A (o + u(o)) + t``. The result is the displacement
    of `x` by ``A w(x)``, where ``w(x) = -u(o)``.

    Raises
    ------
    ValueError
        If the displacement folds, or no lattice reaches `ACCEPTED`.
    """
    matrix, offset = affine[:, :3], affine[:, 3]
    inverted = np.linalg.inv(matrix)
    forward = over_grid(control_points, shape)
    smooth, margin = continued(forward)

    def affine_output(places: Floats) -> Floats:
        return matmul(places - offset, inverted.T)

    def undone(places: Floats) -> Floats:
        moved = affine_output(places)
        found = undisplace(smooth, moved + margin) - margin
        if np.isnan(found).any():
            raise ValueError("the warp has no inverse: its displacement folds")
        return found - moved

    checks = spread_points(CHECKS) * np.subtract(source, 1.0)
    wanted = undone(checks)
    outputs = affine_output(checks) + wanted
    inside = ((outputs >= -0.5) & (outputs <= forward.last + 0.5)).all(axis=1)
    checks, wanted = checks[inside], wanted[inside]

    # twice as many spans as an axis crosses of the displacement's
    spacing = np.where(np.equal(shape, 1), np.inf, forward.spacing)
    crossed = np.abs(inverted / spacing[:, np.newaxis]).max(axis=0)
    spans, error = np.ceil(2.0 * crossed * np.subtract(source, 1.0)), np.inf
    while True:
        spans = np.where(np.equal(source, 1), 0.0, np.maximum(spans, 3.0))
        if (spans + 1.0).prod() > MAX_KNOTS:
            raise ValueError(
                f"the warp has no inverse to {ACCEPTED} voxel on a lattice of {MAX_KNOTS} knots: "
                f"its displacement folds or varies too fast (the error was {error:.2g} voxel)"
            )
        points = sampled(undone, source, spans.astype(int).tolist())
        reached = displace(over_grid(points, source), checks) - checks
        error = np.abs(reached - wanted).max(initial=0.0)
        if error <= AIM:
            return tensordot(matrix, points, 1)
        # the third derivative jumps at the displacement's knots: an error of the third order
        spans = np.ceil(spans * np.clip((error / AIM) ** (1 / 3), 1.1, 2.0))


def sampled(field: Callable[[Floats], Floats], shape: tuple[int, ...], spans: list[int]) -> Floats:
    """Return control points over a grid of the spline that interpolates `field` at the knots."""
    axes = [np.linspace(0.0, n - 1.0, s + 1) for n, s in zip(shape, spans, strict=True)]
    knots = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return interpolating(field(knots.reshape(-1, 3)).T.reshape(3, *knots.shape[:3]))


def continued(displacement: Displacement) -> tuple[Displacement, Floats]:
    """Return a displacement that is smooth across the faces of its grid, and where the grid begins.

    A constant extension has a kink at the faces, which would ring in a spline of the inverse. With
    its last control points repeated, the displacement is as smooth there as at any knot, and
    constant from `MARGIN` spans on.
    """
    points, spacing, last = displacement
    points = np.pad(points, ((0, 0), *[(MARGIN, MARGIN)] * 3), mode="edge")
    margin = MARGIN * spacing
    return Displacement(points, spacing, last + 2.0 * margin), margin


def spread_points(count: int) -> Floats:
    """Return points (count, 3) that fill the unit cube evenly: a low-discrepancy sequence.

    M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018.
    """
    step = 1.2207440846057596 ** -np.arange(1.0, 4.0)  # the root of x^4 = x + 1
    fractions: Floats = np.arange(1, count + 1)[:, np.newaxis] * step % 1.0
    return fractions
