"""A pipeline with all kinds of steps, and targets for it."""

import numpy as np

from volaug import (
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomShear,
)

POINTS = np.array([[1.0, 2.5, 3.0], [30.0, 20.0, 60.0], [44.0, -3.0, 66.5]])
BOXES = np.array([[[1.0, 2.0, 3.0], [4.5, 9.0, 7.0]], [[10.0, 0.0, 0.0], [30.0, 40.0, 50.0]]])
WARPS = (RandomFlip(), RandomAffine(p=1), RandomElastic(3.0, p=1))


def a_pipeline(**options):
    """Two warps with a change of intensity between them, for most keys."""
    steps = [RandomContrast(p=0.8), RandomCrop((40, 45, 50), p=0.5)]
    return Compose([*WARPS, OneOf(steps), RandomShear(0.2, p=1)], seed=3, **options)


def bits(sample):
    return {name: np.asarray(value).tobytes() for name, value in sample.items()}
