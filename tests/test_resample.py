"""`resample` and `Warp.resizing`, beside those who resize elsewhere."""

import numpy as np
import pytest
from scipy import ndimage

import volaug
from support.volumes import nan_filled, random_volume
from volaug import Warp, resample

SHAPE = (13, 17, 11)
LARGER, SMALLER, MIXED = (20, 29, 25), (5, 6, 7), (26, 8, 11)
ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
EVERY = pytest.mark.parametrize("shape", [LARGER, SMALLER, MIXED])


@EVERY
@pytest.mark.parametrize("interpolation", ORDERS)
@pytest.mark.parametrize(("align", "mode"), [("edges", "reflect"), ("centers", "mirror")])
def test_equals_scipys_zoom(shape, interpolation, align, mode):
    volume = random_volume(SHAPE, "float64")
    out = nan_filled(shape, "float64")
    resample(volume, shape, interpolation=interpolation, align=align, mode=mode, out=out)
    factors = np.divide(shape, SHAPE)
    expected = ndimage.zoom(
        volume, factors, order=ORDERS[interpolation], mode=mode, grid_mode=align == "edges"
    )
    np.testing.assert_allclose(out, expected, atol=2e-9)


@pytest.mark.oracle("skimage")
@EVERY
@pytest.mark.parametrize("interpolation", ORDERS)
@pytest.mark.parametrize("antialias", [False, True])
def test_equals_skimages_resize(shape, interpolation, antialias):
    from skimage.transform import resize

    if antialias and interpolation == "nearest":
        pytest.skip("labels are not smoothed")
    volume = random_volume(SHAPE, "float64")
    for mode, theirs in (("nearest", "edge"), ("reflect", "symmetric"), ("mirror", "reflect")):
        expected = resize(
            volume,
            shape,
            order=ORDERS[interpolation],
            mode=theirs,
            anti_aliasing=antialias,
            clip=False,
        )
        options = {"interpolation": interpolation, "mode": mode, "antialias": antialias}
        np.testing.assert_allclose(resample(volume, shape, **options), expected, atol=2e-9)


@pytest.mark.oracle("torch")
@EVERY
def test_equals_torchs_interpolate(shape):
    import torch
    from torch.nn.functional import interpolate

    volume = random_volume((2, *SHAPE), "float64")  # torch's places of float32 are float32 too
    tensor = torch.from_numpy(volume)[None]
    for align in ("edges", "centers"):
        corners = align == "centers"
        expected = interpolate(tensor, shape, mode="trilinear", align_corners=corners)[0].numpy()
        np.testing.assert_allclose(resample(volume, shape, align=align), expected, atol=2e-9)
    expected = interpolate(tensor, shape, mode="nearest-exact")[0].numpy()
    result = resample(volume, shape, interpolation="nearest")
    if all(m >= n for m, n in zip(shape, SHAPE, strict=True)):
        np.testing.assert_array_equal(result, expected)
    else:  # torch calculates places in float32, where halves may fall to the other side
        assert (result != expected).mean() < 0.35


@pytest.mark.oracle("nnunetv2", "skimage")
@EVERY
def test_equals_nnunets_resampling(shape):
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg

    volume = random_volume((2, *SHAPE), "float64")
    expected = resample_data_or_seg(volume, shape, order=3, do_separate_z=False)
    result = resample(volume, shape, interpolation="cubic")
    limits = volume.min(axis=(1, 2, 3), keepdims=True), volume.max(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(np.clip(result, *limits), expected, atol=1e-8)


@pytest.mark.oracle("nnunetv2", "skimage")
@EVERY
def test_labels_as_nnunets(shape):
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg

    labels = (ndimage.gaussian_filter(random_volume(SHAPE), 2) > 0).astype(np.int16)
    theirs = resample_data_or_seg(labels[None], shape, is_seg=True, order=1, do_separate_z=False)
    ours = resample(labels, shape, interpolation="label")
    # where two labels have half of the weight each, the nearest voxel decides here
    assert (ours != theirs[0]).mean() < 0.06


def test_spacings_give_the_shape_of_nnunet():
    scan = random_volume((20, 31, 27))
    result = resample(scan, spacing=(3, 0.7, 1), output_spacing=(1, 1, 1.2))
    assert result.shape == (60, 22, 22)
    np.testing.assert_array_equal(result, resample(scan, (60, 22, 22)))
    both = resample(scan, (60, 22, 22), spacing=(3, 0.7, 1), output_spacing=(1, 1, 1.2))
    np.testing.assert_array_equal(result, both)


@pytest.mark.parametrize("align", ["edges", "centers"])
def test_points_and_the_affine_go_along(align):
    warp = Warp.resizing(SHAPE, MIXED, align)
    last = np.subtract(SHAPE, 1.0)
    ends = (-0.5, last + 0.5) if align == "edges" else (0.0, last)
    corners = np.broadcast_to(np.stack(np.broadcast_arrays(*ends)), (2, 3))
    moved = warp.points_to_output(corners)
    out = np.subtract(MIXED, 1.0)
    wanted = (np.full(3, -0.5), out + 0.5) if align == "edges" else (np.zeros(3), out)
    np.testing.assert_allclose(moved, wanted, atol=1e-9)
    volumes = {"image": random_volume((2, *SHAPE)), "label": random_volume(SHAPE, "uint8")}
    how = {"label": "label"}
    together = warp.apply_all(volumes, interpolation=how, mode="nearest")
    for name, volume in volumes.items():
        kind = how.get(name, "linear")
        alone = resample(volume, MIXED, align=align, interpolation=kind)
        np.testing.assert_array_equal(together[name], alone)


@pytest.mark.parametrize("lengths", [(1, 5, 9), (4, 1, 6), (1, 1, 1)])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5)])
@pytest.mark.parametrize("align", ["edges", "centers"])
def test_axes_of_one_voxel(lengths, shape, align):
    volume = random_volume(lengths, "float64")
    result = resample(volume, shape, align=align)
    expected = volume
    for axis, (n, m) in enumerate(zip(lengths, shape, strict=True)):
        places = (np.arange(m) + 0.5) * n / m - 0.5
        if align == "centers" and n > 1:
            places = np.linspace(0, n - 1, m) if m > 1 else np.zeros(1)
        lines = np.apply_along_axis(
            lambda line, at=places: np.interp(at, range(len(line)), line), axis, expected
        )
        expected = lines
    np.testing.assert_allclose(result, expected, atol=1e-9)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "uint64", "float16"])
def test_antialias_rounds_once(dtype):
    volume = random_volume((2, *SHAPE), dtype)
    result = resample(volume, SMALLER, antialias=True)
    exact = resample(volume.astype(np.float64), SMALLER, antialias=True)
    assert result.dtype == volume.dtype
    bound = 1e-1 if dtype == "float16" else 0.5 + 1e-4
    assert np.abs(result.astype(np.float64) - exact).max() <= bound
    out = nan_filled((2, *SMALLER), dtype)
    assert resample(volume, SMALLER, antialias=True, out=out) is out
    np.testing.assert_array_equal(out, result)


def test_antialias_of_the_limits_saturates():
    volume = np.full((8, 8, 8), np.iinfo(np.int64).max)
    np.testing.assert_array_equal(resample(volume, (2, 2, 2), antialias=True), volume[:2, :2, :2])
    volume[:] = np.iinfo(np.int64).min
    np.testing.assert_array_equal(resample(volume, (2, 2, 2), antialias=True), volume[:2, :2, :2])


def test_antialias_leaves_axes_that_grow():
    volume = random_volume(SHAPE)
    np.testing.assert_array_equal(
        resample(volume, LARGER, antialias=True), resample(volume, LARGER)
    )


def test_the_volume_stays_as_it_is():
    volume = random_volume(SHAPE)
    before = volume.copy()
    resample(volume, SMALLER, antialias=True)
    np.testing.assert_array_equal(volume, before)


BAD = {
    "nothing": ({}, ValueError, "got neither"),
    "no voxel": ({"shape": (0, 3, 3)}, ValueError, "three lengths from 1"),
    "more than memory holds": ({"shape": (100_000,) * 3}, MemoryError, "of memory"),
    "one spacing": ({"spacing": (1, 1, 1)}, ValueError, "got no output_spacing"),
    "the other spacing": ({"output_spacing": (1, 1, 1)}, ValueError, "got no spacing"),
    "a spacing of zero": (
        {"spacing": (1, 0, 1), "output_spacing": (1, 1, 1)},
        ValueError,
        "^spacing must be",
    ),
    "a spacing below zero": (
        {"spacing": (1, 1, 1), "output_spacing": (1, -1, 1)},
        ValueError,
        "^output_spacing must be",
    ),
    "an axis that vanishes": (
        {"spacing": (1, 1, 1), "output_spacing": (1, 1, 40)},
        ValueError,
        "axis 2 would vanish: 11 voxels of 1 mm",
    ),
    "disagreement": (
        {"shape": (3, 3, 3), "spacing": (1, 1, 1), "output_spacing": (2, 2, 2)},
        ValueError,
        r"\(3, 3, 3\) is asked for, they give \(6, 8, 6\)",
    ),
    "too many voxels": (
        {"spacing": (1, 1, 1), "output_spacing": (1, 1, 1e-6)},
        ValueError,
        "three lengths",
    ),
    "smooth labels": (
        {"shape": SMALLER, "antialias": True, "interpolation": "label"},
        ValueError,
        "antialias smooths values",
    ),
    "no flag": ({"shape": SMALLER, "antialias": 1}, TypeError, "antialias must be True or False"),
    "unknown": ({"shape": SMALLER, "align": "corners"}, ValueError, "'edges', 'centers'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    options, error, words = BAD[name]
    with pytest.raises(error, match=words) as raised:
        resample(random_volume(SHAPE), **options)
    assert "\n" not in str(raised.value)


def test_resizing_refuses_an_unknown_rule():
    with pytest.raises(ValueError, match="align must be one of"):
        volaug.Warp.resizing(SHAPE, SMALLER, "corners")
