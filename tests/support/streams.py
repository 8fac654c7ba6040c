"""Streams of three small cases, and their batches."""

import numpy as np

from support.volumes import random_volume
from volaug import Compose, RandomAffine, RandomElastic, RandomNoise, Stream

SHAPES = [(40, 44, 48), (36, 50, 41), (52, 37, 45)]
STEPS = [RandomAffine(p=0.7), RandomElastic(3.0, p=0.7), RandomNoise(p=0.5)]
PATCH = (24, 28, 20)


def case_of(number, shape):
    label = np.zeros(shape, np.int16)
    label[5:9, 20:24, 30:33] = 1 + number % 2
    label[30:33, 3:6, 4:9] = 3
    return {"image": random_volume(shape, seed=number), "label": label}


CASES = [case_of(number, shape) for number, shape in enumerate(SHAPES)]


def stream(cases=CASES, pipeline=None, **options):
    options = {"patch_shape": PATCH, "batch_size": 2, "seed": 5, **options}
    return Stream(cases, Compose(STEPS) if pipeline is None else pipeline, **options)


def batches(count, **options):
    with stream(**options) as made:
        return [next(made) for _ in range(count)]


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        if name == "record":
            assert a[name] == b[name]
        else:
            np.testing.assert_array_equal(a[name], b[name])
