"""What a change of contrast does to the voxels of an image."""

import math

import numpy as np
import pytest

from support.volumes import drawn, random_volume
from volaug import RandomContrast
from volaug.checks import DTYPES
from volaug.transforms.contrast import Contrast
from volaug.transforms.per_channel import ChannelId

SHAPE = (20, 24, 28)


def with_contrast(channel, factor, preserve_range):
    """From the definition, a voxel at a time, in the fractions that Python's numbers are."""
    voxels = channel.ravel().tolist()
    finite = [voxel for voxel in voxels if math.isfinite(voxel)]
    mean = math.fsum(finite) / len(finite)
    whole = channel.dtype.kind in "iu"
    result = []
    for voxel in voxels:
        value = (voxel - mean) * factor + mean
        if preserve_range and not math.isnan(value):
            value = min(max(value, min(finite)), max(finite))
        if whole:
            info = np.iinfo(channel.dtype)
            value = math.copysign(math.floor(abs(value) + 0.5), value)
            value = int(min(max(value, info.min), info.max))
        result.append(value)
    return np.array(result).reshape(channel.shape).astype(channel.dtype)


@pytest.mark.parametrize("preserve_range", [True, False])
@pytest.mark.parametrize("factor", [0.3, 1.0, 1.25, 4.0])
@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.slow
def test_contrast_equals_its_definition(dtype, factor, preserve_range):
    """Each channel by its own mean; integers are rounded and saturate."""
    rng = np.random.default_rng(0)
    image = rng.normal(40, 30, (3, 5, 6, 7))
    image[1] = rng.normal(-5, 2, (5, 6, 7))
    image[2] += 70
    image = np.clip(image, 0, None) if dtype.startswith("u") else np.clip(image, -128, 127)
    image = image.round(2).astype(dtype)
    step = RandomContrast((factor, factor), preserve_range=preserve_range, p=1)
    result = drawn([step], (5, 6, 7)).apply(image=image)["image"]
    assert result.dtype == image.dtype
    expected = np.stack([with_contrast(channel, factor, preserve_range) for channel in image])
    rounding = {"float16": 1e-3, "float32": 2e-7, "float64": 4e-16}.get(dtype, 0)
    np.testing.assert_allclose(result, expected, rtol=rounding, atol=min(rounding, 2e-7) * 200)
    if factor == 4 and not preserve_range and dtype in ("int8", "uint8"):
        assert {int(result.min()), int(result.max())} == {np.iinfo(dtype).min, np.iinfo(dtype).max}
    if preserve_range:
        for changed, channel in zip(result, image, strict=True):
            assert channel.min() <= changed.min()
            assert changed.max() <= channel.max()


def changed(values, factor, preserve_range, dtype):
    channel = np.array(values, dtype).reshape(1, 1, -1)
    Contrast(factor, preserve_range).change(channel, ChannelId("image", 0), 1)
    return channel.ravel()


def test_contrast_rounds_halves_away_from_zero():
    assert changed([-3, -1, 1, 3], 0.5, True, np.int16).tolist() == [-2, -1, 1, 2]
    assert changed([0, 1, 2, 3, 4], 0.25, True, np.uint8).tolist() == [2, 2, 2, 2, 3]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_contrast_leaves_bad_voxels_alone(dtype):
    """They have no part in the mean and the range; what is infinite is cut, if it is."""
    values = [0.0, 4.0, np.nan, np.inf, -np.inf]
    kept = changed(values, 0.5, True, dtype)
    np.testing.assert_array_equal(kept, [1, 3, np.nan, 4, 0])
    np.testing.assert_array_equal(changed(values, 2.0, False, dtype), [-2, 6, *values[2:]])
    np.testing.assert_array_equal(changed(values[2:], 2.0, True, dtype), values[2:])


def test_contrast_beyond_what_a_dtype_holds():
    """Infinite, or cut to the range that there was; and no warning."""
    assert changed([0, 6e4], 3.0, False, np.float16).tolist() == [-6e4, math.inf]
    assert changed([0, 6e4], 3.0, True, np.float16).tolist() == [0, 6e4]
    assert changed([0, 2.0**127], 3.0, True, np.float32).tolist() == [0, 2.0**127]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("preserve_range", [True, False])
def test_contrast_of_a_constant_is_that_constant(dtype, preserve_range):
    values = np.full(1001, 100 / 3).astype(dtype)
    result = changed(values, 1.7, preserve_range, dtype)
    np.testing.assert_allclose(result, values, rtol=0 if preserve_range else 3e-7)


def test_contrast_is_of_images_alone():
    image, label = random_volume(SHAPE), random_volume(SHAPE, np.int16)
    mask = random_volume(SHAPE, np.bool)
    step = RandomContrast((2.0, 2.0), p=1)
    record = drawn([step], SHAPE, targets={"mask": "image", "t2": "image"})
    points = np.array([[1.0, 2.0, 3.0]])
    given = {"image": image, "t2": image + 5, "mask": mask, "label": label, "points": points}
    before = {name: value.copy() for name, value in given.items()}
    sample = record.apply(**given)
    assert (sample["image"] != image).mean() > 0.9
    np.testing.assert_allclose(sample["t2"], sample["image"] + 5, atol=1e-5)
    for name in ("mask", "label", "points"):
        np.testing.assert_array_equal(sample[name], given[name])
    for name, value in given.items():
        np.testing.assert_array_equal(value, before[name])
        assert not np.shares_memory(value, sample[name])
