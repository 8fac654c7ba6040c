"""The vote: the label with the largest sum of trilinear weights, and who wins a tie."""

import itertools

import numpy as np
import pytest
import scipy.ndimage

import reference
from support.volumes import SHAPES, nan_filled, random_affine
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


def random_warp(rng, source, target, elastic):
    matrix, offset = random_affine(rng, source, target, 2.0)
    points = rng.normal(0, 1.5, (3, *rng.integers(4, 8, 3))) if elastic else None
    return Warp(target, matrix, offset, points)


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
    volume = np.random.default_rng(count).integers(0, count, (7, 8, 21)).astype(np.uint8)
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


def one_hot_of(classes, count, dtype):
    return np.stack([classes == number for number in range(count)]).astype(dtype)


@pytest.mark.parametrize(
    ("count", "dtype"),
    [(2, np.uint8), (5, np.int16), (4, np.bool), (3, np.float32), (130, np.int8)],
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("elastic", [False, True])
def test_one_hot_channels_vote_together(count, dtype, order, elastic):
    """Each voxel belongs to one channel again: the one with the largest interpolated value."""
    rng = np.random.default_rng(count)
    classes = rng.integers(0, count, (9, 10, 21))
    label = np.asarray(one_hot_of(classes, count, dtype), order=order)
    warp = random_warp(rng, classes.shape, (11, 9, 17), elastic)
    for mode in ("nearest", "reflect", "grid-wrap"):
        out = nan_filled((count, 11, 9, 17), dtype)
        result = warp.apply(label, interpolation="label", mode=mode, out=out)
        assert result is out
        assert set(np.unique(result)) == {0, 1}
        np.testing.assert_array_equal(result.sum(0, int), 1)
        weights = warp.apply(label.astype(np.float64), interpolation="linear", mode=mode)
        second, first = np.sort(weights, 0)[-2:]
        clear = first - second > 1e-4
        assert clear.mean() > 0.8
        np.testing.assert_array_equal(result.argmax(0)[clear], weights.argmax(0)[clear])
        # the same as the label map that it stands for
        scalar = warp.apply(classes.astype(np.int16), interpolation="label", mode=mode)
        np.testing.assert_array_equal(result.argmax(0), scalar)


@pytest.mark.parametrize("mode", MODES)
def test_what_lies_outside_of_a_one_hot_label(mode):
    """It belongs to no channel by default, or to that which `cval` says."""
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 3, (8, 9, 10))
    label, scalar = one_hot_of(classes, 3, np.uint8), classes.astype(np.uint8)
    warp = Warp((9, 9, 12), np.eye(3) * 1.3, (-1.7, 1.2, -2.4))
    for cval, outside in ((0, 3), ((0, 1, 0), 1), ((1, 0, 0), 0)):
        result = warp.apply(label, interpolation="label", mode=mode, cval=cval)
        expected = warp.apply(scalar, interpolation="label", mode=mode, cval=outside)
        np.testing.assert_array_equal(result, one_hot_of(expected, 3, np.uint8))
    result = warp.apply(label, interpolation="label", mode=mode, cval=(5, 6, 7))
    expected = warp.apply(scalar, interpolation="label", mode=mode, cval=3)
    for channel, fill in enumerate((5, 6, 7)):
        wanted = np.where(expected == 3, fill, expected == channel)
        np.testing.assert_array_equal(result[channel], wanted)


def test_channels_that_overlap_vote_on_their_combinations():
    """Of regions, such as those of a tumor, and of voxels that belong to none."""
    rng = np.random.default_rng(2)
    warp = random_warp(rng, (8, 9, 10), (8, 9, 10), False)
    for count, dtype in ((2, np.uint8), (3, np.int16), (7, np.bool), (8, np.uint8), (20, np.int8)):
        label = rng.integers(0, 2, (count, 8, 9, 10)).astype(dtype)
        label[:, :4] = 0
        for mode, cval, outside in (
            ("nearest", 0, 0), ("constant", 0, 0), ("constant", (1, 1) + (0,) * (count - 2), 3),
        ):  # fmt: skip
            result = warp.apply(label, interpolation="label", mode=mode, cval=cval)
            bits = (label.astype(np.int32).T << np.arange(count)).T.sum(0, np.int32)
            voted = warp.apply(bits, interpolation="label", mode=mode, cval=outside)
            expected = (voted >> np.arange(count)[:, None, None, None]) & 1
            np.testing.assert_array_equal(result, expected)


def test_many_channels_that_overlap_vote_each_by_itself():
    rng = np.random.default_rng(2)
    warp = random_warp(rng, (8, 9, 10), (8, 9, 10), False)
    one_hot = one_hot_of(rng.integers(0, 70, (8, 9, 10)), 70, np.uint8)
    one_hot[5] = one_hot[6]
    result = warp.apply(one_hot, interpolation="label", mode="nearest")
    alone = [warp.apply(c, interpolation="label", mode="nearest") for c in one_hot]
    np.testing.assert_array_equal(result, alone)


def test_channels_of_other_numbers_vote_each_by_itself():
    rng = np.random.default_rng(2)
    warp = random_warp(rng, (8, 9, 10), (8, 9, 10), False)
    one_hot = one_hot_of(rng.integers(0, 3, (8, 9, 10)), 3, np.uint8)
    other, text = one_hot.copy(), one_hot.copy()
    other[2] *= 2
    text[text == 1] = 255
    for label in (other, text, one_hot[:1]):
        result = warp.apply(label, interpolation="label", mode="nearest")
        alone = [warp.apply(c, interpolation="label", mode="nearest") for c in label]
        np.testing.assert_array_equal(result, alone)


@pytest.mark.parametrize("change", [0, 1])
def test_a_voxel_far_away_does_not_change_a_vote(change):
    """One that belongs to no channel, or to two."""
    rng = np.random.default_rng(3)
    label = one_hot_of(rng.integers(0, 3, (12, 12, 12)), 3, np.uint8)
    warp = Warp((8, 8, 8), np.eye(3) * 0.8, (4.3, 4.2, 4.4))
    expected = warp.apply(label, interpolation="label")
    label[:, 0, 0, 0] = change
    np.testing.assert_array_equal(warp.apply(label, interpolation="label"), expected)


def test_a_one_hot_label_loses_no_voxel_in_a_second_warp():
    rng = np.random.default_rng(4)
    classes = np.kron(rng.integers(0, 4, (5, 5, 5)), np.ones((4, 4, 4), int))
    label = one_hot_of(classes, 4, np.int16)
    first = Warp(classes.shape, np.eye(3) * 0.95, (0.3, 0.2, 0.4))
    second = Warp(classes.shape, np.eye(3) * 1.05, (-0.3, -0.2, 0.4))
    scalar = (classes + 1).astype(np.int16)
    for warp in (first, second):
        label = warp.apply(label, interpolation="label")
        scalar = warp.apply(scalar, interpolation="label")
        np.testing.assert_array_equal(label, one_hot_of(scalar - 1, 4, np.int16))
