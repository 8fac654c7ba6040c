import numpy as np
import pytest
import scipy.ndimage

import reference
from support.volumes import SHAPES, mild_affine, nan_filled, random_affine, random_volume
from volaug import affine_transform

# Weights are in the volume's dtype; coordinates are rounded to 2^-32 voxel.
TOLERANCE = {np.float32: 2e-6, np.float64: 5e-9}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.slow
def test_equals_scipy_and_the_reference(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    for trial, size in enumerate((0.2, 1.0, 4.0)):
        target = tuple(int(n) for n in rng.integers(1, 20, 3)) if trial else shape
        volume = random_volume(shape, dtype, seed=trial)
        matrix, offset = random_affine(rng, shape, target, size)
        out = nan_filled(target, dtype)
        result = affine_transform(volume, matrix, offset, output_shape=target, cval=-7.5, out=out)
        assert result is out
        by_scipy = scipy.ndimage.affine_transform(
            volume.astype(float), matrix, offset, target, order=1, cval=-7.5
        )
        np.testing.assert_allclose(out, by_scipy, atol=TOLERANCE[dtype], rtol=0)
        by_reference = reference.warp(volume, target, matrix, offset, cval=-7.5)
        np.testing.assert_allclose(out, by_reference, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("width", range(1, 40))
def test_every_width_of_row(width):
    """Whole blocks of lanes, their remainders, and rows shorter than a block."""
    volume = random_volume((6, 7, 41))
    matrix, offset = mild_affine((6, 7, width))
    out = affine_transform(
        volume,
        matrix,
        offset,
        output_shape=(6, 7, width),
        out=nan_filled((6, 7, width), np.float32),
    )
    expected = scipy.ndimage.affine_transform(
        volume.astype(float), matrix, offset, (6, 7, width), order=1
    )
    np.testing.assert_allclose(out, expected, atol=2e-6)


@pytest.mark.parametrize("shift", [0.0, 3.25, 7.9, 8.1, 20.0, 39.5, 41.0, 1e3, 1e9, 1e300])
@pytest.mark.parametrize("sign", [-1, 1])
def test_all_part_or_nothing_inside(shift, sign):
    volume = random_volume((9, 10, 40))
    matrix, _ = mild_affine(volume.shape)
    for axis in range(3):
        offset = np.zeros(3)
        offset[axis] = sign * shift
        out = nan_filled(volume.shape, np.float32)
        affine_transform(volume, matrix, offset, cval=2.5, out=out)
        expected = scipy.ndimage.affine_transform(
            volume.astype(float), matrix, offset, order=1, cval=2.5
        )
        np.testing.assert_allclose(out, expected, atol=2e-6)
        if shift > 100:
            assert (out == 2.5).all()


def test_huge_matrices_read_nothing_but_the_origin():
    volume = random_volume((5, 6, 30))
    for size in (1e8, 1e18, 1e100, 1e155):
        out = affine_transform(volume, np.eye(3) * size, out=nan_filled(volume.shape, np.float32))
        assert out[0, 0, 0] == volume[0, 0, 0]
        assert np.count_nonzero(out) == 1


def test_channels_are_warped_alike():
    volume = random_volume((3, 9, 10, 21))
    matrix, offset = mild_affine(volume.shape[1:])
    out = affine_transform(volume, matrix, offset, out=nan_filled(volume.shape, np.float32))
    for channel in range(3):
        np.testing.assert_array_equal(
            out[channel], affine_transform(volume[channel], matrix, offset)
        )


def test_matrix_forms_agree():
    volume = random_volume((7, 8, 9))
    matrix, offset = mild_affine(volume.shape)
    expected = affine_transform(volume, matrix, offset)
    wide = np.hstack([matrix, offset[:, None]])
    np.testing.assert_array_equal(affine_transform(volume, wide), expected)
    homogeneous = np.vstack([wide, [0, 0, 0, 1]])
    np.testing.assert_array_equal(affine_transform(volume, homogeneous), expected)
    np.testing.assert_array_equal(
        affine_transform(volume, np.eye(3), 1.5), affine_transform(volume, np.eye(3), [1.5] * 3)
    )


@pytest.mark.parametrize("shape", [*SHAPES, (40, 35, 66)])
def test_identity_flips_and_whole_shifts_are_exact(shape):
    volume = random_volume(shape)
    last = np.subtract(shape, 1)
    np.testing.assert_array_equal(affine_transform(volume, np.eye(3)), volume)
    flipped = affine_transform(volume, -np.eye(3), last)
    np.testing.assert_array_equal(flipped, volume[::-1, ::-1, ::-1])
    shift = np.minimum(last, (1, 2, 3))
    expected = np.zeros_like(volume)
    expected[tuple(slice(None, n - s) for n, s in zip(shape, shift, strict=True))] = volume[
        tuple(slice(s, None) for s in shift)
    ]
    np.testing.assert_array_equal(affine_transform(volume, np.eye(3), shift), expected)


def test_a_quarter_turn_loses_no_voxel_to_rounding():
    """cos(90 degrees) is 6e-17 and the center's offset not exact, yet every voxel is there."""
    volume = random_volume((21, 21, 21))
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turn = turn + np.cos(np.pi / 2)
    center = np.full(3, 10.0)
    result = affine_transform(volume, turn, center - turn @ center + 1e-13, cval=np.nan)
    expected = affine_transform(volume, np.round(turn), center - np.round(turn) @ center)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_array_equal(expected, volume.transpose(1, 0, 2)[:, ::-1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_voxel_reaches_only_those_who_read_it(bad):
    volume = random_volume((8, 9, 20))
    volume[3, 4, 10] = bad
    matrix, offset = mild_affine(volume.shape)
    clean = np.where(np.isfinite(volume), volume, 0)
    result = affine_transform(volume, matrix, offset)
    readers = reference.warp((~np.isfinite(volume)).astype(float), volume.shape, matrix, offset) > 0
    assert readers.any()
    np.testing.assert_array_equal(~np.isfinite(result), readers)
    np.testing.assert_array_equal(
        result[~readers], affine_transform(clean, matrix, offset)[~readers]
    )


def test_a_voxel_of_weight_zero_is_not_read():
    volume = random_volume((6, 7, 20))
    volume[2, 3, 9] = np.nan
    for axis in range(3):
        offset = np.zeros(3)
        offset[axis] = 0.5
        result = affine_transform(volume, np.eye(3), offset)
        before = np.array((2, 3, 9))
        before[axis] -= 1
        assert sorted(map(tuple, np.argwhere(np.isnan(result)))) == sorted(
            [tuple(before), (2, 3, 9)]
        )


def test_an_infinite_fill_and_nan_fill():
    volume = random_volume((5, 6, 11))
    result = affine_transform(volume, np.eye(3), (-2.5, 0, 0), cval=np.nan)
    assert np.isnan(result[:3]).all()
    assert np.isfinite(result[3:]).all()


def test_nothing_is_mutated():
    volume = random_volume((9, 10, 11))
    kept = volume.copy()
    matrix, offset = mild_affine(volume.shape)
    volume.flags.writeable = False
    affine_transform(volume, matrix, offset)
    np.testing.assert_array_equal(volume, kept)


def test_a_volume_of_more_than_2_31_voxels(tmp_path):
    """In a sparse file, of which only the planes that are read take room."""
    shape = (2**31 // (1024 * 1024) + 3, 1024, 1024)
    volume = np.memmap(tmp_path / "volume", np.float32, "w+", shape=shape)
    volume[-2:, :2, :40] = random_volume((2, 2, 40))
    matrix, _ = mild_affine((2, 2, 30))
    offset = np.array((shape[0] - 1.9, 0.2, 1.5))
    matrix *= 0.3
    result = affine_transform(volume, matrix, offset, output_shape=(2, 2, 30), cval=9.0)
    near = np.array(volume[-4:, :8, :64])
    offset[0] -= shape[0] - 4
    expected = affine_transform(near, matrix, offset, output_shape=(2, 2, 30), cval=9.0)
    assert np.count_nonzero(result - 9.0) > 10
    np.testing.assert_allclose(result, expected, atol=1e-6)
