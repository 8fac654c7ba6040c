"""Labels that are replaced by others."""

import itertools

import numpy as np
import pytest

from support.bad_values import NO_NUMBERS
from support.label_steps import INF, LARGE, NAN, SHAPE, SIGNED, done, in_window, some_labels
from support.volumes import nan_filled, random_volume
from volaug import (
    Compose,
    RemapLabels,
)
from volaug.checks import DTYPES
from volaug.transforms.remap_labels import Remapping, replace


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


@pytest.mark.parametrize("kind", [RemapLabels, Remapping])
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
