"""The Gaussian blur of a channel."""

import math

import numpy as np
import pytest
from scipy import ndimage

from support.volumes import drawn, random_volume
from volaug import RandomBlur
from volaug.checks import DTYPES
from volaug.warping.engine.gaussian import blur

SHAPE = (33, 41, 37)
SIGMA = (0.7, 1.3, 2.0)


def reach_of(sigma, truncate):
    return tuple(math.floor(truncate * width + 0.25) for width in sigma)


def by_scipy(volume, sigma, truncate=4.0):
    """In float64, as wide as ours."""
    result = volume.astype(np.float64)
    for axis, width in enumerate(sigma):
        if width > 0:
            reach = math.floor(truncate * width + 0.25)
            result = ndimage.gaussian_filter1d(result, width, axis, mode="mirror", radius=reach)
    return result


def blurred(volume, sigma=SIGMA, truncate=4.0, threads=1):
    result = volume.copy(order="K")
    blur(result, sigma, reach_of(sigma, truncate), threads)
    return result


@pytest.mark.parametrize("truncate", [2.0, 4.0])
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_equals_scipys(dtype, truncate):
    volume = random_volume(SHAPE, dtype)
    result = blurred(volume, truncate=truncate).astype(np.float64)
    bound = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}.get(dtype, 0.5001)
    assert np.abs(result - by_scipy(volume, SIGMA, truncate)).max() < bound


@pytest.mark.parametrize("shape", [(1, 9, 8), (2, 3, 1), (5, 1, 7), (1, 1, 1), (3, 2, 40)])
def test_axes_that_are_shorter_than_the_blur(shape):
    volume = random_volume(shape)
    np.testing.assert_allclose(blurred(volume), by_scipy(volume, SIGMA), atol=2e-6)


@pytest.mark.parametrize("sigma", [(0, 0, 0), (1.5, 0, 0), (0, 1.5, 0), (0, 0, 1.5), (0.1, 1, 0)])
def test_an_axis_may_be_left_out(sigma):
    volume = random_volume(SHAPE)
    np.testing.assert_allclose(blurred(volume, sigma), by_scipy(volume, sigma), atol=2e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_same_bits_for_any_threads(dtype):
    volume = random_volume((70, 80, 90), dtype)
    alone = blurred(volume)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(blurred(volume, threads=threads), alone)


def test_any_memory_order():
    volume = random_volume(SHAPE)
    expected = by_scipy(volume, SIGMA)
    np.testing.assert_allclose(blurred(np.asfortranarray(volume)), expected, atol=2e-6)
    room = np.full((66, 41, 74), 5, np.float32)
    window = room[::2, ::-1, 1::2]
    window[...] = volume
    blur(window, SIGMA, reach_of(SIGMA, 4.0), 1)
    np.testing.assert_allclose(window, expected, atol=2e-6)
    assert (room[1::2] == 5).all()
    assert (room[:, :, ::2] == 5).all()


def test_a_constant_stays_to_the_bit():
    constant = np.full(SHAPE, 0.1, np.float32)
    np.testing.assert_array_equal(blurred(constant), constant)


def test_it_moves_nothing():
    volume = np.zeros((21, 23, 25), np.float32)
    volume[10, 11, 12] = 1
    result = blurred(volume, (1.0, 1.5, 2.0))
    np.testing.assert_allclose(result, result[::-1, ::-1, ::-1], atol=1e-8)
    assert result.argmax() == volume.argmax()


def test_nan_reaches_its_neighborhood():
    volume = random_volume((20, 20, 20))
    volume[10, 10, 10] = np.nan
    found = np.argwhere(np.isnan(blurred(volume, (0.5, 0.5, 0.5))))
    assert found.min(axis=0).tolist() == [8, 8, 8]
    assert found.max(axis=0).tolist() == [12, 12, 12]


@pytest.mark.oracle("torch", "batchgeneratorsv2")
def test_equals_batchgeneratorsv2():
    """With its reach of three sigmas."""
    import torch
    from batchgeneratorsv2.transforms.noise import gaussian_blur as module

    volume = random_volume(SHAPE)
    theirs = module.GaussianBlurTransform((0.8, 0.8), False, True, 1.0, False)
    expected = theirs(image=torch.from_numpy(volume.copy())[None])["image"][0].numpy()
    found = blurred(volume, (0.8, 0.8, 0.8), truncate=3.0)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(volume))


def test_the_step_is_in_mm():
    image = random_volume(SHAPE)
    step = [RandomBlur(((1, 1), (2, 2), (3, 3)), p=1)]
    record = drawn(step, SHAPE, spacing=(0.5, 1.0, 2.0))
    assert record.steps[0][1].sigma == (2.0, 2.0, 1.5)
    result = record.apply(image=image)["image"]
    np.testing.assert_allclose(result, by_scipy(image, (2.0, 2.0, 1.5)), atol=2e-6)


def test_channels_apart():
    image = np.stack([random_volume(SHAPE)] * 40)[:, :8, :8, :8]
    step = [RandomBlur(per_channel=True, p_channel=0.5, isotropic=True, p=1)]
    record = drawn(step, image.shape[1:], channels=40)
    sigmas = np.array(record.steps[0][1].sigma)
    assert (sigmas == sigmas[:, :1]).all()
    assert 8 < (sigmas[:, 0] == 0).sum() < 32
    assert ((sigmas == 0) | ((sigmas >= 0.5) & (sigmas <= 1))).all()
    result = record.apply(image=image)["image"]
    same = (result == image).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, sigmas[:, 0] == 0)
