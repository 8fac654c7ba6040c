"""Brightness and gamma: their kernels, and what changes of values have in common."""

import math

import numpy as np
import pytest

from support.intensity import HERE, SHAPE, changed, image_of, stored
from volaug.checks import DTYPES
from volaug.kernels.jit.options import kernel
from volaug.kernels.values.vector_math import exp2, power, power_constants
from volaug.transforms.brightness import Brightness
from volaug.transforms.channels import BLOCK, statistics
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.noise import Noise

CHANGES = [
    Contrast(1.3),
    Brightness(0.8, 0.3),
    Gamma(1.4),
    Gamma(0.7, inverted=True),
    Noise(0.2, "gaussian", True, 5),
    Noise(0.2, "rician", True, 5),
]


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


def test_blocks_are_fixed():
    """A test above has more than one, and one that is not full."""
    assert math.prod(SHAPE) / BLOCK > 1
    assert math.prod(SHAPE) % BLOCK
