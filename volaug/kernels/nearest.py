"""The nearest voxel, half a voxel rounding up: bits are copied, of any type."""

import numpy as np

from .cells import INSIDE
from .options import device


@device
def nearest_row(source, origin, cells, first, stop, plain, fill, target, place):
    """Voxels first..stop of a row of the target, which begins at element `place`."""
    index, _, inside = cells
    if plain:
        for i in range(first, stop):
            target[place + i] = source[np.uint64(origin + index[i])]
    else:
        for i in range(first, stop):
            if inside[i] == INSIDE:
                target[place + i] = source[np.uint64(origin + index[i])]
            else:  # a span that is wholly outside has no indices
                target[place + i] = fill
