"""The vote among labels with a channel for each class."""

import numpy as np
import pytest

from support.volumes import nan_filled, random_warp
from volaug import Warp
from volaug.warping.engine.borders import MODES


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
