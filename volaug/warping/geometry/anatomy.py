"""Which axis of an array runs along which axis of the body, by its affine."""

import numpy as np

from ... import checks
from .bspline import Floats

# The axes of a NIfTI affine's world: left-right, anterior-posterior (front to back), and
# superior-inferior (head to foot). The order of two letters says nothing about the direction.
ANATOMY = ("LR", "AP", "SI")

# Cosines are rounded to this, so that rounding errors do not decide for an axis at 45 degrees.
COSINE_DECIMALS = 6


def closest_axes(affine: Floats) -> tuple[int, int, int]:
    """Return the axes of an array that are closest to the axes of `ANATOMY`, in that order."""
    axes, _ = directed_axes(affine)
    return axes


def directed_axes(affine: Floats) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the closest axes of an array to those of `ANATOMY`, and their directions.

    A direction is 1 where indices increase to the right, to the front or to the head, and -1 where
    they decrease. The rule is that of nibabel's `io_orientation`: shears are removed, and the axis
    of the array that is closest to any axis of the body is assigned first. Of equally close axes
    the first is taken.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(directions)
    cosines = left @ right
    nearness = np.abs(cosines).round(COSINE_DECIMALS)
    axes, signs = [0, 0, 0], [0, 0, 0]
    for axis in np.argsort(-nearness.max(axis=0), kind="stable").tolist():
        body_axis = int(nearness[:, axis].argmax())
        axes[body_axis] = axis
        signs[body_axis] = 1 if cosines[body_axis, axis] > 0.0 else -1
        nearness[body_axis] = -1.0  # it is taken
    return (axes[0], axes[1], axes[2]), (signs[0], signs[1], signs[2])


# nnU-Net's: an axis of a patch is short if another is more than this many times as long.
ANISOTROPIC = 3


def slice_axis_in_2d(
    shape: tuple[int, int, int], dummy_2d: bool | None, slice_axis: int | None
) -> int | None:
    """Return the slice axis in dummy 2D, and None in 3D."""
    if dummy_2d is not None and not isinstance(dummy_2d, bool):
        raise TypeError(f"dummy_2d must be True, False or None, got {dummy_2d!r}")
    if slice_axis is not None:
        slice_axis = checks.as_whole("slice_axis", slice_axis, 0, 2)
    slices = min(shape) if slice_axis is None else shape[slice_axis]
    if not (max(shape) > ANISOTROPIC * slices if dummy_2d is None else dummy_2d):
        return None
    return _shortest_axis(shape) if slice_axis is None else slice_axis


def _shortest_axis(shape: tuple[int, int, int]) -> int:
    """Return the axis that is clearly the slice axis of a patch."""
    minimum, longest = min(shape), max(shape)
    candidates = [
        axis
        for axis, length in enumerate(shape)
        if length == minimum or (longest > ANISOTROPIC * length and length <= ANISOTROPIC * minimum)
    ]
    if len(candidates) > 1:
        axes = ", ".join(map(str, candidates))
        raise ValueError(
            f"slice_axis must be given for dummy 2D with the patch {shape}, whose axes {axes} are "
            "similar in length, got None: it is the axis of the largest spacing, which is 0 in "
            "nnU-Net's own order"
        )
    return candidates[0]
