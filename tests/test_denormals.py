"""No kernel of a spline filter or a warp meets or makes a denormal number over zeros."""

import numpy as np
import pytest
from numba import njit
from scipy import ndimage

from support.denormals import (
    DTYPES,
    OPERAND,
    UNDERFLOW,
    assert_clean,
    assert_no_denormals,
    clear_flags,
    flags,
    needs_flags,
    on_zeros,
    spikes,
    watched,
)
from support.volumes import mild_affine, random_affine
from volaug import Warp, affine_transform, elastic_deform, spline_filter
from volaug.warping.engine.prefilter import MODES, padded_coefficients

EXTENSIONS = [*MODES, "nearest", "grid-constant"]


# the tool


@needs_flags
def test_the_flags_show_what_is_denormal():
    @njit
    def product(a, b):
        return a * b

    for a, b, expected in [
        (1e-30, 1e-30, UNDERFLOW),
        (1e-40, 1.0, OPERAND),
        (1e-30, 0.1, 0),
        (0.0, np.inf, 0),
    ]:
        a, b = np.float32(a), np.float32(b)
        product(a, b)
        clear_flags()
        product(a, b)
        assert flags() & expected == expected
        assert expected or not flags()


@needs_flags
def test_kernels_are_watched():
    volume = np.full((20, 21, 22), 1e-40, np.float32)
    with watched() as found:
        affine_transform(volume, np.diag((0.9, 0.8, 0.7)), 0.3, interpolation="cubic", threads=1)
    assert set(found) == {"filter_planes", "filter_columns", "warp_tiles"}
    assert all(found.values())


# coefficients


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_no_coefficient_is_denormal(mode, dtype):
    assert_no_denormals(spline_filter(on_zeros(dtype), mode=mode))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_no_coefficient_of_float64_is_denormal(axis, mode):
    shape = [3, 4, 5]
    shape[axis] = 1300
    volume = np.zeros(shape)
    volume[1, 1, 1] = 1.0
    assert_no_denormals(spline_filter(volume, mode=mode))


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_no_padded_coefficient_is_denormal(extension):
    volume = on_zeros("float32")[np.newaxis]
    coefficients, _ = padded_coefficients(volume, extension, np.zeros(1), 1)
    assert_no_denormals(coefficients)


@needs_flags
@pytest.mark.parametrize("seed", range(12))
def test_filters_of_random_spikes(seed):
    rng = np.random.default_rng(seed)
    dtype = rng.choice(["float32", "float64", "int16"])
    volume, mode = spikes(rng, dtype), rng.choice(MODES)
    result = assert_clean(lambda: spline_filter(volume, mode=mode, threads=1), "filter_columns")
    if mode != "reflect":  # on short axes scipy's own start of it is inexact
        expected = ndimage.spline_filter(volume.astype(float), 3, mode=mode)
        np.testing.assert_allclose(result, expected, rtol=0, atol=3e-7 * np.abs(expected).max())


def test_a_tail_ends_in_zeros():
    volume = np.zeros((3, 4, 200), np.float32)
    volume[:, :, 0] = 1.0
    for axes in [(0, 1, 2), (2, 0, 1), (1, 2, 0)]:
        given = np.ascontiguousarray(volume.transpose(axes))
        line = spline_filter(given).transpose(np.argsort(axes))[0, 0]
        assert (line[:15] != 0).all()
        assert (line[40:] == 0).all()


# warps


WARPS = {
    "affine": lambda v, **o: affine_transform(v, *mild_affine(v.shape), **o),
    "scaled": lambda v, **o: affine_transform(v, np.diag((0.9, 0.8, 1.1)), 1.3, **o),
    "shifted by very little": lambda v, **o: affine_transform(v, np.eye(3), 3e-9, **o),
    "elastic": lambda v, **o: elastic_deform(
        v, np.random.default_rng(0).normal(0, 2, (3, 6, 7, 8)), **o
    ),
}


@needs_flags
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.slow
def test_warps(warp, dtype, interpolation):
    volume, options = on_zeros(dtype), {"interpolation": interpolation, "threads": 1}
    assert_clean(lambda: WARPS[warp](volume, **options), "warp_tiles")


@needs_flags
@pytest.mark.parametrize("mode", ["nearest", "reflect", "grid-wrap", "grid-constant"])
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_borders(mode, interpolation):
    volume, options = on_zeros("float32"), {"interpolation": interpolation, "threads": 1}
    matrix, offset = 1.3 * np.eye(3), np.full(3, -9.7)
    assert_clean(lambda: affine_transform(volume, matrix, offset, mode=mode, **options))


@needs_flags
def test_votes():
    labels = (4 * on_zeros("float32")).astype(np.uint8)
    for warp in WARPS.values():
        assert_clean(lambda warp=warp: warp(labels, interpolation="label", threads=1), "warp_tiles")


@needs_flags
@pytest.mark.parametrize("seed", range(12))
def test_cubic_warps_of_random_spikes(seed):
    rng = np.random.default_rng(seed)
    volume = spikes(rng, rng.choice(["float32", "float64", "int16"]))
    matrix, offset = random_affine(rng, volume.shape, volume.shape)
    options = {"interpolation": "cubic", "threads": 1}
    assert_clean(lambda: affine_transform(volume, matrix, offset, **options), "warp_tiles")


@needs_flags
def test_determinants():
    points = np.random.default_rng(0).normal(0, 0.5, (3, 6, 7, 8))
    points[:, 2:] = 0
    warp = Warp((30, 31, 32), control_points=points)
    assert_clean(lambda: warp.jacobian_determinant(), "jacobian_planes")
