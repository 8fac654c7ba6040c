"""The warp that every benchmark measures, and the volumes it is measured on.

The matrix differs from its transpose, from its inverse and along the axes, so that an engine
which exchanges any of them computes another picture.
"""

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Volume = npt.NDArray[np.float32]

SEED = 20240229
ANGLES = (15.0, 10.0, -12.0)  # degrees about axes 0, 1, 2
STRETCH = (1.1, 0.95, 1.05)
SHEAR = ((1.0, 0.06, -0.04), (0.0, 1.0, 0.05), (0.0, 0.0, 1.0))
SHIFT = (2.3, -1.7, 3.1)  # voxels
LATTICE = (11, 11, 11)
DISPLACEMENT = 3.0  # standard deviation of the control points, in voxels


def pull_matrix(side: int) -> Floats:
    """Return the (3, 4) matrix from output to input voxels of a cube, about its centre."""
    linear = np.eye(3)
    for axis, degrees in enumerate(ANGLES):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        rotation = np.eye(3)
        rotation[[i, i, j, j], [i, j, i, j]] = cosine, -sine, sine, cosine
        linear = rotation @ linear
    linear = linear @ np.array(SHEAR) @ np.diag(STRETCH)
    centre = np.full(3, (side - 1) / 2)
    return np.column_stack([linear, centre - linear @ centre + SHIFT])


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


def brain(side: int) -> Volume:
    """Return the MNI152 T1 brain at 1 mm, cut or padded with zeros to a cube about its centre."""
    from nilearn.datasets import load_mni152_template

    image: Any = load_mni152_template(resolution=1)
    volume = np.zeros((side, side, side), np.float32)
    scan = np.asarray(image.dataobj, np.float32)
    cut = tuple(slice(max(0, (n - side) // 2), max(0, (n - side) // 2) + side) for n in scan.shape)
    place = tuple(slice(max(0, (side - n) // 2), max(0, (side - n) // 2) + n) for n in scan.shape)
    volume[place] = scan[cut]
    return volume
