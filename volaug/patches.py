"""Where in a case a patch lies: anywhere, or around a voxel of its foreground."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .keys import Numbers
from .operations.numbers import Shape

Places = dict[int, npt.NDArray[np.int64]]

# Of each class so many voxels are known, evenly spread over all of it in memory order.
MOST_PLACES = 2000


def foreground_places(label: npt.NDArray[Any]) -> Places:
    """Of each class over 0 some voxels (N, 3), where the first channel of a label has it."""
    voxels = label[0] if label.ndim == 4 else label
    inside = np.flatnonzero(voxels > 0)
    classes = voxels.reshape(-1)[inside]
    places = {}
    for value in np.unique(classes).tolist():
        found = inside[classes == value]
        some = found[:: -(-len(found) // MOST_PLACES)]
        places[value] = np.stack(np.unravel_index(some, voxels.shape), axis=1)
    return places


def patch_start(
    numbers: Numbers, shape: Shape, patch: Shape, places: Places | None
) -> tuple[int, int, int]:
    """The first voxel of a patch.

    Anywhere within the case; or such that a voxel of the foreground, first the class and then the
    voxel drawn evenly, lies in its middle, or as near to it as the border lets it. Along an axis
    on which the case is shorter than the patch it lies in the middle.

    Parameters
    ----------
    places : mapping, optional
        Of the foreground; without, or if there is none, the patch lies anywhere.
    """
    ways = [numbers.uniform() for _ in range(5)]
    room = [n - m for n, m in zip(shape, patch, strict=True)]
    if places:
        some = places[sorted(places)[int(ways[3] * len(places))]]
        centre = some[int(ways[4] * len(some))].tolist()
        wanted = [c - m // 2 for c, m in zip(centre, patch, strict=True)]
    else:
        wanted = [int(way * (r + 1)) for way, r in zip(ways[:3], room, strict=True)]
    a, b, c = (min(max(w, 0), r) if r >= 0 else r // 2 for w, r in zip(wanted, room, strict=True))
    return a, b, c
