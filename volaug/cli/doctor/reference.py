"""Linear interpolation by its definition: voxel by voxel, in plain Python."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def linear_reference(volume: Array, matrix: Array, offset: Array) -> Array:
    """Return ``volume[matrix @ o + offset]`` for each voxel `o`, zero outside of the centers."""
    result = np.zeros(volume.shape)
    last = np.array(volume.shape) - 1
    for voxel in np.ndindex(volume.shape):
        place = matrix @ voxel + offset
        if (place < 0).any() or (place > last).any():
            continue
        corner = np.minimum(np.floor(place).astype(int), last - 1)
        fraction = place - corner
        for ends in itertools.product((0, 1), repeat=3):
            weight = np.where(ends, fraction, 1 - fraction).prod()
            result[voxel] += weight * volume[tuple(corner + ends)]
    return result
