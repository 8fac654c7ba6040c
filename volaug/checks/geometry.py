"""Matrices, voxel sizes, control points, points and boxes."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..serialization import shown
from .arrays import as_floats

# A determinant that is less than this share of the sum of the absolute values of its six products
# has at most three digits that are not rounding errors.
SINGULAR = 1e-13


# Voxels are as large, in mm, and their axes span as much of a cube of their lengths.
MIN_SPACING, MAX_SPACING = 1e-6, 1e6


FLAT = 1e-6

IDENTITY = np.eye(3)


def as_affine(matrix: Any, offset: Any) -> npt.NDArray[np.float64]:
    """Return a (3, 4) matrix from a (3, 3), (3, 4) or (4, 4) one and an offset."""
    wanted = "a (3, 3), (3, 4) or (4, 4) matrix of real numbers"
    given = as_floats("matrix", IDENTITY if matrix is None else matrix, wanted)
    shift = as_floats("offset", offset, "a number or three")
    if given.shape not in ((3, 3), (3, 4), (4, 4)):
        swapped = "; the volume comes first" if given.ndim > 2 else ""
        raise ValueError(f"matrix must be {wanted}, got shape {given.shape}{swapped}")
    if shift.shape not in ((), (3,)):
        raise ValueError(f"offset must be a number or three, got shape {shift.shape}")
    if given.shape == (4, 4) and not np.array_equal(given[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError(f"the last row of a (4, 4) matrix must be 0, 0, 0, 1, got {given[3]}")
    if given.shape != (3, 3) and any(shift.ravel().tolist()):
        raise ValueError(
            f"a matrix of shape {given.shape} has its offset in the last column, "
            f"so that offset must be left out, got {shown(offset)}"
        )
    affine = np.empty((3, 4))
    affine[:, : given.shape[1]] = given[:3]
    if given.shape == (3, 3):
        affine[:, 3] = shift
    if not is_invertible(affine[:, :3]):
        raise ValueError(f"matrix must be invertible, got {affine[:, :3].tolist()}")
    return affine


def is_invertible(matrix: npt.NDArray[np.float64]) -> bool:
    """Whether a (3, 3) matrix has an inverse that is not dominated by rounding errors.

    It has one if its determinant, or that of its inverse, is not. Then the inverse has one too, for
    any units along each axis.
    """
    rows = matrix.tolist()
    # the six products of rows of length one are at most 1 each
    if abs(_volume_of_directions(rows)) >= 6.0 * SINGULAR or _cancellation(rows) >= SINGULAR:
        return True
    try:
        with np.errstate(all="ignore"):
            inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(inverse).all()) and _cancellation(inverse.tolist()) >= SINGULAR


def _cancellation(rows: list[list[float]]) -> float:
    """Return a determinant relative to the sum of the magnitudes of its six products."""
    lengths = [math.hypot(*row) for row in rows]
    if 0.0 in lengths or not all(map(math.isfinite, lengths)):
        return 0.0
    # brought to length one, so that none overflows
    a, b, c = ([x / length for x in row] for row, length in zip(rows, lengths, strict=True))
    products = (
        a[0] * b[1] * c[2], -a[0] * b[2] * c[1], a[1] * b[2] * c[0],
        -a[1] * b[0] * c[2], a[2] * b[0] * c[1], -a[2] * b[1] * c[0],
    )  # fmt: skip
    total = sum(map(abs, products))
    return abs(sum(products)) / total if total > 0.0 else 0.0


def _volume_of_directions(rows: list[list[float]]) -> float:
    """Return the determinant of three rows, normalized so that none overflows."""
    lengths = [math.hypot(*row) for row in rows]
    if 0.0 in lengths:
        return 0.0
    a, b, c = [[x / length for x in row] for row, length in zip(rows, lengths, strict=True)]
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def as_control_points(value: Any) -> npt.NDArray[np.float64]:
    """Return coefficients (3, k0, k1, k2), in output voxels."""
    wanted = "coefficients of shape (3, k0, k1, k2), at least 4 on each axis"
    points = as_floats("control_points", value, wanted)
    if points.ndim != 4 or points.shape[0] != 3 or min(points.shape[1:]) < 4:
        raise ValueError(f"control_points must be {wanted}, got shape {points.shape}")
    return points


def as_spacing(value: Any, name: str = "spacing") -> npt.NDArray[np.float64]:
    """Return the size of a voxel along axes 0, 1, 2."""
    wanted = f"three voxel sizes in mm, from {MIN_SPACING:g} to {MAX_SPACING:g}"
    spacing = as_floats(name, value, wanted)
    if spacing.shape != (3,) or not _are_sizes(spacing):
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}")
    return spacing


def as_world(value: Any) -> npt.NDArray[np.float64]:
    """Return a (4, 4) matrix from voxels to mm."""
    matrix = as_floats("affine", value, "a (4, 4) matrix from voxels to mm")
    if matrix.shape != (4, 4) or not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError(
            "affine must be a (4, 4) matrix from voxels to mm, whose last row is 0, 0, 0, 1, "
            f"got {matrix.tolist()}"
        )
    axes = matrix[:3, :3].T
    if abs(_volume_of_directions(axes.tolist())) < FLAT:
        raise ValueError(f"affine must be invertible, got {matrix.tolist()}")
    if not _are_sizes(np.array([math.hypot(*axis) for axis in axes.tolist()])):
        raise ValueError(
            f"affine must have voxel sizes from {MIN_SPACING:g} to {MAX_SPACING:g} mm, "
            f"got {matrix.tolist()}"
        )
    return matrix


def _are_sizes(lengths: npt.NDArray[np.float64]) -> bool:
    return bool(((lengths >= MIN_SPACING) & (lengths <= MAX_SPACING)).all())


def as_voxel_size(spacing: Any, affine: Any) -> tuple[Any, Any]:
    """Return a tuple of three and None, None and a read-only (4, 4) array, or None twice."""
    if spacing is not None and affine is not None:
        raise ValueError("give spacing or affine, which holds the spacing: got both")
    if affine is not None:
        affine = as_world(affine)
        affine.flags.writeable = False
    return None if spacing is None else tuple(as_spacing(spacing).tolist()), affine


def as_points(value: Any) -> npt.NDArray[np.float64]:
    """Return points (N, 3), in voxels."""
    wanted = "places in voxels, of shape (N, 3)"
    points = as_floats("points", value, wanted)
    if points.shape == (0,):  # an empty list: none
        points = points.reshape(0, 3)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points must be {wanted}, got shape {points.shape}")
    return points


def as_boxes(value: Any) -> npt.NDArray[np.float64]:
    """Return boxes (N, 2, 3): minimum and maximum corner, in voxels."""
    wanted = "boxes of shape (N, 2, 3): the least and the greatest corner of each, in voxels"
    boxes = as_floats("boxes", value, wanted)
    if boxes.shape == (0,):  # an empty list: none
        boxes = boxes.reshape(0, 2, 3)
    if boxes.ndim != 3 or boxes.shape[1:] != (2, 3):
        raise ValueError(f"boxes must be {wanted}, got shape {boxes.shape}")
    if (boxes[:, 0] > boxes[:, 1]).any():
        first = boxes[(boxes[:, 0] > boxes[:, 1]).any(axis=1)][0].tolist()
        raise ValueError(f"boxes must be {wanted}, got a least corner beyond the greatest: {first}")
    return boxes
