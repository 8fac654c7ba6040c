import numpy as np
import pytest
import reference
import scipy.ndimage
from cases import SHAPES, nan_filled, random_affine, random_volume

from volaug import affine_transform, elastic_deform
from volaug.checks import DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_scipy_in_every_dtype(dtype):
    shape, target = (9, 11, 20), (10, 7, 23)
    volume = random_volume(shape, dtype)
    matrix, offset = random_affine(np.random.default_rng(1), shape, target)
    out = nan_filled(target, dtype)
    affine_transform(
        volume, matrix, offset, output_shape=target, interpolation="nearest", cval=1, out=out
    )
    expected = scipy.ndimage.affine_transform(
        volume.astype(float), matrix, offset, target, order=0, cval=1
    )
    np.testing.assert_array_equal(out, expected.astype(dtype))


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_reference_through_a_spline(shape):
    rng = np.random.default_rng(sum(shape))
    volume = random_volume(shape, np.int16)
    points = rng.normal(0, 1.0, (3, 4, 5, 6))
    matrix, offset = random_affine(rng, shape, shape, 0.3)
    out = nan_filled(shape, np.int16)
    elastic_deform(
        volume, points, matrix=matrix, offset=offset, interpolation="nearest", cval=-3, out=out
    )
    expected = reference.warp(
        volume, shape, matrix, offset, points, interpolation="nearest", cval=-3
    )
    np.testing.assert_array_equal(out, expected)


def test_half_a_voxel_rounds_up():
    volume = np.arange(10, dtype=np.uint8).reshape(1, 1, 10)
    result = affine_transform(volume, np.eye(3), (0, 0, 0.5), interpolation="nearest", cval=99)
    assert result.ravel().tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 99]


def test_ids_beyond_2_24_survive():
    volume = np.array([2**62 + 1, 2**53 + 1, -(2**62) - 1], np.int64).reshape(1, 1, 3)
    result = affine_transform(volume, -np.eye(3), (0, 0, 2), interpolation="nearest")
    np.testing.assert_array_equal(result, volume[..., ::-1])


def test_bits_of_a_nan_survive():
    volume = np.array([0x7FC12345, 0x3F800000], np.uint32).view(np.float32).reshape(1, 1, 2)
    result = affine_transform(volume, np.eye(3), interpolation="nearest")
    np.testing.assert_array_equal(result.view(np.uint32), volume.view(np.uint32))
