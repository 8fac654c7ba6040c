"""Whether a B-spline displacement folds: sufficient bounds from its control points."""

import math

import numpy as np

from .bspline import Floats, knot_spacing

# A lattice cannot fold whose control points move less than this share of the knot spacing along
# each axis: Y. Choi, S. Lee, "Injectivity conditions of 2D and 3D uniform cubic B-spline
# functions", Graphical Models 62(6), 2000, where it is 1 / 2.479472335.
CHOI_LEE_LIMIT = 0.4033

# Just below a limit, so that it is held in float64 too.
BELOW = 1.0 - 1e-9


def max_injective_scale(control_points: Floats, shape: tuple[int, ...], to_mm: Floats) -> float:
    """Return a factor up to which a displacement certainly does not fold.

    Parameters
    ----------
    control_points : (3, k0, k1, k2) array
        In voxels of the grid.
    shape : (3,) ints
        Shape of the grid.
    to_mm : (3,) array
        Voxel sizes, or any three positive numbers. The bound is for displacements in these units;
        it is tightest where they are of one order.

    Returns
    -------
    float
        1 or more if the displacement does not fold; infinite without a displacement.

    Notes
    -----
    It is the larger of two bounds, or the first alone where it suffices. The first is that of Choi
    and Lee (2000). The second: a derivative of the displacement along an axis is a mean of
    differences of neighboring control points, over the knot spacing. If for each component the
    maxima along the three axes add up to less than 1, the Jacobian matrix is diagonally dominant,
    and its determinant positive (compare S. Chun, J. Fessler, "A simple regularizer for B-spline
    nonrigid image registration that encourages local invertibility", IEEE Journal of Selected
    Topics in Signal Processing 3(1), 2009).
    """
    # along an axis of one voxel nothing changes, and a displacement there folds nothing
    axes = [axis for axis, length in enumerate(shape) if length > 1]
    spacing = knot_spacing(shape, control_points.shape[1:])
    reaches = np.abs(control_points).max(axis=(1, 2, 3))
    reach = max((float(reaches[axis]) / spacing[axis] for axis in axes), default=0.0)
    if reach == 0.0:
        return math.inf
    if reach < CHOI_LEE_LIMIT:
        return CHOI_LEE_LIMIT * BELOW / reach
    slopes = np.zeros(3)
    for axis in axes:
        steepest = np.abs(np.diff(control_points, axis=axis + 1)).max(axis=(1, 2, 3))
        slopes += steepest * to_mm / (spacing[axis] * to_mm[axis])
    slope = float(slopes[axes].max())  # 0 where all points move alike
    return math.inf if slope == 0.0 else BELOW * max(CHOI_LEE_LIMIT / reach, 1.0 / slope)
