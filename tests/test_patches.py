"""Where the foreground of a label is."""

import numpy as np
import pytest

from volaug import Compose, Stream
from volaug.data import patches
from volaug.data.patches import MAX_FOREGROUND_VOXELS, foreground_of

SHAPE = (17, 20, 23)


def places_by_class(label):
    """By definition: of each value over 0 every n-th voxel, with no more than are kept."""
    places = {}
    for value in np.unique(label[label > 0]).tolist():
        found = np.argwhere(label == value)
        places[value] = found[:: -(-len(found) // MAX_FOREGROUND_VOXELS)]
    return places


def is_the_same(found, expected):
    assert [*found] == [*expected]
    assert [*map(type, found)] == [*map(type, expected)]
    for value, places in expected.items():
        assert found[value].dtype == np.int64
        np.testing.assert_array_equal(found[value], places)


def labels_of(shape=SHAPE, count=4, seed=0, dtype=np.int16):
    return np.random.default_rng(seed).integers(0, count, shape).astype(dtype)


def one_hot(label, count, dtype=np.uint8):
    return (label == np.arange(count).reshape(-1, 1, 1, 1)).astype(dtype)


@pytest.mark.parametrize("slab", [1, 1000, 2**20])
@pytest.mark.parametrize(
    "label",
    [
        labels_of(),
        labels_of() - 2,
        labels_of(count=300),
        labels_of((40, 30, 20), 2, dtype=np.uint8),  # more voxels than are kept
        labels_of((40, 30, 20), 2, dtype=bool),
        labels_of(dtype=np.float16) - 1.5,
        np.where(labels_of() == 3, np.nan, labels_of()),
        labels_of(dtype=np.uint64) * 2**62,
        np.asfortranarray(labels_of()),
        labels_of((20, 40, 46))[::-1, ::2, ::-2],
        labels_of((1, *SHAPE)),
        np.ones((1, *SHAPE), np.uint8),  # one channel is no background
        np.zeros(SHAPE, np.int8),
    ],
    ids=lambda label: f"{label.dtype} {label.shape}",
)
def test_one_channel(label, slab, monkeypatch):
    monkeypatch.setattr(patches, "SLAB", slab)
    is_the_same(foreground_of(label), places_by_class(label.reshape(label.shape[-3:])))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "float32"])
@pytest.mark.parametrize("greatest", [1, 255])
def test_of_a_one_hot_label_channel_0_is_background(dtype, greatest):
    label = labels_of()
    found = foreground_of(one_hot(label, 4, dtype) * np.array(greatest, dtype))
    value = True if dtype == "bool" else greatest
    classes = places_by_class(label)
    is_the_same(found, {(number, value): places for number, places in classes.items()})


def test_voxels_outside_do_not_hide_a_background():
    channels = one_hot(labels_of(), 4, np.int8)
    channels[:, :3] = -1
    assert [*foreground_of(channels)] == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize("kind", ["apart", "nested"])
def test_of_regions_each_channel_is_a_class(kind):
    """Some leave voxels to no channel, and some overlap, such as whole tumor and tumor core."""
    label = labels_of()
    if kind == "apart":
        channels = one_hot(label, 4)[1:]
    else:
        channels = (label >= np.arange(1, 4).reshape(-1, 1, 1, 1)).astype(np.uint8)
    found = foreground_of(channels)
    assert [*found] == [(0, 1), (1, 1), (2, 1)]
    for (number, value), places in found.items():
        assert (channels[number][tuple(places.T)] == value).all()


def test_one_voxel_of_no_channel_or_of_two_is_enough():
    for count in (0, 2):
        channels = one_hot(labels_of(count=2), 2)
        channels[:, -1, -1, -1] = (count > 0, count > 1)
        assert {number for number, _ in foreground_of(channels)} == {0, 1}


def test_channels_may_hold_class_ids():
    tissue, lesion = labels_of(count=4), labels_of(count=3, seed=1) * 7
    tissue[0] = 0
    found = foreground_of(np.stack([tissue, lesion]))
    expected = {(0, value): places for value, places in places_by_class(tissue).items()}
    expected |= {(1, value): places for value, places in places_by_class(lesion).items()}
    is_the_same(found, expected)
    # also where one of them has none, so that each voxel belongs to one channel
    covered = np.stack([tissue + 1, np.zeros_like(tissue)])
    assert [*foreground_of(covered)] == [(0, 1), (0, 2), (0, 3), (0, 4)]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_probabilities_are_classes_where_they_are_large(dtype):
    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal((3, *SHAPE))
    soft = (np.exp(logits) / np.exp(logits).sum(axis=0)).astype(dtype)
    found = foreground_of(soft)
    assert [*found] == [(1, True), (2, True)]  # they sum to 1: the first is the background
    for (number, _), places in found.items():
        np.testing.assert_array_equal(places, places_by_class(soft[number] >= 0.5)[True])
    overlapping = rng.random((3, *SHAPE)).astype(dtype)
    assert [*foreground_of(overlapping)] == [(0, True), (1, True), (2, True)]


@pytest.mark.parametrize("classes", [2, 5])
def test_a_stream_finds_the_foreground_of_one_hot_labels(classes):
    """Each class in as many patches, however rare it is."""
    label = np.zeros((32, 32, 32), np.uint8)
    for value in range(1, classes):
        label[3 * value, 5 * value, 20] = value
    case = {"image": label.astype(np.float32), "label": one_hot(label, classes)}
    counts = np.zeros(classes, int)
    with Stream(
        [case], Compose([]), patch_shape=3, batch_size=5, seed=0, foreground=1.0, threads=1
    ) as stream:
        for _ in range(12):
            centers = next(stream)["label"][:, :, 1, 1, 1]
            counts += centers.sum(axis=0, dtype=int)
    assert counts[0] == 0
    assert counts.sum() == 60
    assert counts[1:].min() > 3


def test_many_classes_are_sorted_once(monkeypatch):
    """The work does not grow with the number of classes, and needs no memory of the label's."""
    label = labels_of((32, 64, 64), 300)
    passes = []
    monkeypatch.setattr(patches, "SLAB", label[:4].size)
    slabs = patches._slabs

    def counted(voxels):
        passes.append(voxels.shape)
        for first, part in slabs(voxels):
            assert part.size <= label[:4].size
            yield first, part

    monkeypatch.setattr(patches, "_slabs", counted)
    assert len(foreground_of(label)) == 299
    assert len(passes) == 2


def test_foreground_of_a_case_that_is_a_function_is_looked_up_each_time():
    calls = []

    def case():
        calls.append(1)
        label = np.zeros((24, 24, 24), np.int16)
        corner = slice(0, 4) if len(calls) % 2 else slice(-4, None)
        label[corner, corner, corner] = 1
        return {"image": label.astype(np.float32), "label": label}

    options = {"patch_shape": 8, "batch_size": 1, "seed": 1, "foreground": 1.0}
    with Stream([case], Compose([]), **options) as stream:
        assert all(next(stream)["label"].any() for _ in range(12))
