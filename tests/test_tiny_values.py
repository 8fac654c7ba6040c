"""A picture of tiny values is the same as one of usual values."""

import numpy as np
import pytest

from support.denormals import on_zeros
from support.volumes import mild_affine
from volaug import affine_transform, spline_filter
from volaug.warping.engine.prefilter import padded_coefficients


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize(
    ("dtype", "power"),
    [("float32", power) for power in (-20, -26, -27, -50, -90, -110, -126, -130)]
    + [("float64", power) for power in (-30, -800, -1000, -1030)],
)
def test_the_picture_of_tiny_values_is_the_same(dtype, power, interpolation):
    """By the rounding of the greatest value, or by that of denormal numbers."""
    size = np.ldexp(1.0, power)
    volume = on_zeros(dtype, (30, 31, 32))
    scaled = volume * np.asarray(size, dtype)
    options = {"interpolation": interpolation, "mode": "nearest"}
    expected = affine_transform(volume, *mild_affine(volume.shape), **options).astype(float)
    result = affine_transform(scaled, *mild_affine(volume.shape), **options).astype(float) / size
    rounding = 8 * float(np.finfo(dtype).eps)
    spacing = 40 * float(np.finfo(dtype).smallest_subnormal) / size
    np.testing.assert_allclose(result, expected, rtol=0, atol=rounding + spacing)


def test_fills_count_where_they_are_read():
    """Only where `cval` is a part of the signal is it the greatest value of one."""
    volume = on_zeros("float32", (12, 13, 14)) * np.float32(1e-30)
    given = volume[np.newaxis]
    alone, _ = padded_coefficients(given, "nearest", np.zeros(1), 1)
    beside, _ = padded_coefficients(given, "nearest", np.array([1e3]), 1)
    np.testing.assert_array_equal(alone, beside)
    assert (alone != 0).any()
    around, _ = padded_coefficients(given, "grid-constant", np.array([1e3]), 1)
    assert np.isfinite(around).all()
    np.testing.assert_allclose(around[0, 0, 0, 0], 1e3, rtol=1e-6)


def test_one_huge_or_infinite_voxel_leaves_the_others():
    volume = np.zeros((200, 5, 40), np.float32)
    volume[150:, 2, 20] = 1.0
    expected = spline_filter(volume)
    for value in (1e37, np.inf, np.nan):
        given = volume.copy()
        given[0, 0, 0] = value
        with np.errstate(invalid="ignore"):
            result = spline_filter(given)
        if np.isfinite(value):
            np.testing.assert_allclose(result[150:], expected[150:], rtol=0, atol=3e-7)
        else:
            np.testing.assert_array_equal(result[..., 20:], expected[..., 20:])


def test_each_channel_by_its_own_values():
    volume = np.stack([on_zeros("float32", (20, 21, 22))] * 3)
    volume[1] *= np.float32(2.0**-100)
    volume[2] = 0
    result = spline_filter(volume)
    np.testing.assert_allclose(result[1] * 2.0**100, result[0], rtol=0, atol=1e-6)
    assert not result[2].any()
