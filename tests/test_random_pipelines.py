"""Whatever can be made can be drawn: random pipelines never fail in the middle of a training.

`support/campaigns.py` says how many are tried.
"""

import re

import numpy as np
import pytest

from support import campaigns
from support.volumes import random_volume
from volaug import (
    CenterCrop,
    Compose,
    LabelPyramid,
    Normalize,
    OneOf,
    RandomAffine,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    Record,
    RemapLabels,
)

PIPELINES, DRAWS = campaigns.size(short=200, run=500, full=5000), 4
APPLIED = PIPELINES // 20

# What steps of one warp cannot be, said when a pipeline is made.
REFUSED = re.compile("the (elastic )?steps of one warp (must have a common lattice|could stretch)")

pytestmark = pytest.mark.filterwarnings("ignore:an elastic displacement folds:UserWarning")


def pick(rng, *items):
    return items[rng.integers(len(items))]


def a_range(rng, low, high, axes=True):
    """A pair within limits, often the limits themselves; or one for each axis."""
    if axes and rng.random() < 0.3:
        return tuple(a_range(rng, low, high, axes=False) for _ in range(3))
    ends = [pick(rng, low, high, *rng.uniform(low, high, 4)) for _ in range(2)]
    return float(min(ends)), float(max(ends))


def flag(rng):
    return bool(rng.random() < 0.5)


def lattice(rng, least=4):
    def one():
        return pick(rng, *range(least, 12), 16, 20, 67 if rng.random() < 0.1 else 7)

    return pick(rng, one(), tuple(pick(rng, 1, one()) for _ in range(3)))


def elastic(rng, p):
    locked = int(rng.integers(4))
    reach = pick(rng, 0.0, 0.5, 7.0, 60.0, 1e6)
    reach = pick(rng, reach, (0.0, reach, 3.0))
    points = lattice(rng, max(4, 2 * locked + 1))
    return RandomElastic(
        reach,
        num_control_points=points,
        locked_borders=locked,
        folding=pick(rng, "forbid", "forbid", "allow", "warn"),
        p=p,
    )


def window(rng):
    return pick(rng, int(rng.integers(1, 220)), tuple(rng.integers(1, 220, 3).tolist()))


def mask(rng):
    return pick(rng, None, None, "label", "t2", 0.5, -1e6)


# A step of each kind, with whatever it accepts.
STEPS = [
    lambda rng, p: RandomFlip(pick(rng, 0, (0, 2), (0, 1, 2)), p=p),
    lambda rng, p: RandomTranslation(pick(rng, 10.0, 1e6, a_range(rng, -1e6, 1e6)), p=p),
    lambda rng, p: RandomRotation(pick(rng, 15.0, a_range(rng, -360.0, 360.0)), p=p),
    lambda rng, p: RandomScaling(
        pick(rng, 0.2, a_range(rng, 0.1, 10.0)),
        isotropic=flag(rng),
        distribution=pick(rng, "uniform", "log-uniform", "inverse-uniform"),
        p=p,
    ),
    lambda rng, p: RandomShear(pick(rng, 0.02, 10.0, a_range(rng, -10.0, 10.0)), p=p),
    lambda rng, p: RandomAffine(
        a_range(rng, -360.0, 360.0),
        scale=pick(rng, 0.99, a_range(rng, 0.1, 10.0)),
        shear=pick(rng, 0.1, a_range(rng, -10.0, 10.0)),
        translation=a_range(rng, -1e6, 1e6),
        isotropic=flag(rng),
        p=p,
    ),
    elastic,
    elastic,
    lambda rng, p: RandomCrop(window(rng), p=p),
    lambda rng, p: CenterCrop(window(rng), p=p),
    lambda rng, p: RandomContrast(
        a_range(rng, 0.01, 100.0, False),
        preserve_range=flag(rng),
        per_channel=flag(rng),
        mask=mask(rng),
        p=p,
    ),
    lambda rng, p: RandomBrightness(
        a_range(rng, 0.01, 100.0, False),
        std_shift=a_range(rng, -100.0, 100.0, False),
        per_channel=flag(rng),
        mask=mask(rng),
        p=p,
    ),
    lambda rng, p: RandomGamma(
        a_range(rng, 0.1, 10.0, False),
        p_inverted=float(rng.random()),
        retain_statistics=flag(rng),
        per_channel=flag(rng),
        mask=mask(rng),
        p=p,
    ),
    lambda rng, p: RandomHistogramShift(
        a_range(rng, -0.5, 0.5, False),
        num_control_points=int(rng.integers(3, 257)),
        per_channel=flag(rng),
        p=p,
    ),
    lambda rng, p: RandomNoise(
        a_range(rng, 0.0, 1e6, False),
        kind=pick(rng, "gaussian", "rician"),
        relative=flag(rng),
        per_channel=flag(rng),
        mask=mask(rng),
        p=p,
    ),
    lambda rng, p: RandomBlur(
        a_range(rng, 0.0, 100.0),
        isotropic=flag(rng),
        per_channel=flag(rng),
        p_channel=float(rng.random()),
        truncate=float(rng.uniform(1, 10)),
        p=p,
    ),
    lambda rng, p: RandomLowResolution(
        a_range(rng, 0.001, 1.0),
        isotropic=flag(rng),
        per_channel=flag(rng),
        p_channel=float(rng.random()),
        p=p,
    ),
    lambda rng, p: RandomBiasField(
        a_range(rng, 0.0, 100.0, False),
        num_control_points=int(rng.integers(4, 68)),
        per_channel=flag(rng),
        p=p,
    ),
    lambda rng, p: Normalize(
        "percentiles",
        percentiles=pick(rng, (0.5, 99.5), (0.0, 100.0), (50.0, 50.1)),
        output_range=pick(rng, (0.0, 255.0), (-1e6, 1e6)),
        clip=flag(rng),
        mask=mask(rng),
        p=p,
    ),
    lambda rng, p: RemapLabels(int(rng.integers(5)), new=int(rng.integers(5)), p=p),
]


def a_transform(rng, depth=0):
    p = pick(rng, 0.0, 0.3, 0.7, 1.0)
    if depth < 3 and rng.random() < 0.25:
        inner = [a_transform(rng, depth + 1) for _ in range(rng.integers(1, 5))]
        if flag(rng):
            return Compose(inner, p=p)
        weights = rng.choice([0.0, 1.0, 5.0], len(inner))
        return OneOf(inner, weights if weights.any() else None, p=p)
    return pick(rng, *STEPS)(rng, p)


def a_pipeline(number):
    """A pipeline, and how many were refused before it."""
    rng = np.random.default_rng(number)
    for refused in range(1000):
        try:
            transforms = [a_transform(rng) for _ in range(rng.integers(1, 8))]
            if rng.random() < 0.2:
                transforms.append(LabelPyramid([1, 0.5, (0.001, 0.3, 1.0)], p=0.5))
            return Compose(transforms, seed=number, targets={"t2": "image"}), rng, refused
        except ValueError as error:
            if not REFUSED.match(str(error)):
                raise
    raise AssertionError("nearly all pipelines are refused")


def a_grid(rng, longest):
    """A shape, often thin, and voxels that are long, sheared, or of no known size."""
    shape = tuple(int(n) for n in pick(rng, rng.integers(1, longest + 1, 3), rng.integers(1, 4, 3)))
    sizes = 10.0 ** rng.uniform(-1.0, 1.0, 3)
    turned = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    sheared = turned @ (np.eye(3) + np.triu(rng.uniform(-0.5, 0.5, (3, 3)), 1)) * sizes
    affine = np.eye(4)
    affine[:3] = np.column_stack([sheared, rng.uniform(-200, 200, 3)])
    return shape, pick(rng, {}, {"spacing": sizes.tolist()}, {"affine": affine})


@pytest.mark.slow
def test_what_can_be_made_can_be_drawn():
    refused = 0
    for number in range(PIPELINES):
        pipeline, rng, count = a_pipeline(number)
        refused += count
        for index in range(DRAWS):
            shape, units = a_grid(rng, 200)
            channels = pick(rng, 1, 4, {"image": 2}, {"t2": 1}, {"image": 1, "t2": 3})
            record = pipeline.draw(shape, index=index, channels=channels, **units)
            last = np.subtract(record.output_shape, 1)
            assert all((factor > 0.0) for factor in record.elastic_factors)
            assert np.isfinite(record.pull_matrix).all()
            for warp in record.warps:
                assert np.isfinite(warp.points_to_input([last])).all()
        if number % 5 == 0:
            assert Record.from_json(record.to_json()) == record
            boxes = np.sort(rng.uniform(0, shape, (1, 2, 3)), axis=1)
            places = record.apply(points=rng.uniform(0, shape, (3, 3)), boxes=boxes)
            assert places["points"].shape == (3, 3)
            assert places["boxes"].shape == (1, 2, 3)
    assert refused < 2 * PIPELINES  # most are accepted


@pytest.mark.filterwarnings("ignore:channel . of")  # of one value, or none in the mask
def test_what_can_be_drawn_can_be_applied():
    rng = np.random.default_rng(0)
    for number in range(APPLIED):
        pipeline, _, _ = a_pipeline(number)
        shape, units = a_grid(rng, 12)
        image = random_volume((2, *shape), pick(rng, np.float32, np.int16), seed=number)
        label = random_volume(shape, np.uint8, seed=number) % 5
        record = pipeline.draw(shape, index=7, channels={"image": 2, "t2": 1}, **units)
        if np.prod(record.output_shape) < 2e5:
            sample = record.apply(image=image, t2=image[0], label=label)
            assert sample["t2"].shape == record.output_shape
