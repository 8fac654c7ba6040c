"""Which axis of an array runs along which axis of the body, by the array's affine."""

import numpy as np

from .bspline import Floats

# The axes of a NIfTI affine's world: left-right, anterior-posterior (front to back), and
# superior-inferior (head to foot). The order of two letters says nothing about the direction.
ANATOMY = ("LR", "AP", "SI")

# Cosines that differ by less are equal, so that an axis at exactly 45 degrees is assigned by rule
# and not by rounding errors.
COSINE_DECIMALS = 6


def closest_axes(affine: Floats) -> tuple[int, int, int]:
    """The axes of an array that lie closest to the axes of `ANATOMY`, in that order.

    The rule is that of nibabel's `io_orientation`: shears are removed, and the array's axis that
    is nearest to any of the body's is assigned first. Of equally near ones the first is taken.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(directions)
    nearness = np.abs(left @ right).round(COSINE_DECIMALS)
    axes = [0, 0, 0]
    for axis in np.argsort(-nearness.max(axis=0), kind="stable").tolist():
        body_axis = int(nearness[:, axis].argmax())
        axes[body_axis] = axis
        nearness[body_axis] = -1.0  # it is taken
    return axes[0], axes[1], axes[2]
