"""Brightness, gamma and noise: their kernels, and what they do to the voxels of an image."""

import itertools
import math
import pickle

import numpy as np
import pytest
import scipy.stats

from support.volumes import drawn, random_volume
from volaug import (
    Compose,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
    Record,
)
from volaug.checks import DTYPES
from volaug.kernels.jit.options import kernel
from volaug.kernels.values.vector_math import exp2, power, power_constants
from volaug.transforms.brightness import Brightness
from volaug.transforms.channels import BLOCK, statistics
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.noise import Noise, add_noise
from volaug.transforms.per_channel import ChannelId

SHAPE = (33, 34, 35)  # more than one block of voxels, and not a whole number of them
HERE = ChannelId("image", 0)
CHANGES = [
    Contrast(1.3),
    Brightness(0.8, 0.3),
    Gamma(1.4),
    Gamma(0.7, inverted=True),
    Noise(0.2, "gaussian", True, 5),
    Noise(0.2, "rician", True, 5),
]


def image_of(dtype, shape=SHAPE):
    """Like a scan: a dark background, and three kinds of tissue with noise."""
    rng = np.random.default_rng(3)
    values = np.clip(rng.choice([1, 40, 70, 95], shape) + rng.normal(0, 4, shape), 0, 127)
    return values.astype(dtype)


def changed(change, image, threads=1, place=HERE):
    result = image.copy(order="K")
    change.change(result, place, threads)
    return result


def stored(values, dtype):
    """Floats as voxels: rounded half away from zero and saturated, for integers."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.trunc(values + np.copysign(0.5, values)), limits.min, limits.max).astype(
        dtype
    )


def close(result, expected, dtype):
    """Alike to the rounding of the dtype, or one level apart where a half was."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        scale = {"float16": 2e-3, "float32": 2e-6, "float64": 3e-6}[dtype.name]
        np.testing.assert_allclose(result, expected, rtol=scale, atol=scale * 10)
    else:
        apart = np.abs(result.astype(float) - expected.astype(float))
        assert apart.max() <= 1
        assert (apart > 0).mean() < 1e-3


@kernel
def powers(values, constants, results):
    for i in range(values.shape[0]):
        results[i] = power(values[i], constants)


@kernel
def powers_of_two(values, results):
    for i in range(values.shape[0]):
        results[i] = exp2(values[i])


def raised(values, exponent):
    constants, squarings = power_constants(exponent)
    results = np.full_like(values, np.nan)
    powers(values, constants, results)
    for _ in range(squarings):
        results *= results
    return results


VALUES = np.concatenate(
    [np.linspace(0, 1, 100_001), np.geomspace(1e-36, 1e4, 200_001), [0.5, 1.0, 2.0]]
).astype(np.float32)


@pytest.mark.parametrize("exponent", [0.01, 0.1, 0.45, 0.7, 1.0, 1.37, 1.5, 2.2])
def test_a_power_is_right_to_three_in_ten_million(exponent):
    values = VALUES[(VALUES == 0) | (VALUES.astype(float) ** exponent > 1e-35)]
    results = raised(values, exponent)
    np.testing.assert_allclose(results, values.astype(float) ** exponent, rtol=3e-7, atol=1e-37)
    assert (results[values == 0] == 0.0).all()
    assert (results[values == 1] == 1.0).all()


@pytest.mark.parametrize("exponent", [2.3, 2.6, 4.5, 10.0, 100.0])
def test_a_great_power_is_right_to_three_in_ten_million_of_the_range(exponent):
    values = VALUES[VALUES <= 1]
    expected = values.astype(float) ** exponent
    np.testing.assert_allclose(raised(values, exponent), expected, rtol=1e-4, atol=3e-7)


def test_a_power_of_what_is_not_finite_is_nothing():
    values = np.array([np.nan, np.inf, -np.inf, -1.0], np.float32)
    assert raised(values, 1.5).tolist() == [0.0] * 4


def test_a_power_of_two_is_right_to_three_in_ten_million():
    values = np.linspace(-125.9, 126.9, 200_001).astype(np.float32)
    results = np.full_like(values, np.nan)
    powers_of_two(values, results)
    np.testing.assert_allclose(results, 2.0 ** values.astype(float), rtol=3e-7)


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_statistics_are_numpys(dtype):
    image = image_of(dtype)
    found = statistics(image, 1)
    values = image.astype(np.float64)
    expected = values.size, values.mean(), values.std(), values.min(), values.max()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found == statistics(image, 2) == statistics(image, 7)


def test_statistics_are_of_what_is_finite():
    image = image_of(np.float32)
    image[0, 0, 0], image[3, 4, 5], image[-1, -1, -1] = np.nan, np.inf, -np.inf
    finite = image[np.isfinite(image)].astype(float)
    expected = finite.size, finite.mean(), finite.std(), finite.min(), finite.max()
    np.testing.assert_allclose(statistics(image, 1), expected, rtol=1e-12)
    assert all(math.isnan(value) for value in statistics(np.full_like(image, np.nan), 1)[1:])


def test_a_small_spread_far_from_zero_is_not_lost():
    image = (1e7 + np.random.default_rng(0).normal(0, 1, SHAPE)).astype(np.float64)
    np.testing.assert_allclose(statistics(image, 1).std, image.std(), rtol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_brightness_equals_its_definition(dtype):
    image = image_of(dtype)
    values = image.astype(float)
    close(changed(Brightness(1.25), image), stored(1.25 * values, dtype), dtype)
    expected = stored(0.8 * values - 0.5 * values.std(), dtype)
    close(changed(Brightness(0.8, -0.5), image), expected, dtype)


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("inverted", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "float32", "float64"])
def test_gamma_equals_its_definition(dtype, inverted, retain):
    image = image_of(dtype)
    sign = -1.0 if inverted else 1.0
    values = sign * image.astype(float)
    low, spread = values.min(), np.ptp(values)
    raised = ((values - low) / spread) ** 1.4 * spread + low
    curve = stored(sign * raised, dtype).astype(float) * sign  # as it is stored in between
    if retain:
        curve = (curve - raised.mean()) / raised.std() * values.std() + values.mean()
    close(changed(Gamma(1.4, inverted, retain), image), stored(sign * curve, dtype), dtype)


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
@pytest.mark.parametrize("change", CHANGES)
def test_images_without_a_range_or_finite_voxels(change, dtype):
    constant = np.full(SHAPE, 7, dtype)
    result = changed(change, constant)
    factor = change.factor if isinstance(change, Brightness) else 1.0
    np.testing.assert_allclose(result, stored(factor * constant.astype(float), dtype), rtol=1e-6)
    if dtype != "int16":
        nothing = np.full(SHAPE, np.nan, dtype)
        assert np.isnan(changed(change, nothing)).all()


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_finite_changes_no_other_voxel(change):
    image = image_of(np.float32)
    image[5, 6, 7] = np.nan
    result = changed(change, image)
    assert np.argwhere(np.isnan(result)).tolist() == [[5, 6, 7]]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_same_bits_for_any_threads(change, dtype):
    image = image_of(dtype, (80, 90, 70))
    alone = changed(change, image)
    assert (alone != image).mean() > 0.5
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(changed(change, image, threads), alone)


@pytest.mark.parametrize("change", CHANGES)
def test_any_memory_order(change):
    image = image_of(np.float32)
    expected = changed(change, image)
    close(changed(change, np.asfortranarray(image)), expected, np.float32)
    room = np.full((66, 34, 70), 5, np.float32)
    window = room[::2, ::-1, 1::2]
    window[...] = image
    change.change(window, HERE, 1)
    close(window, expected, np.float32)
    assert (room[1::2] == 5).all()
    assert (room[:, :, ::2] == 5).all()


def noise_of(count, key=11, stream=0):
    volume = np.zeros((1, 1, count), np.float32)
    add_noise(volume, 1.0, False, stream, key, 1)
    return volume.ravel().astype(float)


@pytest.mark.slow
def test_noise_is_normal():
    """Moments, the whole distribution, and its tails, at 5 standard errors or less."""
    count = 2**22
    values = noise_of(count)
    assert abs(values.mean()) < 4 / math.sqrt(count)
    assert abs(values.var() - 1) < 4 * math.sqrt(2 / count)
    assert abs(scipy.stats.skew(values)) < 4 * math.sqrt(6 / count)
    assert abs(scipy.stats.kurtosis(values)) < 4 * math.sqrt(24 / count)
    assert scipy.stats.kstest(values, "norm").pvalue > 1e-3
    for limit in (3.0, 4.0, 4.5):
        expected = count * 2 * scipy.stats.norm.sf(limit)
        assert abs((np.abs(values) > limit).sum() - expected) < 5 * math.sqrt(expected)


@pytest.mark.parametrize("lag", [1, 2, 3, 7, 1024, 2048, 4096, 35, 34 * 35])
def test_noise_of_one_voxel_tells_nothing_of_another(lag):
    values = noise_of(2**20)
    near, far = values[:-lag], values[lag:]
    for function in (np.asarray, np.square, np.sign):
        correlation = np.corrcoef(function(near), function(far))[0, 1]
        assert abs(correlation) < 4.5 / math.sqrt(len(near))


def test_noise_is_another_for_each_key_channel_and_target():
    image = np.zeros(SHAPE, np.float32)
    one = Noise(1.0, "gaussian", False, 3)
    first = changed(one, image)
    others = [
        changed(Noise(1.0, "gaussian", False, 4), image),
        changed(one, image, place=ChannelId("image", 1)),
        changed(one, image, place=ChannelId("t2", 0)),
    ]
    for other in others:
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 4 / math.sqrt(image.size)
    np.testing.assert_array_equal(changed(one, image), first)


@pytest.mark.slow
def test_rician_noise_is_the_magnitude_of_a_complex_one():
    image = np.full((1, 1, 2**20), 2.0, np.float32)
    values = changed(Noise(0.7, "rician", False, 1), image).ravel().astype(float)
    assert scipy.stats.kstest(values, "rice", (2.0 / 0.7, 0, 0.7)).pvalue > 1e-3


def test_noise_is_relative_to_the_channel():
    image = random_volume(SHAPE) * 30
    added = changed(Noise(0.1, "gaussian", True, 2), image) - image
    np.testing.assert_allclose(added.std(), 0.1 * image.std(), rtol=0.02)


def test_channels_apart_and_together():
    image = np.stack([image_of(np.float32)] * 3)
    apart = [RandomGamma(per_channel=True, p=1)]
    result = drawn(apart, SHAPE, channels=3).apply(image=image)["image"]
    assert not np.array_equal(result[0], result[1])
    one = drawn(apart, SHAPE)
    np.testing.assert_array_equal(one.apply(image=image[:1])["image"], result[:1])
    out = {"image": np.full_like(image, np.nan)}
    with pytest.raises(ValueError, match="Gamma was drawn for 1 channels, but 'image' has 3: "):
        one.apply(image=image, out=out)
    assert np.isnan(out["image"]).all()
    for step in (RandomGamma(p=1), RandomBrightness(std_shift=0.5, p=1), RandomContrast(p=1)):
        result = drawn([step], SHAPE).apply(image=image)["image"]
        np.testing.assert_array_equal(result[0], result[1])
    result = drawn([RandomNoise(p=1)], SHAPE).apply(image=image)["image"]
    assert not np.array_equal(result[0], result[1])


def test_a_call_draws_for_the_channels_that_there_are():
    image = np.stack([image_of(np.float32)] * 2)
    pipeline = Compose([RandomBrightness(per_channel=True, p=1)], seed=1, targets={"t2": "image"})
    record = pipeline(image=image[0], t2=image, label=image[0].astype(np.int16), index=0).record
    assert len(record.steps[0][1].factor) == 2


def test_blocks_are_fixed():
    """A test above has more than one, and one that is not full."""
    assert math.prod(SHAPE) / BLOCK > 1
    assert math.prod(SHAPE) % BLOCK


STEPS_APART = [
    RandomContrast(per_channel=True, p=1),
    RandomBrightness(std_shift=0.5, per_channel=True, p=1),
    RandomGamma(per_channel=True, p=1),
    RandomHistogramShift(per_channel=True, p=1),
    RandomNoise(per_channel=True, p=1),
    RandomBlur(per_channel=True, p=1),
    RandomLowResolution(per_channel=True, p=1),
    RandomBiasField(per_channel=True, p=1),
]
NAMED = {"targets": {"t1": "image", "flair": "image"}, "seed": 4}


@pytest.mark.parametrize("step", STEPS_APART, ids=lambda step: type(step).__name__)
def test_each_channel_of_each_named_image_has_its_own_draw(step):
    image = image_of(np.float32)
    pipeline = Compose([step], **NAMED)
    both = pipeline(t1=image, flair=np.stack([image, image]), index=0)
    changes = [both["t1"], *both["flair"]]
    for a, b in itertools.combinations(changes, 2):
        assert not np.array_equal(a, b)
    # whatever other images there are
    for others in ({}, {"flair": image}, {"image": image}):
        alone = pipeline(t1=image, **others, index=0)
        np.testing.assert_array_equal(alone["t1"], both["t1"])
    record = both.record
    again = Record.from_json(record.to_json())
    assert again == record
    assert pickle.loads(pickle.dumps(record)) == record
    np.testing.assert_array_equal(again.apply(t1=image)["t1"], both["t1"])
    with pytest.raises(ValueError, match="drawn for 1 channels, but 't1' has 2: draw with"):
        record.apply(t1=np.stack([image, image]))
    with pytest.raises(ValueError, match="drawn for 't1', 'flair' and not for 'image': draw with"):
        record.apply(image=image)


@pytest.mark.parametrize("step", STEPS_APART, ids=lambda step: type(step).__name__)
def test_the_image_alone_is_drawn_as_ever(step):
    pipeline = Compose([step], **NAMED)
    record = pipeline.draw(SHAPE, index=0, channels=3)
    assert record == pipeline.draw(SHAPE, index=0, channels={"image": 3})
    image = np.stack([image_of(np.float32)] * 3)
    result = record.apply(image=image)["image"]
    np.testing.assert_array_equal(pipeline(image=image, index=0)["image"], result)
    other = pipeline(image=image, t1=image, index=0)["image"]
    np.testing.assert_array_equal(other, result)


@pytest.mark.parametrize(
    ("channels", "error", "message"),
    [
        ({"t2": 1}, ValueError, "unknown image of channels 't2'; .*'t1', 'flair'"),
        ({"label": 1}, ValueError, "unknown image of channels 'label'"),
        ({"t1": 0}, ValueError, "channels of 't1' must be from 1 to 65536, got 0"),
        ({"t1": "1"}, TypeError, "channels of 't1' must be a whole number, got '1'"),
        ({}, ValueError, "channels must name an image, or be one number"),
        (0, ValueError, "channels must be from 1 to 65536, got 0"),
    ],
)
def test_channels_by_name_are_checked(channels, error, message):
    with pytest.raises(error, match=message):
        Compose([], **NAMED).draw(SHAPE, index=0, channels=channels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_rician_noise_of_negative_values_is_taken_from_the_least(dtype):
    """As of the magnitude before it was shifted: no negative value becomes a positive one."""
    image = image_of(dtype)
    image[0, 0, 0] = 0
    noise = Noise(0.2, "rician", True, 5)
    moved = (image - np.array(50, dtype)).astype(dtype)
    expected = changed(noise, image).astype(float) - 50
    np.testing.assert_allclose(changed(noise, moved), expected, atol=1e-4)
    assert changed(noise, moved).min() >= -50
    above = image_of(dtype) + np.array(30, dtype)  # a magnitude need not reach 0
    assert np.abs(changed(noise, above) - above.astype(float)).max() < 60
