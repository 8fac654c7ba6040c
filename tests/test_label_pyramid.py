"""Labels in several resolutions."""

import itertools
import json

import numpy as np
import pytest

from support.bad_values import NO_NUMBERS
from support.label_steps import INF, LARGE, NAN, SHAPE, done, in_window, some_labels
from support.volumes import drawn, random_volume
from volaug import (
    Compose,
    LabelPyramid,
    MaskImage,
    OneOf,
    RandomContrast,
    RandomFlip,
    Record,
    RemapLabels,
)
from volaug.checks import DTYPES
from volaug.transforms.label_pyramid import Pyramid, at_scale


def has_ties(length, count):
    """Whether a center lies in the middle between two voxels."""
    return any((2 * i + 1) * length % (2 * count) == 0 for i in range(count))


def nearest(length, count):
    """The voxels nearest to the centers of fewer, of two the one behind: with whole numbers."""
    places = (2 * np.arange(count) + 1) * length - count  # times 2 count
    distances = np.abs(2 * count * np.arange(length) - places[:, np.newaxis])
    return length - 1 - distances[:, ::-1].argmin(axis=1)


def by_numpy(label, scale):
    lengths = [max(1, round(n * s)) for n, s in zip(label.shape[-3:], scale, strict=True)]
    kept = map(nearest, label.shape[-3:], lengths)
    return label[(..., *np.ix_(*kept))]


SCALES = [(1.0, 1.0, 1.0), (0.5,) * 3, (0.25,) * 3, (1 / 3,) * 3, (1.0, 0.5, 0.5), (0.3, 1.0, 0.7)]


@pytest.mark.parametrize("shape", [SHAPE, (8, 10, 12), (2, 7, 9, 5), (1, 9, 1), (3, 1, 1, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_pyramid_has_the_nearest_labels(dtype, shape):
    label = some_labels(dtype, shape)
    levels = done(LabelPyramid(SCALES), label=label)["label"]
    assert type(levels) is list
    for level, scale in zip(levels, SCALES, strict=True):
        np.testing.assert_array_equal(level, by_numpy(label, scale), strict=True)


@pytest.mark.parametrize("scale", [*SCALES, (0.1, 0.5, 0.9)])
@pytest.mark.parametrize("shape", [(13, 17, 31), (29, 25, 19), (2, 17, 21, 37), (3, 15, 7, 23)])
@pytest.mark.oracle("torch")
def test_a_level_equals_torchs(shape, scale):
    """Nearest-exact, on shapes and scales without ties, which torch rounds."""
    import torch

    label = some_labels(np.float32, shape)
    lengths = [round(n * s) for n, s in zip(shape[-3:], scale, strict=True)]
    assert not any(map(has_ties, shape[-3:], lengths))
    label_of_torch = torch.from_numpy(label.reshape(1, -1, *shape[-3:]))
    found = torch.nn.functional.interpolate(label_of_torch, lengths, mode="nearest-exact")
    (level,) = done(LabelPyramid([scale]), label=label.astype(np.uint8))["label"]
    np.testing.assert_array_equal(level, found.numpy().reshape(level.shape))


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
@pytest.mark.oracle("torch", "batchgeneratorsv2")
def test_a_pyramid_equals_batchgeneratorsv2s(dtype):
    import torch
    from batchgeneratorsv2.transforms.utils import deep_supervision_downsampling as module

    scales = [1, 0.5, (0.5, 0.25, 0.25), (1, 1, 0.5)]
    label = some_labels(dtype, (1, 16, 24, 40))
    theirs = module.DownsampleSegForDSTransform(scales)(segmentation=torch.from_numpy(label))
    ours = done(LabelPyramid(scales), label=label)["label"]
    for level, expected in zip(ours, theirs["segmentation"], strict=True):
        np.testing.assert_array_equal(level, expected.numpy(), strict=True)


def test_with_scale_one_it_is_the_label_itself():
    label = some_labels()
    levels = done(LabelPyramid([1, 0.5, (1, 1, 1)]), label=label)["label"]
    assert levels[0] is levels[2]
    assert not np.shares_memory(levels[0], label)
    out = {"label": np.zeros_like(label)}
    levels = done(LabelPyramid([0.5, 1]), label=label, out=out)["label"]
    assert levels[1] is out["label"]
    np.testing.assert_array_equal(out["label"], label)


@pytest.mark.parametrize("scale", [(1 / 3, 1, 1), (1, 0.5, 1), (1, 1, 0.5), (1 / 9, 1 / 12, 1)])
@pytest.mark.parametrize("shape", [(3, 12, 12), (9, 12, 11), (2, 3, 12, 12)])
def test_each_lower_resolution_has_memory_of_its_own(shape, scale):
    levels = done(LabelPyramid([1, scale, scale]), label=some_labels(shape=shape))["label"]
    for one, other in itertools.combinations(levels, 2):
        assert one.shape != levels[0].shape or one is levels[0]
        assert not np.shares_memory(one, other)


@pytest.mark.parametrize("shape", [LARGE, (2, *LARGE)])
def test_a_level_has_the_memory_order_of_the_label(shape):
    label = some_labels(np.int16, shape)
    for order in itertools.permutations(range(len(shape))):
        ordered = label.transpose(order).copy().transpose(np.argsort(order))
        level = at_scale(ordered, (0.5, 1.0, 0.3))
        np.testing.assert_array_equal(level, by_numpy(label, (0.5, 1.0, 0.3)), strict=True)
        assert np.argsort(level.strides).tolist() == np.argsort(ordered.strides).tolist()
        assert level.transpose(order).flags.c_contiguous
    if len(shape) == 3:
        _, window = in_window(label)
        np.testing.assert_array_equal(
            at_scale(window, (0.5, 1, 0.3)), by_numpy(label, (0.5, 1, 0.3))
        )


def test_all_labels_become_lists_and_no_image():
    given = {
        "label": some_labels(np.uint8),
        "parts": some_labels(np.int64, (2, *SHAPE)),
        "image": some_labels(np.int16),
        "points": np.array([[1.0, 2.0, 3.0]]),
    }
    pipeline = Compose([LabelPyramid([1, 0.5])], seed=0, targets={"parts": "label"})
    result = pipeline(**given, index=0)
    for name in ("label", "parts"):
        for level, scale in zip(result[name], (1.0, 0.5), strict=True):
            np.testing.assert_array_equal(level, by_numpy(given[name], (scale,) * 3), strict=True)
    for name in ("image", "points"):
        np.testing.assert_array_equal(result[name], given[name], strict=True)


@pytest.mark.oracle("torch")
def test_a_pyramid_goes_into_a_tensor_of_torch():
    """What a result is written to need not be numpy's."""
    import torch

    label = some_labels()
    out = torch.zeros(SHAPE, dtype=torch.int16)
    levels = done(LabelPyramid([1, 0.5]), label=label, out={"label": out})["label"]
    assert levels[0] is out
    np.testing.assert_array_equal(out.numpy(), label)
    np.testing.assert_array_equal(np.asarray(levels[1]), by_numpy(label, (0.5,) * 3))


PYRAMID = LabelPyramid([1, 0.5])
LAST = "a LabelPyramid must be the last step, got another after it"


@pytest.mark.parametrize(
    "steps",
    [
        [PYRAMID, RandomFlip()],
        [PYRAMID, RandomContrast()],
        [RandomFlip(), PYRAMID, RemapLabels(-1, new=0)],
        [PYRAMID, PYRAMID],
        [Compose([RandomFlip(), PYRAMID]), RandomContrast()],
        [OneOf([RandomFlip(), PYRAMID]), RandomContrast()],
    ],
)
def test_nothing_comes_after_a_pyramid(steps):
    with pytest.raises(ValueError, match=LAST):
        Compose(steps)


def test_a_pyramid_may_be_last_in_a_group():
    for steps in (
        [RandomFlip(p=1), Compose([RandomContrast(p=1), PYRAMID])],
        [RandomFlip(p=1), Compose([Compose([PYRAMID])])],
    ):
        assert type(Compose(steps, seed=0).draw(SHAPE, index=0).steps[-1][1]) is Pyramid


def test_no_record_has_anything_after_a_pyramid():
    record = drawn([RandomFlip(p=1), RandomContrast(p=1), PYRAMID], SHAPE)
    plain = json.loads(record.to_json())
    assert [step["type"] for step in plain["steps"]] == ["Flip", "Contrast", "Pyramid"]
    for order in ((0, 2, 1), (2, 0, 1), (2, 2)):
        changed = {**plain, "steps": [plain["steps"][place] for place in order]}
        with pytest.raises(ValueError, match=LAST):
            Record.from_json(json.dumps(changed))
    assert Record.from_json(json.dumps(plain)) == record


def test_a_record_with_a_pyramid_brings_a_prediction_back():
    image, label = random_volume(SHAPE), some_labels(least=-1)
    steps = [RandomFlip(p=1), MaskImage(), RemapLabels(-1, new=0), PYRAMID]
    sample = Compose(steps, seed=0)(image=image, label=label, index=0)
    back = sample.record.invert(label=sample["label"][0], image=sample["image"])
    np.testing.assert_array_equal(back["label"], np.maximum(label, 0))
    np.testing.assert_array_equal(back["image"], np.where(label < 0, 0, image))


@pytest.mark.parametrize("kind", [LabelPyramid, Pyramid])
def test_wrong_scales_of_a_pyramid(kind):
    for value in (0.5, 1, None, True, "1", {}, [], (), np.array(0.5)):
        with pytest.raises(ValueError, match="scales must be one or more, each for all axes, got "):
            kind(value)
    for value in NO_NUMBERS:
        for wrong in ([value], [1, value], [(1, 1, value)]):
            with pytest.raises(TypeError, match="scales must be a number, got "):
                kind(wrong)
    for value in (0, -0.5, 1.001, 2, 0.0009, NAN, INF, -INF, 10**400):
        for wrong in ([value], [1, value], [(1, 1, value)]):
            with pytest.raises(ValueError, match=r"scales must be from 0.001 to 1, got "):
                kind(wrong)
    for value in ([()], [(1,)], [1, (1, 1)], [(1, 1, 1, 1)]):
        with pytest.raises(ValueError, match="scales must be a number, or one for each of three "):
            kind(value)
