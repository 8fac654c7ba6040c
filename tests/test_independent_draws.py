"""What a step draws does not depend on the steps around it, nor on its range."""

from dataclasses import replace

import numpy as np
import pytest

from volaug import (
    CenterCrop,
    Compose,
    LabelPyramid,
    MaskImage,
    Normalize,
    OneOf,
    RandomAffine,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomCubeSymmetry,
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
from volaug.serialization import to_plain
from volaug.transforms.registry import TRANSFORMS

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
        RandomCubeSymmetry(p=1),
        Normalize(),
        MaskImage(),
        RemapLabels(-1, new=0),
        LabelPyramid([1, 0.5]),
    )
}
CROPS = ("RandomCrop", "CenterCrop")
BY_SHAPE = "RandomCubeSymmetry"  # whose symmetries are those of the shape


def draws(transforms, index=5):
    """What each step draws, by its name."""
    record = Compose(list(transforms), seed=11).draw((31, 32, 33), index=index)
    return {name: to_plain(operation) for name, operation in record.steps}


def all_but(kind):
    """One of each other type; and one crop at most, as a crop's room is what others leave.

    A pyramid is the last of them.
    """
    left_out = (*CROPS, BY_SHAPE) if kind in CROPS else (kind, "CenterCrop")
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
@pytest.mark.slow
def test_another_step_leaves_the_draws_of_all_others_alone(kind):
    """Wherever it is put, so wherever it is taken away; whether or not it happens."""
    others = all_but(kind)
    expected = draws(others)
    assert len(expected) >= 19
    for added in (EXAMPLES[kind], replace(EXAMPLES[kind], p=0.0)):
        for steps in with_another(others, added):
            assert draws(steps).items() >= expected.items()


@pytest.mark.parametrize("kind", [name for name in EXAMPLES if name != "LabelPyramid"])
@pytest.mark.slow
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
