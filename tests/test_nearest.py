import numpy as np
import pytest
import scipy.ndimage

import reference
from support.volumes import SHAPES, nan_filled, random_affine, random_volume
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
@pytest.mark.slow
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


@pytest.mark.parametrize("shift", [0.0, 9.0, 25.0, 60.0])
@pytest.mark.slow
def test_rows_that_are_in_part_known_to_be_outside(shift):
    """A garbage index of a span that was skipped must not be read."""
    shape = (6, 7, 90)
    volume = random_volume(shape, np.uint8)
    points = np.random.default_rng(2).normal(0, 0.7, (3, 4, 4, 12))
    for scratch in range(3):  # so that the row's buffers hold what another call left
        np.full(10_000, 2**62 + scratch)
        out = nan_filled(shape, np.uint8)
        elastic_deform(
            volume, points, offset=(0.2, 0.3, shift), interpolation="nearest", cval=9, out=out
        )
    expected = reference.warp(
        volume, shape, np.eye(3), (0.2, 0.3, shift), points, interpolation="nearest", cval=9
    )
    np.testing.assert_array_equal(out, expected)
