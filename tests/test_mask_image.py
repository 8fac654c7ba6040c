"""Images that are set to a value where a label is negative."""

import itertools

import numpy as np
import pytest

from support.bad_values import NO_NUMBERS
from support.label_steps import INF, LARGE, NAN, SHAPE, SIGNED, done, in_window, some_labels
from support.volumes import drawn, nan_filled, random_volume
from volaug import (
    Compose,
    MaskImage,
    RandomAffine,
    RandomContrast,
    RandomFlip,
    RemapLabels,
)
from volaug.checks import DTYPES
from volaug.transforms.mask_image import Mask


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
    (
        {},
        {"channels": 1},
        r"the channels of 'image' that Mask changes .* less than 1, got \(1,\)",
    ),
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


@pytest.mark.parametrize("kind", [MaskImage, Mask])
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
            with pytest.raises(TypeError, match=r"channels must be a (whole )?number.*, got "):
                kind(channels=wrong)
    for value in (-1, 2**16 + 1, 2**70):
        for wrong in (value, (0, value)):
            with pytest.raises(ValueError, match="channels must be from 0 to 65536, got "):
                kind(channels=wrong)
