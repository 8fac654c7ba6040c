"""Each key has random numbers of its own, which are uniform, with or without a seed."""

import hashlib
import itertools
import math
import multiprocessing
import pickle

import numpy as np
import pytest
import scipy.stats

from volaug import Compose, RandomAffine, RandomFlip, RandomRotation
from volaug.keys import Key, RandomStream
from volaug.pipeline.record import Record

SHAPE = (21, 34, 27)
MANY = 10_000


@pytest.mark.parametrize("count", [1, 21, 22, 63, 64, 500])
def test_numbers_are_the_upper_53_bits_of_words_of_shake_128(count):
    """From the definition, with as many words as one round has, and one more."""
    digest = hashlib.shake_128("volaug 7 3 17 ä step".encode()).digest(8 * count)
    words = [sum(digest[8 * i + k] << 8 * k for k in range(8)) for i in range(count)]
    expected = [math.ldexp(word >> 11, -53) for word in words]
    key = Key(seed=7, epoch=3, index=17)
    assert RandomStream(key, "ä step").uniforms(count).tolist() == expected
    one_by_one = RandomStream(key, "ä step")
    assert [one_by_one.uniform() for _ in range(count)] == expected
    in_parts = RandomStream(key, "ä step")
    parts = [in_parts.uniform(), *in_parts.uniforms(count // 2), *in_parts.uniforms(3, 2).flat]
    assert parts[:count] == expected[: len(parts)]
    assert RandomStream(key, "ä step").uniforms(5, 4, 7).ravel()[:count].tolist() == expected[:140]


def test_shake_128_is_that_of_the_standard():
    """FIPS 202, of the empty message."""
    assert hashlib.shake_128(b"").hexdigest(16) == "7f9c2ba4e88f827d616045507605853e"


def uniforms_of(label="a step", **parts):
    """The first numbers for many keys, of which one part counts up."""
    counted = next(name for name in ("seed", "epoch", "index", "occurrence") if name not in parts)
    keys = (Key(**parts, **{counted: number}) for number in range(MANY))
    return np.array([RandomStream(key, label).uniforms(3) for key in keys])


@pytest.mark.parametrize(
    "parts",
    [
        {"seed": 3, "epoch": 0},
        {"seed": 0, "index": 5},
        {"epoch": 1, "index": 2**40},
        {"seed": 4, "epoch": 0, "index": 7},
    ],
)
@pytest.mark.slow
def test_numbers_are_spread_evenly_and_do_not_depend_on_those_before(parts):
    numbers = uniforms_of(**parts)
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    for column in numbers.T:
        assert scipy.stats.kstest(column, "uniform").pvalue > 0.01
    limit = 4.0 / math.sqrt(MANY)
    for lag in (1, 2, 10):
        correlation = np.corrcoef(numbers[lag:].T, numbers[:-lag].T)
        assert np.abs(correlation - np.eye(6))[np.triu_indices(6, 1)].max() < limit
    other = uniforms_of("another step", **parts)
    assert np.abs(np.corrcoef(numbers.T, other.T)[:3, 3:]).max() < limit


def test_each_key_and_label_has_numbers_of_its_own():
    """Also where parts are exchanged, or their digits run on."""
    keys = [Key(*parts) for parts in itertools.product((0, 1, 12, 21, 2**64 - 1), repeat=4)]
    labels = ("Flip", "Flip 2", "2 Flip", "1 2 Flip", "", "\udc80")  # the last is half a letter
    firsts = {RandomStream(key, label).uniform() for key in keys for label in labels}
    assert len(firsts) == len(keys) * len(labels)


def test_an_occurrence_is_part_of_the_key():
    """A first one is no other key than without, and records of it are as they were."""
    pipeline = Compose([RandomAffine(p=1)], seed=7)
    first, second = (pipeline.draw(SHAPE, epoch=3, index=5, occurrence=n) for n in (0, 1))
    assert first == pipeline.draw(SHAPE, epoch=3, index=5)
    assert first.to_dict()["key"] == {"seed": 7, "epoch": 3, "index": 5}
    assert second.to_dict()["key"] == {"seed": 7, "epoch": 3, "index": 5, "occurrence": 1}
    assert first.steps != second.steps
    for record in (first, second):
        again = Record.from_json(record.to_json())
        assert again == record
        assert again.key == record.key
    volume = np.arange(64.0).reshape(4, 4, 4)
    sample = pipeline(image=volume, epoch=3, index=5, occurrence=1)
    assert sample.record == pipeline.draw((4, 4, 4), epoch=3, index=5, occurrence=1)
    with pytest.raises(ValueError, match="occurrence must be from 0"):
        pipeline.draw(SHAPE, index=5, occurrence=-1)
    with pytest.raises(ValueError, match=r"name must be .* occurrence"):
        Compose([], targets={"occurrence": "image"})


def test_choices_are_as_likely_as_they_say():
    numbers = [RandomStream(Key(1, 2, index), "a step") for index in range(MANY)]

    def assert_shares(chosen, shares):
        counts = [chosen.count(value) for value in shares]
        expected = MANY * np.array(list(shares.values())) / sum(shares.values())
        assert sum(counts) == MANY
        assert scipy.stats.chisquare(counts, expected).pvalue > 0.01

    assert_shares([n.whole(-2, 4) for n in numbers], dict.fromkeys(range(-2, 5), 1))
    assert_shares([n.chance(0.2) for n in numbers], {True: 1, False: 4})
    picked = [n.pick((1.0, 0.5, 3.0)) for n in numbers]
    assert_shares(picked, {0: 1, 1: 0.5, 2: 3})
    ways = [RandomStream(Key(1, 2, index), "a step").uniforms(3)[2] for index in range(MANY)]
    assert picked == np.searchsorted((1.0, 1.5, 4.5), 4.5 * np.array(ways), "right").tolist()
    assert {n.pick((0.0, 2.0, 0.0)) for n in numbers} == {1}
    assert {n.chance(0.0) for n in numbers} == {False}
    assert {n.chance(1.0) for n in numbers} == {True}
    assert {n.whole(3, 3) for n in numbers} == {3}


@pytest.mark.slow
def test_what_a_pipeline_draws_is_spread_evenly():
    pipeline = Compose([RandomRotation((10, (0, 5), 90), p=0.3)], seed=9)
    records = [pipeline.draw(SHAPE, index=index) for index in range(MANY // 4)]
    angles = [record.steps[0][1].degrees for record in records if record.steps]
    assert scipy.stats.binomtest(len(angles), len(records), 0.3).pvalue > 0.01
    for column, low, width in zip(np.transpose(angles), (-10, 0, -90), (20, 5, 180), strict=True):
        assert scipy.stats.kstest(column, "uniform", (low, width)).pvalue > 0.01


def unseeded():
    return Compose([RandomAffine(p=1)])


def test_without_a_seed_each_call_draws_anew_and_the_record_says_the_key():
    pipeline = unseeded()
    records = [pipeline.draw(SHAPE) for _ in range(20)]
    assert len({record.key.index for record in records}) == 20
    assert len({record.steps for record in records}) == 20
    for record in records:
        again = Compose(pipeline.transforms, seed=record.key.seed)
        assert again.draw(SHAPE, index=record.key.index) == record
    assert unseeded().draw(SHAPE, index=3) != pipeline.draw(SHAPE, index=3)
    sample = pipeline(image=np.zeros(SHAPE, np.float32))
    assert sample.record == pipeline.draw(SHAPE, index=sample.record.key.index)


def test_an_index_is_enough_without_a_seed_also_after_pickling():
    pipeline = unseeded()
    record = pipeline.draw(SHAPE, epoch=2, index=17)
    assert record == pipeline.draw(SHAPE, epoch=2, index=17)
    assert record == pickle.loads(pickle.dumps(pipeline)).draw(SHAPE, epoch=2, index=17)
    assert (record.key.epoch, record.key.index) == (2, 17)


def send_draws(connection, pipeline):
    connection.send([pipeline.draw(SHAPE, index=index).to_json() for index in (None, None, 4)])


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.slow
def test_without_a_seed_each_worker_draws_anew_but_for_the_same_index(method):
    pipeline = unseeded()
    context = multiprocessing.get_context(method)
    found = [[pipeline.draw(SHAPE).to_json(), pipeline.draw(SHAPE, index=4).to_json()]]
    for _ in range(2):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=send_draws, args=(sender, pipeline))
        process.start()
        assert receiver.poll(120)
        found.append(receiver.recv())
        process.join(60)
        assert process.exitcode == 0
    fresh = [text for drawn in found for text in drawn[:-1]]
    assert len(set(fresh)) == len(fresh) == 5
    assert len({drawn[-1] for drawn in found}) == 1


def test_with_a_seed_an_index_is_asked_for():
    pipeline = Compose([RandomFlip()], seed=0)
    message = "index must be given, as the pipeline has a seed"
    with pytest.raises(ValueError, match=message):
        pipeline.draw(SHAPE)
    with pytest.raises(ValueError, match=message):
        pipeline(image=np.zeros(SHAPE, np.float32))
    assert pipeline.draw(SHAPE, index=0).key == Key(seed=0, epoch=0, index=0)
