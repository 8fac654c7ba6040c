"""MONAI's samples in voxels of odd sizes, and pipelines for them."""

import numpy as np
import pytest

import volaug
from support.volumes import random_volume
from volaug import (
    CenterCrop,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomShear,
)

pytest.importorskip("monai")
import torch
from monai.data import MetaTensor

from volaug.integrations.monai import Volaugd

SHAPE = (19, 22, 27)
KEYS = ("image", "label")
# oblique, and voxels of 0.9, 1.1 and 2.5 mm
AFFINE = np.array([[0.0, -1.1, 0, 7], [0.9, 0, 0, -9], [0, 0, 2.5, 0.7], [0, 0, 0, 1]])
POINTS = np.array([[1.0, 2.5, 3.0], [18.0, 20.0, -6.0]])

AFFINE_STEPS = [RandomFlip(), RandomAffine(shear=0.1, p=1)]
STEPS = {
    "affine": AFFINE_STEPS,
    "a crop": [RandomCrop((9, 30, 12))],
    "both": [*AFFINE_STEPS, CenterCrop((15, 25, 20))],
    "two warps": [
        RandomCrop((17, 22, 30)),
        *AFFINE_STEPS,
        RandomContrast(per_channel=True, p=1),
        RandomShear(p=1),
        RandomCrop((9, 30, 12)),
    ],
    "elastic": [RandomElastic(4.0, p=1), *AFFINE_STEPS, CenterCrop((15, 25, 20))],
}


def pipeline_of(kind="elastic", **options):
    return volaug.Compose(STEPS[kind], **options)


def sample_of(seed=0, **metadata):
    image = random_volume((2, *SHAPE), seed=seed)
    label = random_volume((1, *SHAPE), np.int16, seed=seed) // 25
    return {
        "image": MetaTensor(image, affine=AFFINE, meta=dict(metadata)),
        "label": MetaTensor(label, affine=AFFINE),
        "name": f"case {seed}",
    }


def records_of(transform, sample, keys=KEYS):
    """What was drawn for each key, last of all."""
    own = transform if isinstance(transform, Volaugd) else transform.transforms[0]
    return [own.record_of(sample[key]) for key in keys]


def bits(sample, keys=KEYS):
    return [np.asarray(sample[key]).tobytes() for key in keys]


def same(sample, other, keys=KEYS):
    return bits(sample, keys) == bits(other, keys)


TYPES = {"array": np.asarray, "tensor": torch.as_tensor, "MetaTensor": MetaTensor}
