"""What a user says of a picture, as matrices: stretched, sheared, turned."""

import math
from collections.abc import Sequence

import numpy as np

from .bspline import Floats


def stretching(factors: Sequence[float]) -> Floats:
    """Along axes 0, 1, 2, by so many times."""
    return np.diag(np.asarray(factors, np.float64))


def shearing(factors: Sequence[float]) -> Floats:
    """Axis 0 moves along with axis 1, axis 0 with axis 2, and axis 1 with axis 2."""
    matrix = np.eye(3)
    matrix[0, 1], matrix[0, 2], matrix[1, 2] = factors
    return matrix


def turning(degrees: Sequence[float]) -> Floats:
    """About axis 0, then axis 1, then axis 2, right-handed: axis 0 turns 1 towards 2, and so on."""
    matrix = np.eye(3)
    for axis, angle in enumerate(degrees):
        if angle != 0.0:
            turned, towards = (axis + 1) % 3, (axis + 2) % 3
            cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            rows = matrix[[turned, towards]]
            matrix[turned] = cosine * rows[0] - sine * rows[1]
            matrix[towards] = sine * rows[0] + cosine * rows[1]
    return matrix
