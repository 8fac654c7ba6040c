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
