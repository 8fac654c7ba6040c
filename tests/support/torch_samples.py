"""Datasets of tensors for `VolaugDataset`, and the samples of its batches."""

import numpy as np
import pytest

from support.volumes import random_volume
from volaug import Compose, RandomAffine, RandomContrast, RandomElastic, RandomFlip

torch = pytest.importorskip("torch")

from volaug.integrations.torch import VolaugDataset  # noqa: E402

SHAPE = (45, 50, 67)  # enough voxels for threads
SMALL = (9, 10, 19)
TINY = (4, 5, 6)
COUNT = 5
STEPS = [RandomFlip(), RandomAffine(p=1), RandomElastic(3.0, p=1), RandomContrast(p=1)]
PIPELINE = Compose(STEPS, seed=3)


class Cases:
    """A dataset of tensors, made where they are asked for."""

    def __init__(self, shape=SHAPE, fault=None):
        self.shape, self.fault = shape, fault

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        if self.fault and index == 3:
            self.fault()
        return {
            "image": torch.from_numpy(random_volume((2, *self.shape), seed=index)),
            "label": torch.from_numpy(random_volume(self.shape, np.uint8, seed=index) // 25),
            "points": torch.tensor([[1.0, 2.5, 3.0], [4.0, 9.0, 8.0 + index]]),
            "spacing": (1.0, 0.9, 1.5),
            "number": index,
        }


TARGETS = ("image", "label", "points")


def bits(sample):
    return tuple(np.asarray(sample[name]).tobytes() for name in TARGETS)


def singles(batch):
    """The samples of a batch."""
    count = len(batch["number"])
    return [{name: value[i] for name, value in batch.items()} for i in range(count)]


def tiny(count=8, pipeline=None, **options):
    """A dataset that is augmented fast, whose draws all differ."""
    base = [{"image": torch.from_numpy(random_volume(TINY, seed=9))} for _ in range(count)]
    pipeline = pipeline or Compose([RandomAffine(translation=1, p=1)], **options)
    return VolaugDataset(base, pipeline)


def in_order(samples):
    """Key and bits of each sample, or of those of each batch."""
    batches = [sample if sample["key"].ndim == 2 else _batch_of(sample) for sample in samples]
    return [
        (tuple(key.tolist()), image.numpy().tobytes())
        for batch in batches
        for key, image in zip(batch["key"], batch["image"], strict=True)
    ]


def _batch_of(sample):
    return {"key": sample["key"][None], "image": sample["image"][None]}
