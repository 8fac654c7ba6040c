"""The warps that every benchmark measures, and the volumes they are measured on.

The matrix of the one that is given differs from its transpose, from its inverse and along the
axes, so that an engine which exchanges any of them computes another picture.
"""

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Volume = npt.NDArray[np.float32]
Array = npt.NDArray[Any]

SEED = 20240229
ANGLES = (15.0, 10.0, -12.0)  # degrees about axes 0, 1, 2
STRETCH = (1.1, 0.95, 1.05)
SHEAR = ((1.0, 0.06, -0.04), (0.0, 1.0, 0.05), (0.0, 0.0, 1.0))
SHIFT = (2.3, -1.7, 3.1)  # voxels
LATTICE = (11, 11, 11)
DISPLACEMENT = 3.0  # standard deviation of the control points, in voxels
WHOLE_SHIFT = (3.0, 5.0, 7.0)  # voxels

# What a random pipeline draws from: what is usual for a head. Every sample has all of it, and
# each axis is mirrored in half of them.
DEGREES = 15.0  # to either side, about each axis
SCALE = (0.85, 1.2)
SLOPE = 0.02  # of a shear, to either side
KNOTS = 7  # control points along each axis
MAX_LENGTH = 7 / 128  # of the side: how far a control point moves at most

# How many more voxels along each axis nnU-Net loads than a patch has: 164 of 128.
LOADED = 164 / 128
DEEP_SUPERVISION = (1.0, 0.5, 0.25, 0.125)  # the resolutions of the labels

# What the largest value of a volume becomes: all of 8 bits, and the 12 bits of a scanner.
GREATEST = {"uint8": 255, "int16": 4095}


def pull_matrix(side: int) -> Floats:
    """Return the (3, 4) matrix from output to input voxels of a cube, about its center."""
    linear = np.eye(3)
    for axis, degrees in enumerate(ANGLES):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        rotation = np.eye(3)
        rotation[[i, i, j, j], [i, j, i, j]] = cosine, -sine, sine, cosine
        linear = rotation @ linear
    linear = linear @ np.array(SHEAR) @ np.diag(STRETCH)
    center = np.full(3, (side - 1) / 2)
    return np.column_stack([linear, center - linear @ center + SHIFT])


def flip_matrix(side: int) -> Floats:
    """Return the (3, 4) matrix that mirrors axis 2, along which voxels lie side by side."""
    return np.column_stack([np.diag((1.0, 1.0, -1.0)), (0.0, 0.0, side - 1.0)])


def shift_matrix(side: int) -> Floats:
    """Return the (3, 4) matrix that shifts by whole voxels, the same for any side."""
    return np.column_stack([np.eye(3), WHOLE_SHIFT])


def control_points() -> Floats:
    """Return B-spline coefficients of the displacement, in voxels."""
    return np.random.default_rng(SEED).normal(0.0, DISPLACEMENT, (3, *LATTICE))


@functools.cache  # asv calls `setup` before every sample
def head(side: int) -> Volume:
    """Return a made-up head: an ellipsoid of smooth texture in air, in 0 to 1, the same each time.

    It needs no file and no library, and has what a scan has: 60 % of zeros around
    something that varies over tens of voxels.
    """
    rng = np.random.default_rng(SEED)
    axis = np.linspace(-1.0, 1.0, side, dtype=np.float32)
    waves, phases = rng.uniform(2.0, 12.0, (3, 8, 1)), rng.uniform(0.0, 2 * np.pi, (3, 8, 1))
    z, y, x = np.cos(waves * axis + phases).astype(np.float32)
    texture: Volume = (np.einsum("wz,wy->zyw", z, y).reshape(-1, 8) @ x).reshape((side,) * 3)
    squares = [(axis / radius) ** 2 for radius in (0.95, 0.9, 0.85)]
    texture *= 0.05
    texture += 0.5
    texture *= squares[0][:, None, None] + squares[1][:, None] + squares[2] < 1
    return texture


def as_integers(volume: Volume, dtype: str) -> Array:
    """Return a volume that begins at 0, scaled to what `dtype` holds of a scan."""
    levels: Array = np.rint(volume * (GREATEST[dtype] / volume.max())).astype(dtype)
    return levels


def labels(side: int) -> Array:
    """Return four labels of the made-up head, by its signal; 0 is the air."""
    return np.digitize(head(side), (0.1, 0.45, 0.55)).astype(np.uint8)


def tiled(volume: Array, side: int) -> Array:
    """Return a cube that is filled with copies of a smaller one, side by side."""
    places = np.arange(side) % len(volume)
    cube: Array = volume[np.ix_(places, places, places)]  # without another array in between
    return cube


def touched_like(volume: Array) -> Array:
    """Return an array to write into, whose pages all exist before the clock starts.

    NaN shows what was not written; integers have none.
    """
    return np.full_like(volume, np.nan if volume.dtype.kind == "f" else 1)
