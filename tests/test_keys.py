"""Draws: the same for a key for good, independent of each other, and evenly spread."""

import hashlib
import itertools
import json
import math
import multiprocessing
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from volaug import (
    CenterCrop,
    Compose,
    LabelPyramid,
    MaskImage,
    OneOf,
    RandomAffine,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    RemapLabels,
)
from volaug.keys import Key, RandomStream
from volaug.pipeline.record import Record
from volaug.serialization import to_plain
from volaug.transforms.registry import OPERATIONS, TRANSFORMS

SHAPE = (21, 34, 27)
MANY = 10_000

GOLDEN = Path(__file__).parent / "golden" / "draws.json"
GOLDEN_KEYS = [
    (0, 0, 0),
    (7, 3, 17),
    (7, 17, 3),
    (2**64 - 1, 1, 2**53 + 1),
    (9**9, 0, 28),
    (9**9, 0, 46),
]
EVERYTHING = (
    RandomFlip(),
    RandomAffine(p=0.9),
    RandomAffine(scale=((0.5, 2), 0.25, (1, 3)), shear=(0.1, (0, 0.2), 0), isotropic=True, p=1),
    OneOf(
        [
            RandomTranslation((3, 9, (-1, 4)), name="a move"),
            Compose([RandomShear(0.3, p=0.8), RandomScaling(isotropic=True, p=1)], p=0),
            RandomFlip((0, 2), p=0.3),
        ],
        weights=(1, 2, 1.5),
        p=0.9,
    ),
    RandomElastic((3, 4, 5), num_control_points=(4, 5, 4), p=0.8),
    RandomContrast(p=0.7),
    Compose([RandomRotation((5, 180, (-20, -10)), p=1), RandomScaling(0.4, p=1)], p=0.8),
    RandomCrop((13, 20, 40), p=0.9),
    CenterCrop(12, p=0.5),
    RandomElastic(2.0, num_control_points=(5, 1, 5), locked_borders=2, folding="allow", p=0.9),
    RandomContrast((1.5, 3), preserve_range=False, p=1),
    RandomBrightness(std_shift=(-0.3, 0.2), per_channel=True, p=0.9),
    RandomGamma(p_inverted=0.5, p=0.9),
    RandomNoise(kind="rician", p=0.9),
    RandomBlur(per_channel=True, p_channel=0.7, p=0.9),
    RandomHistogramShift((-0.2, 0.5), p=0.9),
    RandomLowResolution(((0.5, 1), 0.25, (1, 1)), isotropic=False, p=0.9),
    RandomBiasField((0.1, 0.5), num_control_points=(4, 5, 4), per_channel=True, p=0.7),
    RandomScaling((0.7, 1.4), distribution="inverse-uniform", p=0.9),
    MaskImage(value=-1.5, channels=(0, 2), p=0.5),
    RemapLabels(-1, new=0, p=0.5),
    LabelPyramid([1, (0.5, 1, 1 / 3)], p=0.5),  # it must be the last
)


def golden_draws():
    """What the steps of everything draw for each key."""
    draws = []
    for seed, epoch, index in GOLDEN_KEYS:
        record = Compose(EVERYTHING, seed=seed).draw(SHAPE, epoch=epoch, index=index).to_dict()
        draws.append({"key": record["key"], "steps": record["steps"]})
    return draws


def write_golden_draws():
    """By hand, for a new transform: `python tests/test_keys.py`. What was there must stay."""
    lines = ",\n".join(map(json.dumps, golden_draws()))
    GOLDEN.write_text(f"[\n{lines}\n]\n")


# What is drawn by a power or a logarithm.
ROUNDED = {"BiasField": "control_points", "LowResolution": "resolution"}


def test_draws_are_those_of_the_golden_file():
    """To the bit, but where a power or a logarithm was taken: libraries differ in its last one."""
    expected, found = json.loads(GOLDEN.read_text()), golden_draws()
    assert [draw["key"] for draw in found] == [draw["key"] for draw in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for step, golden in zip(ours["steps"], theirs["steps"], strict=True):
            name = ROUNDED.get(golden["type"], "scale")
            rounded = step.pop(name, ()), golden.pop(name, ())
            np.testing.assert_allclose(*map(np.array, rounded), rtol=1e-15, strict=True)
            assert step == golden


def test_the_golden_file_has_everything():
    def kinds(transforms):
        for transform in transforms:
            yield type(transform).__name__
            yield from kinds(getattr(transform, "transforms", ()))

    assert set(kinds(EVERYTHING)) == {*TRANSFORMS, "Compose"}
    steps = [step for draw in json.loads(GOLDEN.read_text()) for step in draw["steps"]]
    assert {step["type"] for step in steps} == set(OPERATIONS)
    assert len({step["name"] for step in steps}) == 26  # of all but the groups


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


def test_what_a_pipeline_draws_is_spread_evenly():
    pipeline = Compose([RandomRotation((10, (0, 5), 90), p=0.3)], seed=9)
    records = [pipeline.draw(SHAPE, index=index) for index in range(MANY // 4)]
    angles = [record.steps[0][1].degrees for record in records if record.steps]
    assert scipy.stats.binomtest(len(angles), len(records), 0.3).pvalue > 0.01
    for column, low, width in zip(np.transpose(angles), (-10, 0, -90), (20, 5, 180), strict=True):
        assert scipy.stats.kstest(column, "uniform", (low, width)).pvalue > 0.01


# One of each type; what is within a group is named, so as not to count among its type.
EXAMPLES = {
    type(example).__name__: example
    for example in (
        RandomFlip(),
        RandomTranslation(p=1),
        RandomRotation(p=1),
        RandomScaling(p=1),
        RandomShear(p=1),
        RandomAffine(p=1),
        RandomElastic(p=1, num_control_points=4),
        RandomContrast(p=1),
        RandomBrightness(p=1),
        RandomGamma(p=1),
        RandomNoise(p=1),
        RandomBlur(p=1),
        OneOf([RandomFlip(name="one"), RandomShear(name="two"), RandomScaling(name="three")]),
        Compose([RandomAffine(p=1, name="four"), RandomFlip(name="five")]),
        RandomCrop(9),
        CenterCrop(13),
        RandomHistogramShift(p=1),
        RandomLowResolution(p=1),
        RandomBiasField(p=1),
        MaskImage(),
        RemapLabels(-1, new=0),
        LabelPyramid([1, 0.5]),
    )
}
CROPS = ("RandomCrop", "CenterCrop")


def draws(transforms, index=5):
    """What each step draws, by its name."""
    record = Compose(list(transforms), seed=11).draw((31, 32, 33), index=index)
    return {name: to_plain(operation) for name, operation in record.steps}


def all_but(kind):
    """One of each other type; and one crop at most, as a crop's room is what others leave.

    A pyramid is the last of them.
    """
    left_out = CROPS if kind in CROPS else (kind, "CenterCrop")
    return [example for name, example in EXAMPLES.items() if name not in left_out]


def with_another(steps, added):
    """The steps with another one among them, at each place where it may be."""
    last = len(steps)
    ends = isinstance(steps[-1], LabelPyramid)
    for place in [last] if isinstance(added, LabelPyramid) else range(last + 1 - ends):
        yield [*steps[:place], added, *steps[place:]]


def test_there_is_an_example_of_each_type():
    assert set(EXAMPLES) == {*TRANSFORMS, "Compose"}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_another_step_leaves_the_draws_of_all_others_alone(kind):
    """Wherever it is put, so wherever it is taken away; whether or not it happens."""
    others = all_but(kind)
    expected = draws(others)
    assert len(expected) >= 19
    for added in (EXAMPLES[kind], replace(EXAMPLES[kind], p=0.0)):
        for steps in with_another(others, added):
            assert draws(steps).items() >= expected.items()


@pytest.mark.parametrize("kind", [name for name in EXAMPLES if name != "LabelPyramid"])
def test_a_step_of_the_same_type_leaves_them_alone_if_it_is_named_or_comes_later(kind):
    *others, pyramid = all_but(kind)
    steps = [*others, EXAMPLES[kind]]
    if kind in CROPS:
        steps.append(RandomFlip(name="after the crop"))
    expected = draws([*steps, pyramid])
    added = EXAMPLES[kind]
    if hasattr(added, "transforms"):
        added = replace(added, transforms=[RandomShear(name="within", p=1)])
    assert draws([*steps, added, pyramid]).items() >= expected.items()
    if kind not in CROPS:
        named = replace(added, name="another one")
        for with_named in with_another([*steps, pyramid], named):
            assert draws(with_named).items() >= expected.items()


def test_a_second_one_of_a_type_draws_other_numbers():
    drawn = draws([RandomAffine(p=1), RandomAffine(p=1), RandomAffine(p=1, name="third")])
    assert list(drawn) == ["RandomAffine", "RandomAffine 2", "third"]
    assert len({str(operation) for operation in drawn.values()}) == 3


def test_the_order_of_steps_of_other_types_does_not_matter():
    *steps, pyramid = all_but("CenterCrop")
    expected = draws([*steps, pyramid])
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(steps))
        assert draws([*(steps[place] for place in order), pyramid]) == expected


def test_a_group_around_steps_leaves_their_draws_alone():
    steps = all_but("CenterCrop")
    assert draws([*steps[:2], Compose(steps[2:-2], p=1), *steps[-2:]]) == draws(steps)


@pytest.mark.parametrize(
    ("kind", "part", "narrow", "wide", "even"),
    [
        (RandomTranslation, "translation", (-1, 3), (5, 100), np.asarray),
        (RandomRotation, "degrees", (-1, 0.5), (-180, 180), np.asarray),
        (RandomShear, "shear", (0, 0.1), (-1, 2), np.asarray),
        (RandomScaling, "scale", (0.9, 1.3), (0.2, 5), np.log),
        (RandomContrast, "factor", (1, 2), (1.5, 9), np.asarray),
        (RandomLowResolution, "resolution", (0.6, 0.8), (0.1, 1), np.asarray),
    ],
)
def test_another_range_or_p_has_the_same_numbers_behind_it(kind, part, narrow, wide, even):
    """It lies as far along the way from the lower to the upper end."""
    found = []
    for ends, p in ((narrow, 1.0), (wide, 0.999)):
        drawn = draws([kind(ends, p=p)])[kind.__name__][part]
        low, high = even(ends)
        found.append((even(drawn) - low) / (high - low))
    np.testing.assert_allclose(*found, atol=1e-12)
    assert np.min(found) > 0.01
    assert np.max(found) < 0.99


def test_other_settings_have_the_same_numbers_behind_them():
    def drawn(step, part):
        return np.array(draws([step])[type(step).__name__][part])

    small = drawn(RandomElastic(1, num_control_points=5, p=1), "control_points")
    large = drawn(RandomElastic((2, 3, 4), num_control_points=5, p=1), "control_points")
    np.testing.assert_allclose(large, small * np.reshape((2, 3, 4), (3, 1, 1, 1)), rtol=1e-15)
    locked = drawn(RandomElastic(1, num_control_points=5, locked_borders=1, p=1), "control_points")
    inner = (slice(None), *[slice(1, -1)] * 3)
    np.testing.assert_array_equal(locked[inner], small[inner])

    each, together = (drawn(RandomScaling(isotropic=flag, p=1), "scale") for flag in (False, True))
    assert len(set(each)) == 3
    np.testing.assert_array_equal(together, each[0])

    def flipped(step, index):
        return [axis for drawn in draws([step], index).values() for axis in drawn["axes"]]

    for index in range(20):
        every = flipped(RandomFlip(), index)
        assert flipped(RandomFlip((0, 2)), index) == [axis for axis in every if axis != 1]
        assert set(every) <= set(flipped(RandomFlip(p=0.6), index))

    start = drawn(RandomCrop((9, 9, 9)), "start")
    assert drawn(RandomCrop((20, 9, 9)), "start")[1:].tolist() == start[1:].tolist()
    assert drawn(RandomCrop((40, 9, 9)), "start")[1:].tolist() == start[1:].tolist()


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


if __name__ == "__main__":
    write_golden_draws()
