"""The generator: its batches, its keys, and how it ends."""

import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from support.volumes import random_volume
from volaug import (
    Compose,
    LabelPyramid,
    OneOf,
    RandomAffine,
    RandomElastic,
    RandomFlip,
    RandomNoise,
    Record,
    Stream,
    presets,
)
from volaug.data.batches import shuffled_index
from volaug.data.cases import CaseError
from volaug.data.patches import MAX_FOREGROUND_VOXELS, foreground_of, patch_start

SHAPES = [(40, 44, 48), (36, 50, 41), (52, 37, 45)]
STEPS = [RandomAffine(p=0.7), RandomElastic(3.0, p=0.7), RandomNoise(p=0.5)]
PATCH = (24, 28, 20)


def case_of(number, shape):
    label = np.zeros(shape, np.int16)
    label[5:9, 20:24, 30:33] = 1 + number % 2
    label[30:33, 3:6, 4:9] = 3
    return {"image": random_volume(shape, seed=number), "label": label}


CASES = [case_of(number, shape) for number, shape in enumerate(SHAPES)]


def stream(cases=CASES, pipeline=None, **options):
    options = {"patch_shape": PATCH, "batch_size": 2, "seed": 5, **options}
    return Stream(cases, Compose(STEPS) if pipeline is None else pipeline, **options)


def batches(count, **options):
    with stream(**options) as made:
        return [next(made) for _ in range(count)]


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        if name == "record":
            assert a[name] == b[name]
        else:
            np.testing.assert_array_equal(a[name], b[name])


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


@pytest.mark.parametrize("askers", [2, 5])
def test_several_threads_get_each_batch_once(askers):
    expected = {batch["image"].tobytes() for batch in batches(20)}
    with stream() as made, ThreadPoolExecutor(askers) as pool:
        found = list(pool.map(lambda _: next(made)["image"].tobytes(), range(20)))
    assert len(set(found)) == 20
    assert set(found) == expected


def test_several_threads_come_to_the_end_together():
    with stream(epochs=4) as made, ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: sum(1 for _ in made), range(4)))
    assert sum(counts) == 6


def test_closing_ends_who_waits_in_another_thread():
    def slow():
        time.sleep(0.3)
        return CASES[0]

    made = stream([slow] * 2, prefetch=4, threads=2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(list, made)
        time.sleep(0.4)
        made.close()
        assert len(waiting.result(20)) <= 2
    with pytest.raises(StopIteration):
        next(made)


@pytest.mark.parametrize("wrong", [None, 3, {"image": 1}, "cases", iter([])])
def test_cases_that_are_no_list_are_refused(wrong):
    with pytest.raises(TypeError, match="cases must be a list"):
        stream(wrong)


def test_what_is_called_after_a_batch_must_be_callable():
    with pytest.raises(TypeError, match="on_batch must be a function"):
        stream(on_batch=1)


def test_a_pickle_goes_on_as_well():
    made = stream()
    next(made)
    copy = pickle.loads(pickle.dumps(made))
    same(next(copy), next(made))
    made.close()
    copy.close()


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


def test_no_more_is_made_ahead_than_is_asked_for():
    opened = []

    def load(number):
        opened.append(number)
        return CASES[number]

    cases = [lambda number=number: load(number) for number in range(3)]
    with stream(cases, prefetch=2) as made:
        opened.clear()
        next(made)
        time.sleep(0.5)
        assert len(opened) == 6  # the one that was taken, and two more
        next(made)
        time.sleep(0.5)
        assert len(opened) == 8


def broken():
    raise OSError("the disk is gone")


def test_an_error_names_the_case_and_closes_the_stream():
    cases = [lambda: CASES[0], lambda: CASES[1], broken]
    made = stream(cases, threads=2)
    with pytest.raises(CaseError, match=r"case 2 \(epoch 0, index 2\): the disk is gone") as caught:
        list(made)
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(StopIteration):
        next(made)
    assert not any(t.name.startswith("volaug-stream") for t in threading.enumerate())


def test_cases_must_be_alike():
    other = {**CASES[1], "image": CASES[1]["image"].astype(np.float64)}
    with pytest.raises(CaseError, match=r"case 1 .* as case 0"):
        list(stream([CASES[0], other], epochs=2))


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


def test_a_stream_that_is_dropped_leaves_no_thread():
    made = stream()
    next(made)
    del made
    gc.collect()
    deadline = time.monotonic() + 10
    while any(t.name.startswith("volaug-stream") for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_thousand_batches_leave_nothing_behind():
    small = {"patch_shape": 8, "pipeline": Compose([RandomAffine(p=1)])}
    with stream(**small, threads=2) as made:
        for _ in range(50):
            next(made)
        threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
        memory = resident()
        for _ in range(1000):
            next(made)
        assert threading.active_count() == threads
        assert len(os.listdir("/proc/self/fd")) == files
        assert resident() - memory < 8e6


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_forked_child_goes_on_with_the_same_bits():
    with stream(threads=2) as made:
        next(made)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.write(write, next(made)["image"].tobytes()[:1000])
                made.close()
                status = 0
            finally:
                os._exit(status)
        expected = next(made)["image"].tobytes()[:1000]
        assert os.read(read, 1000) == expected
        assert os.waitpid(child, 0)[1] == 0


CONSUMER = """
import sys, time, numpy as np
from volaug import Compose, RandomAffine, Stream
cases = [{"image": np.zeros((40, 40, 40), np.float32)}]
made = Stream(cases, Compose([RandomAffine(p=1)]), patch_shape=32, batch_size=2, seed=1)
next(made)
print("begun", flush=True)
HOW
"""


@pytest.mark.parametrize(
    ("how", "number", "status"),
    [
        ("while True: next(made)", signal.SIGINT, -signal.SIGINT),
        ("while True: next(made)", signal.SIGKILL, -signal.SIGKILL),
        ("while True: next(made)", signal.SIGTERM, -signal.SIGTERM),
        ("sys.exit(7)", None, 7),
        ("raise ValueError", None, 1),
    ],
)
def test_a_consumer_that_ends_does_not_hang(how, number, status):
    process = subprocess.Popen(
        [sys.executable, "-c", CONSUMER.replace("HOW", how)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    if number is not None:
        process.send_signal(number)
    process.communicate(timeout=100)
    assert process.returncode == status


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": []}, "cases must be one or more"),
        ({"cases": [3]}, "a case must be a mapping"),
        ({"cases": [{"picture": 3}]}, "unknown target of a case 'picture'"),
        ({"cases": [{}]}, "an image or a label is needed"),
        ({"pipeline": [RandomAffine()]}, "pipeline must be a Compose, got list"),
        ({"patch_shape": (3, 4)}, "patch_shape must be three lengths"),
        ({"patch_shape": 2.5}, "patch_shape must be three whole numbers"),
        ({"batch_size": 0}, "batch_size must be from 1"),
        ({"seed": -1}, "seed must be from 0"),
        ({"threads": 0}, "threads must be a whole number of at least 1"),
        ({"prefetch": 0}, "prefetch must be from 1"),
        ({"foreground": 1.5}, "foreground must be from 0 to 1"),
        ({"samples_per_case": 0}, "samples_per_case must be from 1"),
        ({"epochs": 0}, "epochs must be from 1"),
        ({"first_batch": -1}, "first_batch must be from 0"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        stream(**options)


def test_epochs_that_make_no_batch_are_refused():
    with pytest.raises(ValueError, match=r"one batch at least, got 3 samples in 1 epochs .* of 4"):
        stream(epochs=1, batch_size=4)


def test_images_may_be_converted_to_another_byte_order():
    with stream(dtype=">f4") as made:
        assert next(made)["image"].dtype == np.float32


def test_a_length_that_is_asked_for_in_between_changes_nothing():
    expected = [batch["image"].tobytes() for batch in stream(epochs=3)]
    made = stream(epochs=3)
    with ThreadPoolExecutor(1) as pool:
        lengths = pool.submit(lambda: [len(made) for _ in range(2000)])
        assert [batch["image"].tobytes() for batch in made] == expected
        assert set(lengths.result()) <= set(range(5))


def test_a_live_stream_can_be_copied():
    made = stream()
    for _ in range(3):
        next(made)
        again = copy.deepcopy(made)
        assert again.batches == made.batches
        again.close()
    made.close()


def test_a_pyramid_happens_for_each_sample():
    pyramid, flip = LabelPyramid([1, 0.5]), RandomFlip()
    for steps in (
        [OneOf([flip, pyramid])], [Compose([pyramid], p=0.5)], [LabelPyramid([1, 0.5], p=0.5)],
    ):  # fmt: skip
        with pytest.raises(ValueError, match="a LabelPyramid of a Stream must happen for each"):
            stream(pipeline=Compose(steps))
    for steps in ([pyramid], [flip, Compose([pyramid])], [OneOf([LabelPyramid([1, 0.5], p=0.1)])]):
        with stream(pipeline=Compose(steps)) as made:
            assert isinstance(next(made)["label"], list)
