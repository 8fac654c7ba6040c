"""Motions of the image as matrices: scaling, shear, rotation."""

import math
from collections.abc import Sequence

import numpy as np

from .bspline import Floats


def shaping(scale: Sequence[float], shear: Sequence[float]) -> Floats:
    """Scale along axes 0, 1, 2, and then shear.

    The shears are of axis 0 along axis 1, of axis 0 along axis 2, and of axis 1 along axis 2.
    """
    a, b, c = scale
    along_01, along_02, along_12 = shear
    return np.array([[a, along_01 * b, along_02 * c], [0.0, b, along_12 * c], [0.0, 0.0, c]])


def degrees_of(rotation: Floats) -> tuple[float, float, float]:
    """Return the degrees of which `turning` makes a rotation."""
    cosine = math.hypot(rotation[0, 0], rotation[1, 0])
    second = math.atan2(-rotation[2, 0], cosine)
    if cosine > 1e-9:
        first = math.atan2(rotation[2, 1], rotation[2, 2])
        third = math.atan2(rotation[1, 0], rotation[0, 0])
    else:  # a quarter turn about axis 1 makes the other two one
        first, third = math.atan2(math.copysign(1.0, second) * rotation[0, 1], rotation[1, 1]), 0.0
    return math.degrees(first), math.degrees(second), math.degrees(third)


def rotation_about(axis: Floats, degrees: float) -> Floats:
    """Return the right-handed rotation about an axis of length 1: Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = math.radians(degrees)
    rotation: Floats = np.eye(3) + math.sin(angle) * cross
    rotation += (1.0 - math.cos(angle)) * (cross @ cross)
    return rotation


def rotation_of_quaternion(quaternion: Floats) -> Floats:
    """Return the rotation of a quaternion (w, x, y, z) of length 1."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def turning(degrees: Sequence[float]) -> Floats:
    """Rotate about axis 0, then axis 1, then axis 2; the first rotates axis 1 towards axis 2."""
    (a, p), (b, q), (c, r) = ((math.cos(t), math.sin(t)) for t in map(math.radians, degrees))
    return np.array(
        [
            [b * c, p * q * c - a * r, a * q * c + p * r],
            [b * r, p * q * r + a * c, a * q * r - p * c],
            [-q, p * b, a * b],
        ]
    )
