"""A small scan, and changes of its values."""

import numpy as np

from volaug.transforms.per_channel import ChannelId

SHAPE = (33, 34, 35)  # more than one block of voxels, and not a whole number of them
HERE = ChannelId("image", 0)


def image_of(dtype, shape=SHAPE):
    """Like a scan: a dark background, and three kinds of tissue with noise."""
    rng = np.random.default_rng(3)
    values = np.clip(rng.choice([1, 40, 70, 95], shape) + rng.normal(0, 4, shape), 0, 127)
    return values.astype(dtype)


def changed(change, image, threads=1, place=HERE):
    result = image.copy(order="K")
    change.change(result, place, threads)
    return result


def stored(values, dtype):
    """Floats as voxels: rounded half away from zero and saturated, for integers."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.trunc(values + np.copysign(0.5, values)), limits.min, limits.max).astype(
        dtype
    )
