"""Every interpolation with every border, against those whose rules they are."""

import functools

import numpy as np
import pytest
import scipy.ndimage

import reference
from support.volumes import SHAPES, mild_affine, nan_filled, random_affine, random_volume
from volaug import Warp, affine_transform
from volaug.checks import INTERPOLATIONS
from volaug.warping.engine.borders import MODES

SCIPY_MODES = [mode for mode in MODES if mode != "edge-constant"]
FILLED = ("constant", "grid-constant", "edge-constant")
SMOOTH = (9, 11, 20)  # no axis so short that a rival makes an exception of it

# Picked voxels are exact; a continued spline is cut off where 1e-6 of a voxel is left of it.
TOLERANCE = {
    "nearest": {"uint8": 0},
    "label": {"uint8": 0},
    "linear": {"float32": 2e-6, "float64": 5e-9},
    "cubic": {"float32": 2e-5, "float64": 1e-5},
}
MIXING = [(i, dtype) for i, dtypes in TOLERANCE.items() for dtype in dtypes]


def random_warp(rng, source, target, elastic, size=1.0):
    matrix, offset = random_affine(rng, source, target, size)
    points = rng.normal(0, 1.5, (3, *rng.integers(4, 8, 3))) if elastic else None
    return Warp(target, matrix, offset, points)


def places_of(warp):
    return reference.coordinates(warp.shape, warp.matrix, warp.offset, warp.control_points)


@functools.cache
def warps_and_places(elastic):
    """The same for each interpolation and border: dense fields take most of the time."""
    rng = np.random.default_rng(2 + elastic)
    shapes = [(1, 5, 9), (4, 5, 6), (19, 18, 33), (5, 6, 90), (33, 18, 19)]
    sizes = [1, 4, 12, 1, 4]
    warps = [random_warp(rng, s, s, elastic, size) for s, size in zip(shapes, sizes, strict=True)]
    return [(warp.shape, warp, places_of(warp)) for warp in warps]


def applied(warp, volume, **options):
    """Warped into an array of which a voxel that nobody wrote shows."""
    out = nan_filled((*volume.shape[:-3], *warp.shape), volume.dtype)
    return warp.apply(volume, out=out, **options)


def by_reference(warp, volume, **options):
    arguments = (warp.shape, warp.matrix, warp.offset, warp.control_points)
    return reference.warp(volume, *arguments, **options)


def by_scipy(volume, places, interpolation, mode, cval):
    volume = volume.astype(float)
    order = {"nearest": 0, "linear": 1, "cubic": 3}[interpolation]
    if order == 3 and mode == "reflect":
        # scipy's recursion begins with a sum that is too short for a short axis; a volume that
        # is mirrored some whole times goes on as it did
        width = [n * -(-24 // n) for n in volume.shape]
        volume = np.pad(volume, [(w, w) for w in width], "symmetric")
        places = places + np.reshape(width, (3, 1, 1, 1))
    return scipy.ndimage.map_coordinates(volume, places, order=order, mode=mode, cval=cval)


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("interpolation", "dtype"), MIXING)
@pytest.mark.slow
def test_equals_the_reference(interpolation, dtype, mode, elastic):
    rng = np.random.default_rng(elastic)
    for seed, shape in enumerate(SHAPES[:: 1 + elastic]):
        volume = random_volume(shape, dtype, seed)
        target = (*rng.integers(1, 5, 2).tolist(), int(rng.integers(1, 20)))
        warp = random_warp(rng, shape, target, elastic, (0.3, 1, 5)[seed % 3])
        options = {"interpolation": interpolation, "mode": mode, "cval": 3}
        np.testing.assert_allclose(
            applied(warp, volume, **options),
            by_reference(warp, volume, **options),
            atol=TOLERANCE[interpolation][dtype],
            rtol=0,
            err_msg=str((shape, warp)),
        )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.slow
def test_each_quarter_of_a_voxel_along_an_axis(interpolation, mode):
    """Exactly on voxels, on borders and half way, for several periods of a fold."""
    ((dtype, tolerance), *_) = TOLERANCE[interpolation].items()
    for axis in range(3):
        for n in (1, 2, 3, 5):
            shape, target, offset = [1, 1, 1], [1, 1, 1], [0, 0, 0]
            shape[axis], target[axis], offset[axis] = n, 24 * n + 9, -3 * n - 1
            volume = np.arange(1, n + 1, dtype=dtype).reshape(shape)
            matrix = np.eye(3) * 0.25
            options = {"interpolation": interpolation, "mode": mode, "cval": 9}
            result = applied(Warp(target, matrix, offset), volume, **options)
            expected = reference.warp(volume, target, matrix, offset, **options)
            np.testing.assert_allclose(result, expected, atol=n * tolerance, err_msg=str(shape))


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize(
    ("interpolation", "dtype"), [pair for pair in MIXING if pair[0] != "label"]
)
@pytest.mark.slow
def test_equals_scipy(interpolation, dtype, mode, elastic):
    for seed, (shape, warp, places) in enumerate(warps_and_places(elastic)):
        volume = random_volume(shape, dtype, seed)
        result = applied(warp, volume, interpolation=interpolation, mode=mode, cval=7)
        np.testing.assert_allclose(
            result,
            by_scipy(volume, places, interpolation, mode, 7),
            atol=TOLERANCE[interpolation][dtype],
            rtol=0,
        )


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
@pytest.mark.parametrize(
    ("mode", "padding", "align"),
    [
        ("grid-constant", "zeros", False),
        ("nearest", "border", False),
        ("reflect", "reflection", False),
        ("mirror", "reflection", True),
    ],
)
@pytest.mark.oracle("torch")
def test_equals_torch(mode, padding, align, interpolation, elastic):
    """Away from halves, which torch rounds to even."""
    import torch

    rng = np.random.default_rng(5)
    volume = random_volume((2, *SMOOTH))
    for size in (0.5, 9.0):
        warp = random_warp(rng, SMOOTH, (8, 9, 31), elastic, size)
        lengths = np.reshape(SMOOTH, (3, 1, 1, 1))
        places = places_of(warp)
        grid = places * 2 / (lengths - 1) - 1 if align else (places * 2 + 1) / lengths - 1
        expected = torch.nn.functional.grid_sample(
            torch.from_numpy(volume[np.newaxis].astype(float)),
            torch.from_numpy(np.moveaxis(grid[::-1], 0, -1)[np.newaxis].copy()),
            mode={"nearest": "nearest", "linear": "bilinear"}[interpolation],
            padding_mode=padding,
            align_corners=align,
        )[0].numpy()
        result = applied(warp, volume, interpolation=interpolation, mode=mode)
        np.testing.assert_allclose(result, expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize(
    ("interpolation", "theirs"),
    [("nearest", "sitkNearestNeighbor"), ("linear", "sitkLinear"), ("cubic", "sitkBSpline")],
)
@pytest.mark.oracle("SimpleITK")
def test_edge_constant_equals_simpleitk(interpolation, theirs, elastic):
    import SimpleITK as sitk

    rng = np.random.default_rng(6)
    volume = random_volume(SMOOTH)
    for size in (0.5, 9.0):
        warp = random_warp(rng, SMOOTH, (8, 9, 31), elastic, size)
        # ITK counts axes from the fastest one; its transform adds a displacement to a voxel
        field = (places_of(warp) - np.indices(warp.shape))[::-1]
        field = sitk.GetImageFromArray(np.moveaxis(field, 0, -1).copy(), isVector=True)
        resampler = sitk.ResampleImageFilter()
        resampler.SetSize(warp.shape[::-1])
        resampler.SetTransform(sitk.DisplacementFieldTransform(field))
        resampler.SetInterpolator(getattr(sitk, theirs))
        resampler.SetDefaultPixelValue(7.0)
        image = sitk.GetImageFromArray(volume.astype(float))
        expected = sitk.GetArrayFromImage(resampler.Execute(image))
        assert 0 < np.count_nonzero(expected == 7.0) < expected.size
        result = applied(warp, volume, interpolation=interpolation, mode="edge-constant", cval=7)
        tolerance = {"nearest": 0, "linear": 2e-6, "cubic": 2e-5}[interpolation]
        np.testing.assert_allclose(result, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.slow
def test_far_outside(interpolation, mode):
    """Where coordinates have no fraction left, and beyond int64: a value of the volume."""
    volume = random_volume((5, 6, 11))
    matrix, offset = mild_affine(volume.shape)
    points = np.random.default_rng(0).normal(0, 1.5, (3, 4, 5, 6))
    reach = (1 if interpolation != "cubic" else 4) * np.abs(volume).max() * (1 + 1e-6)
    for far in (1e6, -1e9, 1e9, -1e16, 1e25, 1e300, -1e308):
        for axes in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)):
            for lattice in (None, points):
                shift = offset + far * np.array(axes)
                warp = Warp(volume.shape, matrix, shift, lattice)
                result = applied(warp, volume, interpolation=interpolation, mode=mode, cval=50)
                if mode in FILLED:
                    assert (result == 50).all()
                else:
                    assert (np.abs(result) <= reach).all()
                    if interpolation in ("nearest", "label"):
                        assert np.isin(result, volume).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.slow
def test_each_channel_has_its_fill(interpolation, mode):
    volume = random_volume((3, 6, 7, 12))
    matrix, offset = mild_affine(volume.shape[1:])
    options = {"interpolation": interpolation, "mode": mode}
    result = affine_transform(volume, matrix, offset + 2, cval=(-5, 6, np.float32(7.5)), **options)
    for channel, fill in enumerate((-5, 6, 7.5)):
        alone = affine_transform(volume[channel], matrix, offset + 2, cval=fill, **options)
        np.testing.assert_array_equal(result[channel], alone)
        if mode == "constant":
            assert (alone == fill).any()


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.slow
def test_a_bad_voxel_reaches_only_those_who_read_it(mode, elastic):
    shape = (6, 7, 20)
    rng = np.random.default_rng(9)
    warp = random_warp(rng, shape, (5, 8, 21), elastic)
    for voxel in ((3, 4, 10), (0, 0, 0), (5, 6, 19)):
        mark = np.zeros(shape)
        mark[voxel] = 1
        readers = by_reference(warp, mark, mode=mode) > 0
        volume = random_volume(shape)
        volume[voxel] = 0
        clean = applied(warp, volume, mode=mode)
        for bad in (np.nan, np.inf, -np.inf):
            volume[voxel] = bad
            result = applied(warp, volume, mode=mode)
            np.testing.assert_array_equal(~np.isfinite(result), readers)
            np.testing.assert_array_equal(result[~readers], clean[~readers])
    filled = by_reference(warp, np.zeros(shape), mode=mode, cval=1.0) > 0
    assert filled.any() == (mode in FILLED)
    result = applied(warp, random_volume(shape), mode=mode, cval=np.nan)
    np.testing.assert_array_equal(np.isnan(result), filled)


@pytest.mark.parametrize("mode", ["nearest", "grid-constant"])
@pytest.mark.parametrize("off", [9.4, 11.5, 13.4, 19.3, 22.5, 40.5])
@pytest.mark.slow
def test_cubic_far_outside_is_that_of_an_endless_extension(mode, off):
    """In float64 too, where the padding of the coefficients ends."""
    volume = np.random.default_rng(0).random((9, 10, 11))
    around = {"mode": "edge"} if mode == "nearest" else {"constant_values": 0.3}
    endless = np.pad(volume, 70, **around)
    options = {"interpolation": "cubic", "output_shape": (24, 24, 24)}
    for sign in (-1, 1):
        offset = np.array((sign * off, -off, sign * 0.3))
        result = affine_transform(volume, np.eye(3), offset, mode=mode, cval=0.3, **options)
        expected = affine_transform(endless, np.eye(3), offset + 70, mode="mirror", **options)
        np.testing.assert_allclose(result, expected, rtol=0, atol=5e-10)
