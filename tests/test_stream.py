"""A stream's batches have a key for each sample, in an order that the seed gives."""

import copy
import pickle
from collections import Counter

import numpy as np
import pytest

from support.streams import CASES, PATCH, SHAPES, batches, same, stream
from support.volumes import random_volume
from volaug import Record, presets
from volaug.data.batches import shuffled_index
from volaug.data.progress import Report


def test_a_batch_has_arrays_of_its_own_and_what_was_drawn():
    first, second = batches(2)
    assert first["image"].shape == first["label"].shape == (2, 1, *PATCH)
    assert (first["image"].dtype, first["label"].dtype) == (np.float32, np.int16)
    assert not np.shares_memory(first["image"], second["image"])
    for place, record in enumerate(first["record"]):
        case = CASES[record.key.index]
        assert record.shape == case["image"].shape
        again = Record.from_json(record.to_json()).apply(**case)
        np.testing.assert_array_equal(first["image"][place, 0], again["image"])
        np.testing.assert_array_equal(first["label"][place, 0], again["label"])


@pytest.mark.parametrize("options", [{"threads": 2}, {"threads": 3}, {"prefetch": 7}])
def test_the_same_seed_is_the_same_bits_for_any_threads(options):
    for alone, other in zip(batches(6, threads=1), batches(6, **options), strict=True):
        same(alone, other)


def test_another_seed_and_each_epoch_are_other_batches():
    volumes = {batch["image"].tobytes() for batch in batches(9) + batches(9, seed=6)}
    assert len(volumes) == 18


def test_an_epoch_has_each_case_once_in_an_order_of_its_own():
    drawn = [record.key for batch in batches(30) for record in batch["record"]]
    epochs = [drawn[first : first + 3] for first in range(0, 60, 3)]
    for number, keys in enumerate(epochs):
        assert {(key.seed, key.epoch) for key in keys} == {(5, number)}
        assert sorted(key.index for key in keys) == [0, 1, 2]
    assert len({tuple(key.index for key in keys) for keys in epochs}) == 6


def test_a_case_may_come_several_times_an_epoch():
    drawn = [r.key for batch in batches(6, samples_per_case=4) for r in batch["record"]]
    assert sorted(key.index for key in drawn) == list(range(12))
    assert {key.epoch for key in drawn} == {0}


def test_epochs_come_to_an_end_and_what_fills_no_batch_is_left_out():
    made = stream(epochs=3)
    assert len(made) == 4
    assert len(list(made)) == 4
    assert len(made) == 0
    with pytest.raises(StopIteration):
        next(made)
    with pytest.raises(TypeError, match="no length"):
        len(stream())


@pytest.mark.parametrize("first", [1, 5, 11])
def test_it_goes_on_where_another_has_stopped(first):
    with stream() as made:
        for _ in range(first):
            next(made)
        assert made.batches == first
        (expected,) = [next(made)]
    (found,) = batches(1, first_batch=first)
    same(found, expected)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 12, 100, 1009])
def test_an_order_has_each_index_once(size):
    for epoch in (0, 1):
        order = [shuffled_index(5, epoch, size, place) for place in range(size)]
        assert sorted(order) == list(range(size))


def test_orders_are_all_as_likely():
    """Each of the 24 orders of four samples comes as often, by a chi-square of 23 freedoms."""
    orders = Counter(
        tuple(shuffled_index(5, epoch, 4, place) for place in range(4)) for epoch in range(2400)
    )
    assert len(orders) == 24
    assert sum((count - 100) ** 2 / 100 for count in orders.values()) < 49.7  # one in a thousand


def test_an_epoch_may_be_as_long_as_it_likes():
    """Its order needs no list of its samples."""
    with stream(samples_per_case=10**9) as made:
        keys = [record.key for _ in range(3) for record in next(made)["record"]]
    assert len({key.index for key in keys}) == 6
    assert max(key.index for key in keys) > 10**6


def test_a_pickle_goes_on_as_well():
    made = stream()
    next(made)
    copy = pickle.loads(pickle.dumps(made))
    same(next(copy), next(made))
    made.close()
    copy.close()


def test_an_image_alone_will_do():
    (batch,) = batches(1, cases=[{"image": CASES[0]["image"]}])
    assert batch.keys() == {"image", "record"}


def test_channels_points_sizes_and_pyramids():
    case = {
        "image": random_volume((3, *SHAPES[0])),
        "label": CASES[0]["label"],
        "points": [[3.0, 4.0, 5.0]],
        "spacing": (1.0, 2.0, 0.5),
    }
    pipeline = presets.nnunet(PATCH, deep_supervision=[1, 0.5])
    (batch,) = batches(1, cases=[case], pipeline=pipeline)
    assert batch["image"].shape == (2, 3, *PATCH)
    assert [level.shape for level in batch["label"]] == [(2, 1, *PATCH), (2, 1, 12, 14, 10)]
    assert np.shape(batch["points"]) == (2, 1, 3)
    assert batch["spacing"] == [(1.0, 2.0, 0.5)] * 2
    for place, record in enumerate(batch["record"]):
        again = record.apply(image=case["image"], label=case["label"])
        np.testing.assert_array_equal(batch["label"][0][place, 0], again["label"][0])
        np.testing.assert_array_equal(batch["label"][1][place, 0], again["label"][1])


def test_a_report_says_what_took_how_long():
    seen = []
    with stream(on_batch=lambda made: seen.append(made.batches)) as made:
        assert made.report().samples == 0
        for _ in range(3):
            next(made)
        report = made.report()
    assert seen == [1, 2, 3]
    assert (report.batches, report.samples >= 6) == (3, True)
    assert 0 < report.waited <= report.seconds
    assert report.stages.keys() == {"open", "draw", "read", "augment"}
    assert all(mean > 0 for mean in report.stages.values())
    assert "samples a second" in str(report)


def test_images_may_be_converted_to_another_byte_order():
    with stream(dtype=">f4") as made:
        assert next(made)["image"].dtype == np.float32


def test_a_live_stream_can_be_copied():
    made = stream()
    for _ in range(3):
        next(made)
        again = copy.deepcopy(made)
        assert again.batches == made.batches
        again.close()
    made.close()


@pytest.mark.parametrize(
    ("waited", "stages", "bound"),
    [
        (0.2, {"open": 0.1, "read": 0.1, "draw": 0.1, "augment": 0.3}, "the consumer"),
        (5.0, {"open": 0.2, "read": 0.2, "draw": 0.1, "augment": 0.3}, "reading"),
        (5.0, {"open": 0.1, "read": 0.1, "draw": 0.1, "augment": 0.3}, "augmenting"),
        (5.0, {"open": 0.1, "read": 0.1, "draw": 0.9, "augment": 0.3}, "drawing"),
        (0.0, {}, ""),
    ],
)
def test_a_report_says_what_bounds_the_stream(waited, stages, bound):
    report = Report(10, 20, 10.0, waited, stages, 2)
    assert report.bound == bound
    assert bool(report.advice) == bool(bound)
    assert (f"bound by {bound}: {report.advice}" in str(report)) == bool(bound)
    assert "by 2 threads: 2.0 samples a second" in str(report)
