"""The same voxels in memory of another form."""

import numpy as np


def transposed(volume, order):
    """The same voxels, with another order of axes in memory."""
    return np.ascontiguousarray(volume.transpose(order)).transpose(np.argsort(order))


def cropped(volume):
    """The same voxels, amid a larger array."""
    larger = np.full([n + 5 for n in volume.shape], 100, volume.dtype)
    place = larger[tuple(slice(2, 2 + n) for n in volume.shape)]
    place[...] = volume
    return place


WALKABLE = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "transposed": lambda v: transposed(v, (1, 2, 0)),
    "cropped": cropped,
    "reversed": lambda v: v[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "reversed along 0": lambda v: v[::-1].copy()[::-1],
    "reversed along 1": lambda v: v[:, ::-1].copy()[:, ::-1],
    "reversed along 2": lambda v: v[:, :, ::-1].copy()[:, :, ::-1],
    "reversed in part": lambda v: np.asfortranarray(v[:, ::-1])[:, ::-1],
    "every second row": lambda v: np.repeat(np.repeat(v, 2, 0), 3, 1)[::2, ::3],
}
OTHERS = {
    "every second voxel": lambda v: np.repeat(v, 2, 2)[..., ::2],
    "channels last": lambda v: np.stack([v, v], -1)[..., 0],
    "unaligned": lambda v: (
        np.frombuffer(b"x" + v.tobytes(), np.uint8)[1:].view(v.dtype).reshape(v.shape)
    ),
    "swapped bytes": lambda v: v.astype(v.dtype.newbyteorder()),
}
