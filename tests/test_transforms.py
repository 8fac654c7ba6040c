"""Transforms draw uniformly from their ranges and are applied with their probability."""

import itertools

import numpy as np
import pytest
import scipy.stats

from support.volumes import drawn, random_volume
from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
)

SHAPE, MANY = (20, 24, 28), 1000

# Of draws that are as they should be, so many fall below: never by chance, as keys are fixed.
UNLIKELY = 1e-4


def operations(transform, shape=SHAPE, count=MANY):
    """What the first step of many draws is, if there is one."""
    pipeline = Compose([transform], seed=11)
    steps = (pipeline.draw(shape, index=index).steps for index in range(count))
    return [step[0][1] for step in steps if step]


def is_even(values, low, high):
    """Whether values are uniform between two limits and come near to both."""
    return scipy.stats.kstest(values, "uniform", (low, high - low)).pvalue > UNLIKELY and (
        low <= np.min(values) < low + 0.01 * (high - low)
        and high - 0.01 * (high - low) < np.max(values) <= high
    )


def is_likely(times, p, count=MANY):
    """Whether something that happens with probability `p` may happen so many times."""
    return scipy.stats.binomtest(int(times), count, p).pvalue > UNLIKELY


STEPS = [
    (RandomTranslation, "translation", "translation"),
    (RandomRotation, "degrees", "degrees"),
    (RandomShear, "shear", "shear"),
    (RandomAffine, "translation", "translation"),
    (RandomAffine, "degrees", "degrees"),
    (RandomAffine, "shear", "shear"),
]


@pytest.mark.parametrize(("kind", "argument", "drawn_as"), STEPS)
@pytest.mark.parametrize(
    ("given", "limits"),
    [
        (3, [(-3, 3)] * 3),
        ((1, 4), [(1, 4)] * 3),
        ((-4.0, -1.0), [(-4, -1)] * 3),
        ((2.0, (-1, 5), 3), [(-2, 2), (-1, 5), (-3, 3)]),
        (np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.0]]), [(1, 2), (3, 4), (-1, 0)]),
        ([1, 2, 0], [(-1, 1), (-2, 2), (0, 0)]),
    ],
)
@pytest.mark.slow
def test_a_range_is_drawn_from_evenly(kind, argument, drawn_as, given, limits):
    """A number, a pair, or one of these for each axis, in any kind of list."""
    step = kind(**{argument: given}, p=1)
    values = np.array([getattr(o, drawn_as) for o in operations(step)])
    assert values.shape == (MANY, 3)
    for column, (low, high) in zip(values.T, limits, strict=True):
        assert is_even(column, low, high) if low < high else (column == low).all()
    moving = [column for column in values.T if np.ptp(column)]
    for one, other in itertools.pairwise(moving):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


def check_axes(apart, together, ranges):
    """Draws (N, 3) are uniform in the range of each axis: axes by themselves, or all alike."""
    ways = []
    for axis, (low, high) in enumerate(ranges):
        for values in (apart[:, axis], together[:, axis]):
            assert is_even(values, low, high) if low < high else (values == low).all()
        if low < high:
            ways.append((together[:, axis] - low) / (high - low))
    np.testing.assert_allclose(ways, ways[:1] * len(ways), atol=1e-12)
    assert abs(np.corrcoef(apart[:, 0], apart[:, 1])[0, 1]) < 0.1
    if len({tuple(pair) for pair in ranges}) == 1:
        assert (together[:, 0] == together[:, 1]).all()


@pytest.mark.parametrize("kind", [RandomScaling, RandomAffine])
@pytest.mark.parametrize(
    ("given", "limits"),
    [
        (0.25, [(0.8, 1.25)] * 3),
        ((0.5, 4), [(0.5, 4)] * 3),
        ((0.5, (1.5, 2.0), 0), [(1 / 1.5, 1.5), (1.5, 2), (1, 1)]),
    ],
)
@pytest.mark.slow
def test_a_scale_is_drawn_evenly_by_its_logarithm(kind, given, limits):
    """Halves are as likely as doubles; isotropic, all axes are equally far in their ranges."""
    apart = np.log([o.scale for o in operations(kind(scale=given, p=1))])
    together = np.log([o.scale for o in operations(kind(scale=given, isotropic=True, p=1))])
    check_axes(apart, together, np.log(limits))


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        (0.25, [(0.8, 1.25)] * 3),
        ((1 / 1.4, 1 / 0.7), [(1 / 1.4, 1 / 0.7)] * 3),  # nnU-Net's
        ((0.5, (1.5, 2.0), 0), [(1 / 1.5, 1.5), (1.5, 2), (1, 1)]),
    ],
)
@pytest.mark.slow
def test_a_scale_is_drawn_evenly_by_its_inverse(given, limits):
    """By how much of the picture is seen; isotropic, all axes are equally far in their ranges."""
    steps = [
        RandomScaling(given, isotropic=flag, distribution="inverse-uniform", p=1)
        for flag in (False, True)
    ]
    apart, together = (1 / np.array([o.scale for o in operations(step)]) for step in steps)
    ranges = 1 / np.array(limits)[:, ::-1]
    check_axes(apart, together, ranges)
    if len(set(limits)) == 1:
        # twice as many, as the two differ little
        step = RandomScaling(given, isotropic=True, p=1)
        by_logarithm = np.array([o.scale for o in operations(step, count=2 * MANY)])
        assert not is_even(1 / by_logarithm[:, 0], *ranges[0])


@pytest.mark.parametrize("isotropic", [False, True])
@pytest.mark.slow
def test_a_scale_is_drawn_evenly_as_it_is(isotropic):
    """As MONAI and TorchIO draw it."""
    step = RandomScaling((0.5, 2.0), isotropic=isotropic, distribution="uniform", p=1)
    scales = np.array([operation.scale for operation in operations(step)])
    assert all(is_even(along, 0.5, 2.0) for along in scales.T)
    assert (np.ptp(scales, axis=1) == 0).all() == isotropic


@pytest.mark.parametrize("word", ["log", "", "Inverse", None, True, 1, ("inverse",), b"inverse"])
def test_a_scale_is_drawn_evenly_in_nothing_else(word):
    with pytest.raises(ValueError, match=r"distribution must be one of 'uniform', .*, got "):
        RandomScaling(distribution=word)


@pytest.mark.parametrize("p", [0.0, 0.15, 0.5, 1.0])
@pytest.mark.parametrize(
    "kind",
    [
        RandomTranslation, RandomRotation, RandomScaling, RandomShear, RandomAffine, RandomElastic,
        RandomContrast,
    ],
)  # fmt: skip
@pytest.mark.slow
def test_a_step_is_taken_as_often_as_it_says(kind, p):
    assert is_likely(len(operations(kind(p=p))), p)
    if p == 0.5:
        assert is_likely(len(operations(kind())), kind().p)  # a default that is not 0.5


@pytest.mark.parametrize("kind", [CenterCrop, RandomCrop])
@pytest.mark.slow
def test_a_crop_is_taken_as_often_as_it_says(kind):
    assert len(operations(kind(8))) == MANY
    assert is_likely(len(operations(kind(8, p=0.3))), 0.3)


@pytest.mark.slow
def test_a_group_is_taken_as_often_as_it_says():
    pipeline = Compose(
        [
            Compose([RandomShear(p=1), Compose([RandomScaling(p=0.5)], p=0.5)], p=0.4),
            OneOf([RandomRotation(p=0), RandomTranslation(p=1)], weights=(3, 1), p=0.6),
        ],
        seed=3,
    )
    drawn_steps = [{name for name, _ in pipeline.draw(SHAPE, index=i).steps} for i in range(MANY)]
    often = {
        "RandomShear": 0.4,
        "RandomScaling": 0.4 * 0.5 * 0.5,
        "RandomRotation": 0.6 * 0.75,  # its own p is not asked
        "RandomTranslation": 0.6 * 0.25,
    }
    for name, p in often.items():
        assert is_likely(sum(name in steps for steps in drawn_steps), p)
    assert not any({"RandomRotation", "RandomTranslation"} <= steps for steps in drawn_steps)
    both = sum({"RandomShear", "RandomRotation"} <= steps for steps in drawn_steps)
    assert is_likely(both, 0.4 * 0.6 * 0.75)


@pytest.mark.slow
def test_one_of_several_is_picked_by_its_weight():
    steps = [RandomShear(), RandomRotation(), RandomFlip(p=1), RandomTranslation()]
    names = [type(step).__name__ for step in steps]
    for weights in (None, (1, 1, 1, 1), (5, 0, 2.5, 2.5), (0, 0, 0, 1e-9)):
        pipeline = Compose([OneOf(steps, weights)], seed=4)
        picked = [pipeline.draw(SHAPE, index=index).steps for index in range(MANY)]
        assert all(len(taken) == 1 for taken in picked)
        shares = np.array(weights or (1, 1, 1, 1)) / sum(weights or (1, 1, 1, 1))
        for name, share in zip(names, shares, strict=True):
            assert is_likely(sum(taken[0][0] == name for taken in picked), share)


@pytest.mark.parametrize(
    ("axes", "p"), [((0, 1, 2), 0.5), ((0, 2), 0.2), (1, 0.9), ((), 1.0), ([2, 0], 1.0), (0, 0.0)]
)
@pytest.mark.slow
def test_each_axis_is_flipped_for_itself(axes, p):
    flips = [flip.axes for flip in operations(RandomFlip(axes, p=p))]
    for axis in range(3):
        times = sum(axis in flip for flip in flips)
        assert is_likely(times, p) if axis in np.atleast_1d(axes) else times == 0
    some = [other for other in itertools.product(*[(False, True)] * 3) if any(other)]
    if p == 0.5:
        for mirrored in some:
            assert is_likely(flips.count(tuple(np.nonzero(mirrored)[0].tolist())), 1 / 8)
    assert () not in flips  # a flip of no axis is no step


@pytest.mark.slow
def test_each_place_of_a_crop_is_as_likely():
    crops = operations(RandomCrop((17, 24, 27)))
    starts = np.array([crop.start for crop in crops])
    assert all(crop.shape == (17, 24, 27) for crop in crops)
    for axis, places in enumerate((4, 1, 2)):
        counts = np.bincount(starts[:, axis], minlength=places)
        assert len(counts) == places
        for times in counts:
            assert is_likely(times, 1 / places)
    assert is_likely((starts == (3, 0, 1)).all(axis=1).sum(), 1 / 8)


def test_a_crop_within_a_crop():
    for index in range(20):
        record = drawn([RandomCrop(15), CenterCrop((10, 12, 9)), RandomCrop(9)], SHAPE, index)
        crops = [crop for _, crop in record.steps]
        assert crops[1].start == (2, 1, 3)
        assert (np.add(crops[2].start, 9) <= (10, 12, 9)).all()
        start = sum(np.array(crop.start) for crop in crops)
        volume = random_volume(SHAPE)
        window = tuple(slice(s, s + 9) for s in start)
        np.testing.assert_array_equal(record.apply(image=volume)["image"], volume[window])


def test_control_points_are_drawn_evenly():
    step = RandomElastic((2.0, 0.0, 5.0), num_control_points=(4, 5, 6), folding="allow", p=1)
    points = np.array([o.control_points for o in operations(step, count=100)])
    assert points.shape == (100, 3, 4, 5, 6)
    assert is_even(points[:, 0].ravel(), -2, 2)
    assert (points[:, 1] == 0).all()
    assert is_even(points[:, 2].ravel(), -5, 5)
    neighbors = np.corrcoef(points[:, 0, :-1].ravel(), points[:, 0, 1:].ravel())
    assert abs(neighbors[0, 1]) < 0.1
    single = RandomElastic(3.0, num_control_points=(1, 4, 4), folding="allow", p=1)
    for operation in operations(single, count=5):
        assert operation.control_points.shape == (3, 4, 4, 4)
        assert (np.ptp(operation.control_points, axis=1) == 0).all()


@pytest.mark.slow
def test_contrast_is_weaker_as_often_as_stronger():
    def factors(given):
        return np.array([o.factor for o in operations(RandomContrast(given, p=1))])

    values = factors((0.9, 2.0))
    assert is_likely((values < 1).sum(), 0.5)
    assert is_even(values[values < 1], 0.9, 1.0)
    assert is_even(values[values >= 1], 1.0, 2.0)
    assert is_even(factors((1.5, 2.0)), 1.5, 2.0)
    assert is_even(factors((0.5, 1.0)), 0.5, 1.0)
    values = factors(0.25)
    assert is_even(values[values < 1], 0.8, 1.0)
    assert is_even(values[values >= 1], 1.0, 1.25)
    for flag in (True, False):
        kept = operations(RandomContrast(preserve_range=flag, p=1), count=5)
        assert all(o.preserve_range is flag for o in kept)


HALF_WIDTHS = [
    (RandomScaling, "scale", True),
    (RandomAffine, "scale", True),
    (RandomContrast, "factor", False),
    (RandomBrightness, "factor", False),
    (RandomGamma, "gamma", False),
]


@pytest.mark.parametrize(("kind", "argument", "axes"), HALF_WIDTHS)
def test_half_a_width_of_a_factor_is_less_than_1(kind, argument, axes):
    """Who writes scale=1 means no scaling, and not 0.5 to 2."""
    for_axes = [(1, 1, 1), (0.5, 1.0, 0.5), ((1, 1), 0.2, 1.5)]
    for value in [1, 1.0, 1.2, 9, *for_axes * axes]:
        with pytest.raises(
            ValueError, match=f"{argument} must be less than 1 .* write 0 or .1, 1."
        ):
            kind(**{argument: value})
    for same in (0, (1, 1), 0.999):
        kind(**{argument: same})
