"""A stream's patches lie where they should, and enough of them hold foreground."""

import numpy as np
import pytest

from support.streams import batches
from support.volumes import random_volume
from volaug import Compose
from volaug.data.cases import CaseError
from volaug.data.patches import MAX_FOREGROUND_VOXELS, as_foreground, foreground_of, patch_start


def has_foreground(batch):
    return [(label > 0).any() for label in batch["label"]]


def test_the_last_of_a_batch_have_foreground():
    """As nnU-Net rounds: one of two, one of three, two of five."""
    plain = Compose([])
    small = {"patch_shape": 6, "pipeline": plain}
    for size, forced in ((2, 1), (3, 1), (5, 2)):
        found = [has_foreground(b) for b in batches(12, batch_size=size, **small)]
        assert np.all([each[size - forced :] for each in found])
        assert not np.all([each[: size - forced] for each in found])
    assert not np.all([has_foreground(b)[-1] for b in batches(12, foreground=0.0, **small)])
    assert np.all([has_foreground(b) for b in batches(12, foreground=1.0, **small)])


def test_classes_are_as_likely_whatever_their_size():
    label = np.zeros((30, 30, 30), np.int16)
    label[:20], label[25, 25, 25] = 1, 7
    case = {"image": random_volume(label.shape), "label": label}
    made = batches(100, cases=[case], pipeline=Compose([]), patch_shape=5, foreground=1.0)
    rare = [(label == 7).any() for batch in made for label in batch["label"]]
    assert 70 < sum(rare) < 130


def test_places_of_the_foreground_are_spread_over_it():
    label = np.zeros((40, 50, 60), np.uint8)
    label[10:] = 1
    label[3, 4, 5] = 200
    places = foreground_of(label)
    assert places.keys() == {1, 200}
    assert places[200].tolist() == [[3, 4, 5]]
    assert MAX_FOREGROUND_VOXELS / 2 < len(places[1]) <= MAX_FOREGROUND_VOXELS
    assert (label[tuple(places[1].T)] == 1).all()
    assert (
        np.ptp(places[1], axis=0).tolist() == [29, 49, 59] or np.ptp(places[1], axis=0).min() > 25
    )


class Ways:
    """Numbers that are given."""

    def __init__(self, *ways):
        self.ways = list(ways)

    def uniform(self):
        return self.ways.pop(0)


def test_where_a_patch_begins():
    almost = 1 - 2**-53
    shape, patch = (10, 20, 7), (4, 20, 9)
    assert patch_start(Ways(0, 0, 0, 0, 0), shape, patch, None) == (0, 0, -1)
    assert patch_start(Ways(almost, almost, almost, 0, 0), shape, patch, None) == (6, 0, -1)
    places = {1: np.array([[9, 3, 3]]), 5: np.array([[0, 0, 0], [5, 19, 6]])}
    assert patch_start(Ways(0, 0, 0, 0, 0), shape, (4, 6, 9), places) == (6, 0, -1)
    assert patch_start(Ways(0, 0, 0, almost, almost), shape, (4, 6, 3), places) == (3, 14, 4)
    assert patch_start(Ways(0.5, 0, 0, 0, 0), shape, (4, 6, 3), {}) == (3, 0, 0)


@pytest.mark.parametrize("kind", [dict, "function"])
def test_a_case_can_say_where_its_foreground_is(kind):
    """By class, also by classes that have no order; the label is not read for it."""
    label = np.zeros((30, 30, 30), np.int16)
    label[3, 4, 5], label[20, 21, 22], label[10:14] = 1, 2, 3
    given = {1: np.array([[3, 4, 5]]), (1, 2): [[20, 21, 22]], "none": np.zeros((0, 3), int)}
    case = {"image": random_volume(label.shape), "label": label}
    case["foreground"] = given if kind is dict else lambda: given
    made = batches(40, cases=[case], pipeline=Compose([]), patch_shape=5, foreground=1.0)
    middles = [label[0, 2, 2, 2] for batch in made for label in batch["label"]]
    assert set(middles) == {1, 2}
    assert 20 < middles.count(1) < 60


def test_a_long_foreground_is_thinned():
    voxels = np.arange(3 * 10 * MAX_FOREGROUND_VOXELS).reshape(-1, 3)
    found = as_foreground({"a": voxels}, (10**6,) * 3)
    assert len(found[0]) == MAX_FOREGROUND_VOXELS
    assert np.ptp(found[0][:, 0]) > 0.99 * np.ptp(voxels[:, 0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], "foreground must be a mapping .* got list"),
        (lambda: 3, "foreground must be a mapping .* got int"),
        ({4: [1, 2, 3]}, r"foreground of class 4 must be ints of shape \(N, 3\), got int64 of"),
        ({4: [[1.0, 2, 3]]}, "foreground of class 4 must be ints .* got float64"),
        ({4: [[1, 2, 30]]}, r"class 4 must lie in the case of shape \(30, 30, 30\), got .* 30\]"),
        ({4: [[-1, 2, 3]]}, "class 4 must lie in the case"),
    ],
)
def test_a_foreground_that_is_wrong(given, message):
    case = {"image": random_volume((30, 30, 30)), "foreground": given}
    with pytest.raises(CaseError, match=f"case 0.*{message}") as caught:
        batches(1, cases=[case], pipeline=Compose([]), patch_shape=5, foreground=1.0)
    assert "\n" not in str(caught.value)
