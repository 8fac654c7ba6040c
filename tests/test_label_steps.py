"""Labels replaced, images masked by them, and labels in several resolutions."""

import itertools
import json
import pickle

import numpy as np
import pytest
import scipy.stats
from cases import drawn, nan_filled, random_volume

from volaug import (
    Compose,
    LabelPyramid,
    MaskImage,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomFlip,
    Record,
    RemapLabels,
)
from volaug.checks import DTYPES
from volaug.serialization import from_plain, to_plain
from volaug.transforms.label_pyramid import Pyramid, at_scale
from volaug.transforms.mask_image import Mask
from volaug.transforms.registry import OPERATIONS
from volaug.transforms.remap_labels import Remapping, replace

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


# --- RemapLabels


@pytest.mark.parametrize("shape", [SHAPE, (3, *SHAPE), (1, 7, 1), (2, 1, 1, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_label_is_replaced_as_numpy_does(dtype, shape):
    label = some_labels(dtype, shape)
    label.flat[0] = 1
    old, new = (1, 0) if dtype == "bool" else (1, 100)
    expected = np.where(label == old, np.array(new).astype(dtype), label)
    assert (expected != label).any()
    before, image = label.copy(), random_volume(shape)
    result = done(RemapLabels(old, new=new), label=label, image=image)
    np.testing.assert_array_equal(result["label"], expected, strict=True)
    np.testing.assert_array_equal(result["image"], image)
    np.testing.assert_array_equal(label, before)


@pytest.mark.parametrize("dtype", SIGNED)
def test_what_is_outside_becomes_background(dtype):
    label = some_labels(dtype, least=-1)
    expected = np.maximum(label, 0)
    assert (label == -1).any()
    np.testing.assert_array_equal(done(RemapLabels(-1, new=0), label=label)["label"], expected)


MAX_SPACING = [
    ("int64", 2**53 + 1, 2**53),
    ("int64", 2**63 - 1, 2**63 - 2),
    ("int64", -(2**63), -(2**63) + 1),
    ("uint64", 2**64 - 1, 2**64 - 2),
    ("uint64", 2**63, 2**63 - 1),
    ("int32", -(2**31), 2**31 - 1),
    ("uint16", 2**16 - 1, 0),
]


@pytest.mark.parametrize(("dtype", "old", "near"), MAX_SPACING)
def test_labels_are_told_apart_to_the_bit(dtype, old, near):
    label = np.full(SHAPE, near, dtype)
    label[3, 4, 5] = old
    result = done(RemapLabels(old, new=7), label=label)["label"]
    assert np.argwhere(result == 7).tolist() == [[3, 4, 5]]
    assert (result == np.array(near, dtype)).sum() == label.size - 1
    back = done(RemapLabels(7, new=old), label=result)["label"]
    np.testing.assert_array_equal(back, label, strict=True)


# A dtype, a label that it cannot hold, and what is the nearest that it can.
UNHELD = [
    ("bool", 2, True),
    ("bool", -1, True),
    ("uint8", -1, 255),
    ("uint8", 256, 0),
    ("int8", 128, -128),
    ("uint16", -1, 2**16 - 1),
    ("uint64", -1, 2**64 - 1),
    ("int64", 2**63, -(2**63)),
    ("float16", 2049, 2048),
    ("float16", 70_000, INF),
    ("float32", 2**24 + 1, 2**24),
    ("float64", 2**53 + 1, 2**53),
]


@pytest.mark.parametrize(("dtype", "label", "near"), UNHELD)
def test_nothing_has_a_label_that_the_dtype_cannot_hold(dtype, label, near):
    volume = np.full(SHAPE, near, dtype)
    result = done(RemapLabels(label, new=0), label=volume)["label"]
    np.testing.assert_array_equal(result, volume, strict=True)
    np.testing.assert_array_equal(
        done(RemapLabels(label, new=2**60), label=volume)["label"], volume, strict=True
    )


@pytest.mark.parametrize(("dtype", "label", "near"), UNHELD)
def test_a_label_that_the_dtype_cannot_hold_raises_before_any_work(dtype, label, near):
    out = {"label": nan_filled(SHAPE, dtype), "image": nan_filled(SHAPE, np.float32)}
    before = {name: volume.copy() for name, volume in out.items()}
    volumes = {"label": some_labels(dtype), "image": random_volume(SHAPE)}
    message = f"'label' of {dtype} cannot hold the label {label}"
    with pytest.raises(ValueError, match=message):
        done(RemapLabels(1, new=label), **volumes, out=out)
    for name, volume in out.items():
        np.testing.assert_array_equal(volume, before[name])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_label_of_zero_has_either_sign(dtype):
    label = np.array([0.0, -0.0, 1.0, -1.0], dtype).reshape(1, 2, 2)
    result = done(RemapLabels(0, new=3), label=label)["label"]
    assert result.ravel().tolist() == [3.0, 3.0, 1.0, -1.0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_no_label_stays_to_the_bit(dtype):
    label = some_labels(dtype)
    label.flat[:4] = NAN, INF, -INF, 0.5
    result = done(RemapLabels(2, new=0), label=label)["label"]
    np.testing.assert_array_equal(result, np.where(label == 2, 0, label))


def test_all_labels_are_replaced_and_no_image():
    given = {
        "label": some_labels(np.uint8),
        "parts": some_labels(np.int64, (2, *SHAPE)),
        "image": some_labels(np.int16),
    }
    pipeline = Compose([RemapLabels(2, new=4)], seed=0, targets={"parts": "label"})
    result = pipeline(**given, index=0)
    for name in ("label", "parts"):
        expected = np.where(given[name] == 2, 4, given[name]).astype(given[name].dtype)
        np.testing.assert_array_equal(result[name], expected, strict=True)
    np.testing.assert_array_equal(result["image"], given["image"])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "int64"])
def test_replacing_takes_any_memory_order_and_threads(dtype):
    label = some_labels(dtype, LARGE)
    expected = np.where(label == 1, np.zeros((), dtype), label)
    for order in itertools.permutations(range(3)):
        for threads in (1, 2, 3, 7):
            ordered = label.transpose(order).copy().transpose(np.argsort(order))
            replace(ordered, 1, 0, threads)
            np.testing.assert_array_equal(ordered, expected, strict=True)
    room, window = in_window(label)
    replace(window, 1, 0, 2)
    np.testing.assert_array_equal(window, expected)
    assert not room[1::2].any()
    assert not room[:, :, ::2].any()


def test_the_result_has_the_memory_order_of_the_label():
    for order in itertools.permutations(range(3)):
        label = some_labels(least=-1).transpose(order).copy().transpose(np.argsort(order))
        result = done(RemapLabels(-1, new=0), label=label)["label"]
        assert result.strides == label.strides
    channels = np.asfortranarray(some_labels(shape=(2, *SHAPE)))
    result = done(RemapLabels(1, new=0), label=channels)["label"]
    np.testing.assert_array_equal(result, np.where(channels == 1, 0, channels))


# --- MaskImage


@pytest.mark.parametrize("label_dtype", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_does_what_numpy_does(dtype, label_dtype):
    image = random_volume((3, *SHAPE), dtype, seed=1)
    label = some_labels(label_dtype, least=-2 if label_dtype in SIGNED else 0)
    value = 1 if dtype == "bool" else 7
    expected = np.where(label < 0, np.array(value, dtype), image)
    assert (expected != image).any() == (label_dtype in SIGNED)
    result = done(MaskImage(value=value), image=image, label=label)
    np.testing.assert_array_equal(result["image"], expected, strict=True)
    np.testing.assert_array_equal(result["label"], label, strict=True)


@pytest.mark.parametrize("channels", [(0,), (2,), (0, 2), [1, 2], np.array([1]), 2, (), None])
def test_some_channels_are_masked(channels):
    image, label = random_volume((3, *SHAPE)), some_labels(least=-1)
    chosen = range(3) if channels is None else np.atleast_1d(channels).astype(int)
    expected = image.copy()
    for channel in chosen:
        expected[channel][label == -1] = 0
    step = MaskImage(channels=channels)
    np.testing.assert_array_equal(done(step, image=image, label=label)["image"], expected)


def test_the_first_channel_of_a_label_masks():
    image, label = random_volume(SHAPE), some_labels(shape=(2, *SHAPE), least=-1)
    result = done(MaskImage(value=-2.5), image=image, label=label)["image"]
    np.testing.assert_array_equal(result, np.where(label[0] < 0, np.float32(-2.5), image))


def test_a_label_by_name_masks_all_images():
    given = {
        "image": random_volume(SHAPE),
        "t2": random_volume((2, *SHAPE), np.int16),
        "label": some_labels(),
        "brain": some_labels(np.int8, least=-1),
    }
    targets = {"t2": "image", "brain": "label"}
    pipeline = Compose([MaskImage("brain", value=3)], seed=0, targets=targets)
    result = pipeline(**given, index=0)
    for name in ("image", "t2"):
        expected = np.where(given["brain"] < 0, np.array(3, given[name].dtype), given[name])
        np.testing.assert_array_equal(result[name], expected, strict=True)
    for name in ("label", "brain"):
        np.testing.assert_array_equal(result[name], given[name])


def test_what_is_not_a_number_is_not_negative():
    image, label = random_volume((1, 2, 3)), np.array([NAN, -0.0, 0.5, -INF, -1e-40, INF])
    image.flat[5] = NAN
    result = done(MaskImage(value=9), image=image, label=label.reshape(1, 2, 3))["image"]
    np.testing.assert_array_equal((result == 9).ravel(), [False, False, False, True, True, False])
    np.testing.assert_array_equal(result.flat[[0, 1, 2, 5]], image.flat[[0, 1, 2, 5]])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_masking_takes_any_memory_order_and_writes_to_what_it_is_given(dtype):
    image, label = random_volume(LARGE, dtype), some_labels(shape=LARGE, least=-1)
    expected = np.where(label < 0, np.zeros((), dtype), image)
    for order in itertools.permutations(range(3)):
        ordered = image.transpose(order).copy().transpose(np.argsort(order))
        result = done(MaskImage(), image=ordered, label=np.asfortranarray(label))["image"]
        np.testing.assert_array_equal(result, expected)
        assert result.strides == ordered.strides
    for threads in (1, 2, 3, 7):
        room, window = in_window(image)
        out = {"image": window}
        result = done(MaskImage(), image=image, label=label, out=out, threads=threads)
        assert result["image"] is window
        np.testing.assert_array_equal(window, expected)
        assert not room[1::2].any()
        assert not room[:, :, ::2].any()


def test_the_mask_is_of_what_the_label_has_become():
    """After a flip, and before -1 becomes 0."""
    image, label = random_volume(SHAPE), some_labels(least=-1)
    steps = [RandomFlip(0, p=1), MaskImage(), RemapLabels(-1, new=0)]
    result = Compose(steps, seed=0)(image=image, label=label, index=0)
    np.testing.assert_array_equal(result["image"], np.where(label < 0, 0, image)[::-1])
    np.testing.assert_array_equal(result["label"], np.maximum(label, 0)[::-1])


WRONG_MASKS = [
    ({"label": None}, {}, "unknown label that masks the image 'label'; there are 'brain'"),
    ({}, {"label": "lable"}, "unknown label .* 'lable'; did you mean 'label'"),
    ({}, {"label": "image"}, "unknown label .* 'image'; there are "),
    ({}, {"channels": 1}, r"the channels of 'image' to mask must be less than 1, got \(1,\)"),
    ({}, {"channels": (0, 5)}, r"channels of 'image' .* less than 1, got \(0, 5\)"),
    ({"t2": (2, *SHAPE)}, {"channels": (0, 2)}, r"channels of '.*' .* less than [12], got \(0, 2"),
    ({"t2": "uint8"}, {"value": -1}, "value must be .* fits into uint8, 0 to 255, got -1.0"),
    ({"t2": "uint8"}, {"value": 256}, "value must be .* fits into uint8, 0 to 255, got 256.0"),
    ({"t2": "int16"}, {"value": 0.5}, "value must be a whole number .* int16, .*, got 0.5"),
    ({"t2": "bool"}, {"value": 2}, "value must be a whole number .* bool, 0 to 1, got 2.0"),
    ({"t2": "float16"}, {"value": 1e5}, "value must fit into float16, got 100000.0"),
]


@pytest.mark.parametrize(("change", "arguments", "message"), WRONG_MASKS)
@pytest.mark.parametrize("first", [[], [RandomAffine(p=1), RandomContrast(p=1), RandomFlip(p=1)]])
def test_a_mask_that_cannot_be_raises_before_any_work(change, arguments, message, first):
    given = {"image": random_volume(SHAPE), "label": some_labels(), "brain": some_labels()}
    for name, what in change.items():
        kinds = {str: lambda w: random_volume(SHAPE, w), tuple: random_volume}
        given[name] = None if what is None else kinds[type(what)](what)
    given = {name: volume for name, volume in given.items() if volume is not None}
    targets = {"t2": "image", "brain": "label"}
    pipeline = Compose([*first, MaskImage(**arguments)], seed=0, targets=targets)
    out = {name: nan_filled(volume.shape, volume.dtype) for name, volume in given.items()}
    before = {name: volume.copy() for name, volume in out.items()}
    with pytest.raises(ValueError, match=message):
        pipeline(**given, out=out, index=0)
    for name, volume in out.items():
        np.testing.assert_array_equal(volume, before[name])


def test_without_an_image_there_is_nothing_to_mask():
    """So that points alone can follow what was done to an image."""
    record = drawn([RandomFlip(0, p=1), MaskImage()], SHAPE)
    assert record.apply(points=[[0, 1, 2]])["points"].tolist() == [[SHAPE[0] - 1, 1, 2]]
    parts = some_labels()
    record = drawn([MaskImage()], SHAPE, targets={"parts": "label"})
    np.testing.assert_array_equal(record.apply(parts=parts)["parts"], parts)


# --- LabelPyramid


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
def test_a_level_equals_torchs(shape, scale):
    """Nearest-exact, on shapes and scales without ties, which torch rounds."""
    torch = pytest.importorskip("torch")
    label = some_labels(np.float32, shape)
    lengths = [round(n * s) for n, s in zip(shape[-3:], scale, strict=True)]
    assert not any(map(has_ties, shape[-3:], lengths))
    label_of_torch = torch.from_numpy(label.reshape(1, -1, *shape[-3:]))
    found = torch.nn.functional.interpolate(label_of_torch, lengths, mode="nearest-exact")
    (level,) = done(LabelPyramid([scale]), label=label.astype(np.uint8))["label"]
    np.testing.assert_array_equal(level, found.numpy().reshape(level.shape))


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_a_pyramid_equals_batchgeneratorsv2s(dtype):
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("batchgeneratorsv2.transforms.utils.deep_supervision_downsampling")
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


def test_a_pyramid_goes_into_a_tensor_of_torch():
    """What a result is written to need not be numpy's."""
    torch = pytest.importorskip("torch")
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


# --- all of them

STEPS = {
    "replace": RemapLabels(-1, new=2**53 + 1),
    "mask": MaskImage("label", value=-0.1, channels=(0, 1)),
    "pyramid": LabelPyramid([1, (0.5, 1 / 3, 1), 0.25]),
}


@pytest.mark.parametrize("kind", STEPS)
def test_records_and_pipelines_go_through_json_and_pickle(kind):
    pipeline = Compose([STEPS[kind]], seed=3)
    given = {"image": random_volume((2, *SHAPE)), "label": some_labels(np.int64, least=-1)}
    record = pipeline.draw(SHAPE, index=0)
    expected = record.apply(**given)
    for again in (
        Record.from_json(record.to_json()),
        pickle.loads(pickle.dumps(record)),
        Compose.from_dict(json.loads(json.dumps(pipeline.to_dict()))).draw(SHAPE, index=0),
        pickle.loads(pickle.dumps(pipeline)).draw(SHAPE, index=0),
    ):
        assert again == record
        assert again.steps == record.steps
        found = again.apply(**given)
        np.testing.assert_array_equal(found["image"], expected["image"])
        pairs = found["label"], expected["label"]
        for one, other in zip(*pairs, strict=True) if kind == "pyramid" else [pairs]:
            np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize(
    "operation",
    [
        Remapping(np.int64(3), np.uint8(1)),
        Mask("label", 1, np.array([0, 2])),
        Pyramid(np.array([1, 0.5])),
        Pyramid([[0.5, 1, 1]]),
    ],
)
def test_numbers_of_numpy_become_plain(operation):
    plain = json.loads(json.dumps(to_plain(operation)))
    assert from_plain(plain, OPERATIONS, "an operation") == operation


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_happens_as_often_as_it_says(kind):
    given = {"image": random_volume((2, *SHAPE)), "label": some_labels(np.int64, least=-1)}
    step = STEPS[kind]
    never = type(step)(**{**arguments_of(step), "p": 0})
    sample = Compose([never], seed=0)(**given, index=0)
    assert sample.record.steps == ()
    for name, volume in given.items():
        np.testing.assert_array_equal(sample[name], volume, strict=True)
    often = Compose([type(step)(**{**arguments_of(step), "p": 0.3})], seed=0)
    times = sum(len(often.draw(SHAPE, index=index).steps) for index in range(1000))
    assert scipy.stats.binomtest(times, 1000, 0.3).pvalue > 1e-4
    assert all(Compose([step], seed=0).draw(SHAPE, index=index).steps for index in range(20))


def arguments_of(step):
    return {name: value for name, value in to_plain(step).items() if name != "type"}


NO_NUMBERS = ["5", None, True, 1j, {}, {1, 2}, b"5", np.float64, "5 mm"]
MASKS, RELABELS, PYRAMIDS = (MaskImage, Mask), (RemapLabels, Remapping), (LabelPyramid, Pyramid)


@pytest.mark.parametrize("kind", MASKS)
def test_wrong_arguments_of_a_mask(kind):
    for value in (5, None, True, b"label", ["label"], ("a", "b")):
        with pytest.raises(TypeError, match="label must be the name of a target, got "):
            kind(value)
    for value in (*NO_NUMBERS, (1, 2), [0]):
        with pytest.raises(TypeError, match="value must be a number, got "):
            kind(value=value)
    for value in (NAN, INF, -INF, 1.1e6, -(10**400)):
        with pytest.raises(ValueError, match=r"value must be from -1e\+06 to 1e\+06, got "):
            kind(value=value)
    for value in ("5", True, 1j, {}, {1}, b"5", 0.0, NAN, INF):
        for wrong in (value, (0, value)):
            with pytest.raises(TypeError, match="channels must be a whole number, got "):
                kind(channels=wrong)
    for value in (-1, 2**16 + 1, 2**70):
        for wrong in (value, (0, value)):
            with pytest.raises(ValueError, match="channels must be from 0 to 65536, got "):
                kind(channels=wrong)


@pytest.mark.parametrize("kind", RELABELS)
def test_wrong_labels_to_replace(kind):
    for value in (*NO_NUMBERS, 1.0, NAN, INF, (1, 2), [1]):
        with pytest.raises(TypeError, match="old must be a whole number, got "):
            kind(old=value, new=0)
        with pytest.raises(TypeError, match="new must be a whole number, got "):
            kind(old=0, new=value)
    for value in (-(2**63) - 1, 2**64, 10**400):
        limits = "-9223372036854775808 to 18446744073709551615"
        with pytest.raises(ValueError, match=f"old must be from {limits}, got "):
            kind(old=value, new=0)
        with pytest.raises(ValueError, match=f"new must be from {limits}, got "):
            kind(old=0, new=value)
    with pytest.raises(TypeError, match=r"missing 1 required .* argument: 'new'"):
        kind(old=1)


@pytest.mark.parametrize("kind", PYRAMIDS)
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


@pytest.mark.parametrize("kind", STEPS)
def test_wrong_p_and_name(kind):
    step = STEPS[kind]
    for p in (-0.1, 1.001, NAN, INF, 2):
        with pytest.raises(ValueError, match=f"p must be from 0 to 1, got {p}"):
            type(step)(**{**arguments_of(step), "p": p})
    for p in ("0.5", None, True, 1j, (0.5, 0.5), []):
        with pytest.raises(TypeError, match="p must be a number, got "):
            type(step)(**{**arguments_of(step), "p": p})
    for name in (5, b"flip", True, ["flip"]):
        with pytest.raises(TypeError, match="name must be a string, got "):
            type(step)(**{**arguments_of(step), "name": name})
    with pytest.raises(TypeError, match="unexpected keyword argument 'prob'"):
        type(step)(**arguments_of(step), prob=0.5)
