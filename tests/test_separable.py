"""Maps along the axes: rows share what they read, and the bits are those of any other map."""

import numpy as np
import pytest
from scipy import ndimage

from support.volumes import nan_filled, random_volume
from volaug import Warp, affine_transform
from volaug.checks import DTYPES, INTERPOLATIONS
from volaug.warping.engine.borders import MODES

SHAPE = (13, 11, 41)
SWAPPED = np.array([[0.0, 0.8, 0.0], [1.2, 0.0, 0.0], [0.0, 0.0, 0.9]])
ROTATED = np.array([[0.0, 0.0, 0.4], [0.3, 0.0, 0.0], [0.0, -0.35, 0.0]])
# scale, offset and the shape of the result: reads that lie close together and far apart, repeated
# rows, ends far outside, mirrored axes, axes that change places, an axis of one voxel
MAPS = {
    "twice as large": (np.diag((0.5, 0.5, 0.5)), (-0.25, -0.25, -0.25), (26, 22, 82)),
    "much larger": (np.diag((0.2, 0.3, 0.11)), (1.0, -0.4, 3.3), (19, 23, 67)),
    "smaller": (np.diag((1.31, 1.6, 1.37)), (0.2, -0.5, 0.16), (10, 9, 31)),
    "half as large": (np.diag((2.0, 2.0, 2.0)), (0.5, 0.5, 0.5), (6, 5, 20)),
    "a few of many": (np.diag((0.9, 1.1, 4.3)), (0.6, 0.3, 1.0), (14, 10, 11)),
    "mirrored": (np.diag((-0.9, 1.1, -0.83)), (12.3, -3.2, 40.7), (16, 15, 57)),
    "ends beyond": (np.diag((0.6, 0.7, 0.8)), (-4.0, -3.5, -15.3), (33, 27, 99)),
    "shifted": (np.eye(3), (0.3, -0.4, 0.1), SHAPE),
    "axes swapped": (SWAPPED, (0.3, -1.0, 2.1), (9, 17, 44)),
    "axes turned": (ROTATED, (0.3, 1.0, 38.1), (30, 90, 40)),
    "one row": (np.diag((0.5, 0.5, 0.5)), (3.0, 2.6, -0.25), (1, 1, 82)),
    "a short row": (np.diag((0.5, 0.5, 0.5)), (0.3, 0.2, 0.4), (5, 5, 5)),
}


def as_any_other(matrix):
    """The same map, but not along the axes: by what is lost in the coordinates."""
    return np.where(matrix == 0.0, 1e-300, matrix)


def options_of(interpolation, mode):
    return {"interpolation": interpolation, "mode": mode, "cval": 1}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", MAPS)
def test_the_bits_of_any_other_map(name, interpolation, mode):
    matrix, offset, shape = MAPS[name]
    for dtype in ("int16", "uint8") if interpolation == "label" else ("float32", "int16", "uint8"):
        volume = random_volume(SHAPE, dtype)
        out = nan_filled(shape, dtype)
        options = options_of(interpolation, mode)
        affine_transform(volume, matrix, offset, output_shape=shape, out=out, **options)
        other = as_any_other(matrix)
        expected = affine_transform(volume, other, offset, output_shape=shape, **options)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", ["twice as large", "smaller", "mirrored"])
def test_every_dtype(name, interpolation, dtype):
    if interpolation == "label" and np.dtype(dtype).kind == "f":
        pytest.skip("labels are whole numbers here")
    matrix, offset, shape = MAPS[name]
    volume = random_volume((2, *SHAPE), dtype)
    out = nan_filled((2, *shape), dtype)
    options = {**options_of(interpolation, "grid-constant"), "cval": (0, 1)}
    affine_transform(volume, matrix, offset, output_shape=shape, out=out, **options)
    expected = affine_transform(volume, as_any_other(matrix), offset, output_shape=shape, **options)
    np.testing.assert_array_equal(out, expected)


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "backwards": lambda v: v[:, ::-1, ::-1].copy()[:, ::-1, ::-1],
    "a crop": lambda v: np.pad(v, 3)[3:-3, 3:-3, 3:-3],
    "rows along axis 1": lambda v: np.ascontiguousarray(v.swapaxes(1, 2)).swapaxes(1, 2),
    "every second voxel": lambda v: np.repeat(v, 2, axis=2)[:, :, ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", ["much larger", "smaller", "mirrored", "axes swapped"])
def test_every_layout(name, interpolation, layout):
    matrix, offset, shape = MAPS[name]
    volume = random_volume(SHAPE, "int16")
    options = options_of(interpolation, "reflect")
    given, out = LAYOUTS[layout](volume), LAYOUTS[layout](nan_filled(shape, "int16"))
    other = as_any_other(matrix)
    expected = affine_transform(given, other, offset, output_shape=shape, **options)
    result = affine_transform(given, matrix, offset, output_shape=shape, **options)
    np.testing.assert_array_equal(result, expected)
    affine_transform(given, matrix, offset, output_shape=shape, out=out, **options)
    np.testing.assert_allclose(out, expected, atol=1)  # sums are in the order of the memory


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("name", MAPS)
def test_together_as_one_by_one(name, threads):
    matrix, offset, shape = MAPS[name]
    volumes = {
        "image": random_volume((3, *SHAPE)),
        "label": random_volume(SHAPE, "int16"),
        "mask": random_volume(SHAPE, "uint8"),
        "spline": random_volume(SHAPE),
    }
    how = {"label": "label", "mask": "nearest", "spline": "cubic"}
    warp = Warp(shape, matrix, offset)
    together = warp.apply_all(volumes, interpolation=how, mode="grid-constant", threads=threads)
    for key, volume in volumes.items():
        options = options_of(how.get(key, "linear"), "grid-constant") | {"cval": 0}
        expected = Warp(shape, as_any_other(matrix), offset).apply(volume, **options, threads=1)
        np.testing.assert_array_equal(together[key], expected)


@pytest.mark.parametrize(("interpolation", "order"), [("linear", 1), ("cubic", 3)])
@pytest.mark.parametrize("mode", ["mirror", "reflect", "grid-wrap", "grid-constant", "nearest"])
@pytest.mark.parametrize("name", MAPS)
def test_equals_scipy(name, mode, interpolation, order):
    if name == "ends beyond" and order == 3 and mode in ("nearest", "grid-constant"):
        pytest.skip("scipy's spline goes on in another way far outside")
    matrix, offset, shape = MAPS[name]
    volume = random_volume(SHAPE, "float64")
    result = affine_transform(
        volume, matrix, offset, output_shape=shape, **options_of(interpolation, mode)
    )
    expected = ndimage.affine_transform(
        volume, matrix, offset, shape, order=order, mode=mode, cval=1
    )
    np.testing.assert_allclose(result, expected, atol=2e-8)


def test_what_is_not_finite_stays_where_it_is_read():
    volume = random_volume(SHAPE)
    volume[4, 5, [0, 7, 40]] = np.nan, np.inf, np.nan
    for name in ("twice as large", "smaller", "mirrored"):
        matrix, offset, shape = MAPS[name]
        for mode in MODES:
            options = {"output_shape": shape, "mode": mode}
            result = affine_transform(volume, matrix, offset, **options)
            expected = affine_transform(volume, as_any_other(matrix), offset, **options)
            np.testing.assert_array_equal(result, expected)
            assert 0 < np.isnan(result).sum() < 200
