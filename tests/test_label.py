"""The vote: the label with the largest sum of trilinear weights wins, and one rule breaks ties."""

import itertools

import numpy as np
import pytest
import scipy.ndimage

import reference
from support.volumes import SHAPES, nan_filled, random_warp
from volaug import Warp, affine_transform
from volaug.warping.engine.borders import MODES

SHAPE = (20, 22, 34)


def ids_of(count, dtype):
    """So many labels, far apart; not in order."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(count)
    if dtype.kind == "f":
        return rng.permutation(np.linspace(-1e4, 1e4, count)).astype(dtype)
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    every = [low + i * ((high - low) // 255) for i in range(256)]
    if count > 256:
        every += [low + 1 + i for i in range(count - 256)]
    return rng.permutation(np.array(every, dtype))[:count]


def regions(shape, count, seed=0):
    """A map of `count` labels whose regions are some voxels wide, as those of an organ."""
    noise = np.random.default_rng(seed).standard_normal((count, *shape))
    return np.argmax([scipy.ndimage.gaussian_filter(n, 1.5) for n in noise], 0)


def places_of(warp):
    return reference.coordinates(warp.shape, warp.matrix, warp.offset, warp.control_points)


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("dtype", "count"),
    [("uint8", 2), ("int8", 5), ("int16", 300), ("uint32", 40), ("int64", 7), ("float64", 300)],
)
@pytest.mark.slow
def test_equals_the_reference(dtype, count, mode, elastic):
    rng = np.random.default_rng(count + elastic)
    ids = ids_of(count, dtype)
    for shape in SHAPES[1 + elastic :: 3]:
        target = (*rng.integers(1, 5, 2).tolist(), int(rng.integers(1, 22)))
        volume = ids[rng.integers(0, count, shape)]
        warp = random_warp(rng, shape, target, elastic)
        options = {"interpolation": "label", "mode": mode, "cval": ids[0]}
        result = warp.apply(volume, out=nan_filled(target, dtype), **options)
        expected = reference.warp(
            volume, target, warp.matrix, warp.offset, warp.control_points, **options
        )
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("elastic", [False, True])
def test_equals_the_greatest_interpolated_indicator(elastic):
    """As the rule is usually carried out: each label by itself, through this very engine."""
    volume = regions(SHAPE, 6)
    warp = random_warp(np.random.default_rng(3), SHAPE, SHAPE, elastic)
    for mode in MODES:
        indicators = np.stack([volume == n for n in range(6)]).astype(float)
        scores = warp.apply(indicators, mode=mode, cval=(0, 0, 1, 0, 0, 0))
        second, best = np.sort(scores, 0)[-2:]
        clear = best - second > 1e-6
        assert clear.mean() > 0.99
        result = warp.apply(volume, interpolation="label", mode=mode, cval=2)
        np.testing.assert_array_equal(result[clear], scores.argmax(0)[clear])


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.oracle("SimpleITK")
@pytest.mark.slow
def test_equals_simpleitk_but_for_ties(elastic):
    """Its LabelLinear gives a tie to the lowest label."""
    import SimpleITK as sitk

    rng = np.random.default_rng(1)
    volume = rng.integers(1, 5, SHAPE).astype(np.uint8)
    half = Warp(SHAPE, np.eye(3), (0.5, -3, 0.5))
    for warp in (random_warp(rng, SHAPE, (15, 16, 40), elastic), half):
        places = places_of(warp)
        # ITK counts axes from the fastest one; its transform adds a displacement to a voxel
        field = np.moveaxis((places - np.indices(warp.shape))[::-1], 0, -1)
        field = sitk.GetImageFromArray(field.copy(), isVector=True)
        expected = sitk.GetArrayFromImage(
            sitk.Resample(
                sitk.GetImageFromArray(volume),
                warp.shape[::-1],
                sitk.DisplacementFieldTransform(field),
                sitk.sitkLabelLinear,
                (0.0, 0.0, 0.0),
                (1.0, 1.0, 1.0),
                np.eye(3).ravel().tolist(),
                99.0,
            )
        )
        result = warp.apply(volume, interpolation="label", mode="edge-constant", cval=99)
        scores = np.stack(
            [
                scipy.ndimage.map_coordinates(
                    (volume == n).astype(float), places, order=1, mode="nearest"
                )
                for n in range(1, 5)
            ]
        )
        second, best = np.sort(scores, 0)[-2:]
        tie = (best - second < 1e-6) & (expected != 99)
        assert tie.any() == (warp is half)
        assert 0 < (expected == 99).sum() < expected.size
        np.testing.assert_array_equal(result[~tie], expected[~tie])


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("count", [2, 6, 25])
@pytest.mark.oracle("torch", "batchgeneratorsv2")
def test_equals_batchgeneratorsv2_but_for_its_rounding(count, elastic):
    """nnU-Net's labels, by its own code.

    It interpolates 1000 times each label's indicator and rounds that to float16, which is spaced
    by 0.5 there: what differs by less than 5e-4 of the weight may tie. A tie goes to the nearest
    voxel if its label is among the tied ones, as here, and else to the lowest label. So the two
    differ only where the two greatest weights are within 5e-4 of one another, and the winner of
    that vote is not the nearest voxel's label.
    """
    import torch
    from batchgeneratorsv2.transforms.spatial import spatial

    volume = regions(SHAPE, count).astype(np.int16)
    agreed, voxels = 0, 0
    for seed in range(3):
        warp = random_warp(np.random.default_rng(seed), SHAPE, (16, 17, 40), elastic)
        lengths = np.reshape(SHAPE, (3, 1, 1, 1))
        grid = (places_of(warp) * 2 + 1) / lengths - 1
        grid = torch.from_numpy(np.moveaxis(grid[::-1], 0, -1).astype(np.float32))
        rival = spatial.SpatialTransform(warp.shape, 0, random_crop=False)
        segmentation = torch.from_numpy(volume[np.newaxis])
        expected = rival._apply_to_segmentation(segmentation, grid=grid)[0].numpy()

        # its scores: outside of the volume, everything is label 0
        scores = []
        for n in range(count):
            indicator = torch.from_numpy((volume == n).astype(np.float32) - (n == 0)) * 1000
            score = torch.nn.functional.grid_sample(
                indicator[None, None], grid[None], align_corners=False
            )[0, 0]
            scores.append((score + 1000 * (n == 0)).to(torch.float16).numpy())
        second, best = np.sort(scores, 0)[-2:]

        result = warp.apply(volume, interpolation="label", mode="grid-constant", cval=0)
        clear = best > second
        assert clear.mean() > 0.99
        np.testing.assert_array_equal(result[clear], expected[clear])
        agreed += (result == expected).sum()
        voxels += result.size
    assert agreed >= 0.999 * voxels


@pytest.mark.parametrize("count", [2, 3, 9])
@pytest.mark.parametrize("shift", list(itertools.product((0, 0.5), repeat=3))[1:])
@pytest.mark.slow
def test_a_shift_by_half_a_voxel(shift, count):
    volume = np.random.default_rng(count).integers(0, count, (5, 6, 21)).astype(np.uint8)
    for sign in (1, -1):
        for mode in ("nearest", "grid-constant", "wrap"):
            offset = sign * np.array(shift)
            options = {"interpolation": "label", "mode": mode, "cval": 1}
            result = affine_transform(volume, np.eye(3), offset, **options)
            expected = reference.warp(volume, volume.shape, np.eye(3), offset, **options)
            np.testing.assert_array_equal(result, expected)
            if np.count_nonzero(shift) == 1:  # two voxels, of which one is the nearest
                options["interpolation"] = "nearest"
                picked = affine_transform(volume, np.eye(3), offset, **options)
                np.testing.assert_array_equal(result, picked)


@pytest.mark.parametrize("count", [2, 3, 5, 9])
@pytest.mark.parametrize(
    "shift",
    [
        (0.5, 0.75, 0.625),
        (0.375, 0.5, 0.5),
        (0.25, 0.25, 0.25),
        (0.5, 0.3125, 0.1875),
        (0.5, 0.5, 0.3),
        (0.3, 0.3, 0.3),
        (0.7, 0.3, 0.7),
    ],
)
@pytest.mark.slow
def test_sums_that_tie(shift, count):
    """Where the nearest voxel's label is not among the tied ones, too."""
    volume = np.random.default_rng(count).integers(0, count, (12, 13, 22)).astype(np.uint8)
    options = {"interpolation": "label", "mode": "reflect"}
    result = affine_transform(volume, np.eye(3), shift, **options)
    expected = reference.warp(volume, volume.shape, np.eye(3), shift, **options)
    np.testing.assert_array_equal(result, expected)


def test_a_tie_that_the_nearest_voxel_does_not_share():
    """0 has 9/32 and the nearest corner, 4 and 2 have 23/64 each; the least of them wins."""
    options = {"interpolation": "label", "output_shape": (1, 1, 1)}
    for dtype, low, high in ((np.uint8, 2, 200), (np.int8, -3, 4), (np.int16, -1, 0)):
        volume = np.array([[[high, low], [low, high]], [[1, high], [low, 1]]], dtype)
        result = affine_transform(volume, np.eye(3), (0.5, 0.75, 0.625), **options)
        assert result.item() == low
        swapped = np.where(volume == low, high, np.where(volume == high, low, 1)).astype(dtype)
        result = affine_transform(swapped, np.eye(3), (0.5, 0.75, 0.625), **options)
        assert result.item() == low


def test_no_label_is_invented():
    volume = np.random.default_rng(0).choice(np.array([3, 1000, -70], np.int16), (9, 10, 30))
    warp = random_warp(np.random.default_rng(2), volume.shape, (9, 10, 31), True)
    for mode in MODES:
        result = warp.apply(volume, interpolation="label", mode=mode, cval=3)
        assert set(np.unique(result)) <= {3, 1000, -70}
