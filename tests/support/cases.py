"""A case of a stream, as a whole or read in parts, and the batch that it gives."""

import numpy as np

from support.volumes import random_volume
from volaug import Compose, RandomAffine, RandomElastic, RandomFlip, Stream

SHAPE = (40, 44, 48)
IMAGE, LABEL = random_volume(SHAPE), random_volume(SHAPE, np.int16)
AFFINE = np.diag((-1.0, 2.0, 0.5, 1.0))
STEPS = [RandomFlip(), RandomAffine(p=1), RandomElastic(2.0, p=1)]


class Lazy:
    """A volume that remembers what was read of it."""

    def __init__(self, voxels):
        self.voxels, self.read = voxels, []
        self.shape, self.dtype = voxels.shape, voxels.dtype

    def __getitem__(self, window):
        part = self.voxels[window]
        self.read.append(part.size)
        return part


def batch_of(case, steps=STEPS, **options):
    pipeline = Compose(steps, **options)
    with Stream([case], pipeline, patch_shape=16, batch_size=2, seed=3, foreground=0.0) as made:
        return next(made)


def same(found, expected):
    for name in ("image", "label"):
        np.testing.assert_array_equal(found[name], expected[name])
    assert found["record"] == expected["record"]
