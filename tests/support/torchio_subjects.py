"""TorchIO's subjects that look different from each side, and pipelines for them."""

import numpy as np
import pytest

from support.volumes import blob
from volaug import Compose, RandomAffine, RandomContrast, RandomElastic, RandomFlip, RandomNoise

tio = pytest.importorskip("torchio")
torch = pytest.importorskip("torch")

SHAPE = (24, 30, 20)
AFFINE = np.array([[0, 1.5, 0, 4], [-2, 0, 0, 5], [0, 0, 3, -6], [0, 0, 0, 1]], float)
MOVES = [
    RandomFlip(axes=0, p=1),
    RandomAffine(degrees=10, translation=3, p=1),
    RandomElastic(3, p=1),
]
PIPELINE = Compose([*MOVES, RandomContrast(p=1, per_channel=True), RandomNoise(p=1)], seed=7)


def scan(shape=SHAPE):
    """Not the same from any side."""
    places = [(0.4, 0.5, 0.5), (0.7, 0.3, 0.6), (0.3, 0.6, 0.4)]
    return sum(n * blob(shape, np.multiply(p, shape), 4.0) for n, p in enumerate(places, start=1))


def scalar(voxels, **options):
    return tio.ScalarImage(tensor=torch.as_tensor(voxels), affine=AFFINE, **options)


def label_map(voxels):
    return tio.LabelMap(tensor=torch.as_tensor(voxels), affine=AFFINE)


def subject_of(**others):
    t1 = scan()
    t2 = np.stack([100 * t1, 300 - 90 * t1]).astype(np.int16)
    return tio.Subject(
        t1=scalar(t1[np.newaxis]),
        t2=scalar(t2),
        seg=label_map((t1 > 1.2).astype(np.uint8)[np.newaxis]),
        age=45,
        **others,
    )


def voxels_of(subject):
    return {name: image.numpy() for name, image in subject.get_images_dict(False).items()}


def record_of(subject):
    (transform,) = subject.history
    return transform.record


def assert_same(subject, other):
    ours, theirs = voxels_of(subject), voxels_of(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def differs(subject, other, name="t1"):
    return (subject[name].data != other[name].data).any()
