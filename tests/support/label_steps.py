"""What the tests of steps for labels share."""

import numpy as np

from volaug import Compose
from volaug.checks import DTYPES

SHAPE = (9, 12, 11)
LARGE = (33, 41, 37)  # more voxels than one thread is worth, and no whole number of blocks
NAN, INF = np.nan, np.inf
SIGNED = [name for name in DTYPES if not name.startswith(("b", "u"))]


def some_labels(dtype=np.int16, shape=SHAPE, least=0):
    """From `least` to 5; of bool, both."""
    dtype = np.dtype(dtype)
    most = 1 if dtype.kind == "b" else 5
    return np.random.default_rng(6).integers(least, most + 1, shape).astype(dtype)


def done(step, **given):
    return Compose([step], seed=0)(**given, index=0)


def in_window(volume):
    """A view of memory that has gaps and is walked backwards, with the volume in it."""
    n0, n1, n2 = volume.shape
    room = np.zeros((2 * n0, n1, 2 * n2), volume.dtype)
    window = room[::2, ::-1, 1::2]
    window[...] = volume
    return room, window
