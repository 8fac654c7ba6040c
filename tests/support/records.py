"""Pipelines of all kinds of warps, and records of them."""

import numpy as np

from volaug import (
    CenterCrop,
    Compose,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
)

SHAPE = (19, 22, 27)
AFFINE = np.array([[0.1, -0.9, 0.2, 7], [1.1, 0.3, 0, -9], [0, 0.1, 1 / 3, 0.7], [0, 0, 0, 1]])
POINTS = np.random.default_rng(0).uniform(-5, 30, (100, 3))
AFFINE_STEPS = (
    RandomFlip(p=0.7),
    RandomAffine(scale=0.3, shear=0.2, p=1),
    RandomRotation((180, 30, 30), p=1),
    RandomScaling(0.2, p=1),
    RandomShear(0.1, p=1),
    RandomTranslation(3, p=1),
)
ELASTIC = RandomElastic(3.0, num_control_points=(6, 7, 5), p=1)
STEPS = {
    "nothing": [],
    "affine": AFFINE_STEPS,
    "elastic": [ELASTIC, RandomAffine(p=1), CenterCrop((15, 25, 20))],
    "a crop": [RandomCrop((7, 30, 12))],
    "two warps": [RandomShear(0.2, p=1), RandomContrast(p=1), ELASTIC, RandomCrop((16, 18, 30))],
}


def record_of(kind, index=1, shape=SHAPE, size=None, **options):
    return Compose(STEPS[kind], seed=5, **options).draw(shape, **(size or {}), index=index)
