"""Volumes whose last axis is short: rows of the result are made along another axis."""

import numpy as np
import pytest

from support.volumes import mild_affine, nan_filled, random_volume
from volaug import Warp, affine_transform
from volaug.checks import DTYPES, INTERPOLATIONS
from volaug.warping.engine.borders import MODES

SHAPE, LENGTHS = (9, 40, 7), (11, 37, 9)
MATRIX, OFFSET = mild_affine(LENGTHS)


def along_axis_1(shape, dtype):
    """An array whose rows in memory are the columns of axis 1, so that they are long."""
    return nan_filled((*shape[:-2], shape[-1], shape[-2]), dtype).swapaxes(-1, -2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_as_longer_rows(interpolation, mode):
    for dtype in ("int16", "uint8") if interpolation == "label" else ("float32", "int16"):
        volume = random_volume((2, *LENGTHS), dtype)
        options = {"interpolation": interpolation, "mode": mode, "cval": 1}
        out = nan_filled((2, *SHAPE), dtype)
        affine_transform(volume, MATRIX, OFFSET, output_shape=SHAPE, out=out, **options)
        expected = along_axis_1((2, *SHAPE), dtype)
        affine_transform(volume, MATRIX, OFFSET, output_shape=SHAPE, out=expected, **options)
        np.testing.assert_array_equal(out, expected)
        # coordinates are rounded to 2^-32 along rows in the other direction
        longer = affine_transform(volume, MATRIX, OFFSET, output_shape=(9, 40, 60), **options)
        differences = out.astype(float) - longer[..., :7]
        if interpolation == "label":
            assert (differences != 0).mean() < 1e-3
        else:
            assert np.abs(differences).max() < (2e-6 if dtype == "float32" else 1.1)
            assert (np.abs(differences) > 2e-6).mean() < 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, 7, 8, 20])
def test_every_dtype_and_width(width, dtype):
    volume = random_volume((2, *LENGTHS), dtype)
    shape = (5, 45, width)
    options = {"mode": "reflect", "interpolation": "nearest" if dtype == "bool" else "linear"}
    out = nan_filled((2, *shape), dtype)
    affine_transform(volume, MATRIX, OFFSET, output_shape=shape, out=out, **options)
    expected = along_axis_1((2, *shape), dtype)
    affine_transform(volume, MATRIX, OFFSET, output_shape=shape, out=expected, **options)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_deformation_and_many_volumes(interpolation, threads):
    points = np.random.default_rng(0).normal(0, 1.5, (3, 5, 6, 4))
    warp = Warp(SHAPE, MATRIX, OFFSET, points)
    volumes = {name: random_volume((3, *LENGTHS), "int16", seed) for seed, name in enumerate("abc")}
    # the rows of this memory are long by themselves
    apart = {name: along_axis_1((3, *SHAPE), np.int16) for name in volumes}
    options = {"interpolation": interpolation, "mode": "grid-constant"}
    together = warp.apply_all(volumes, **options, threads=threads)
    warp.apply_all(volumes, **options, out=apart, threads=1)
    for name, result in together.items():
        np.testing.assert_array_equal(result, apart[name])


@pytest.mark.parametrize("name", ["a crop", "backwards", "Fortran order", "axes swapped"])
def test_layouts_of_the_result(name):
    volume = random_volume(LENGTHS)
    expected = affine_transform(volume, MATRIX, OFFSET, output_shape=SHAPE)
    out = {
        "a crop": np.full((13, 44, 12), np.nan, np.float32)[2:11, 1:41, 3:10],
        "backwards": nan_filled(SHAPE, np.float32)[::-1, ::-1, ::-1],
        "Fortran order": np.asfortranarray(nan_filled(SHAPE, np.float32)),
        "axes swapped": nan_filled((40, 9, 7), np.float32).swapaxes(0, 1),
    }[name]
    around = out.base.copy() if name == "a crop" else None
    affine_transform(volume, MATRIX, OFFSET, output_shape=SHAPE, out=out)
    np.testing.assert_allclose(out, expected, atol=1e-6)
    if around is not None:
        around[2:11, 1:41, 3:10] = out
        np.testing.assert_array_equal(out.base, around)
