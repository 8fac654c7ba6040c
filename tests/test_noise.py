"""Gaussian and Rician noise."""

import math

import numpy as np
import pytest
import scipy.stats

from support.intensity import SHAPE, changed, image_of
from support.volumes import random_volume
from volaug.transforms.noise import Noise, add_noise
from volaug.transforms.per_channel import ChannelId


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
