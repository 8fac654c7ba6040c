"""`RandomBiasField` draws uniformly from its range and refuses wrong arguments."""

import math
import pickle

import numpy as np
import pytest

from support.bad_values import NO_NUMBERS
from support.draws import is_even
from support.volumes import drawn, random_volume
from volaug import Compose, RandomBiasField, Record

SHAPE = (33, 41, 37)
NAN, INF = np.nan, np.inf


def fields(step, count=300, channels=1):
    """The control points that a step draws for many samples."""
    pipeline = Compose([step], seed=3)
    records = (pipeline.draw(SHAPE, channels=channels, index=index) for index in range(count))
    return np.array([record.steps[0][1].control_points for record in records])


def test_control_points_are_drawn_evenly():
    most = math.log(1.5)
    points = fields(RandomBiasField((0.5, 0.5), num_control_points=(4, 5, 6), p=1), 50)
    assert points.shape == (50, 4, 5, 6)
    assert is_even(points.ravel(), -most, most)
    assert np.abs(points).max() <= most
    neighbors = np.corrcoef(points[:, 1:].ravel(), points[:, :-1].ravel())
    assert abs(neighbors[0, 1]) < 0.1


@pytest.mark.parametrize(("given", "low", "high"), [(0.4, 0, 0.4), ((0.3, 2.0), 0.3, 2.0)])
def test_a_strength_is_drawn_evenly(given, low, high):
    """It is nearly what the largest of very many control points is."""
    points = fields(RandomBiasField(given, num_control_points=12, p=1))
    strengths = np.expm1(np.abs(points).max(axis=(1, 2, 3)))
    assert strengths.max() <= high
    assert is_even(strengths, low, high)


@pytest.mark.parametrize("strength", [0.2, 0.5, 5.0])
def test_factors_are_within_the_strength(strength):
    step = RandomBiasField((strength, strength), num_control_points=5, p=1)
    ones = np.ones((19, 23, 21), np.float64)
    least, greatest = [], []
    for index in range(30):
        field = drawn([step], ones.shape, index).apply(image=ones)["image"]
        least.append(field.min())
        greatest.append(field.max())
    rounding = 1 + 1e-6
    assert 1 / (1 + strength) / rounding <= min(least) < 1 / (1 + strength) ** 0.4
    assert (1 + strength) * rounding >= max(greatest) > (1 + strength) ** 0.4


def test_no_strength_is_no_field():
    image = random_volume((2, *SHAPE))
    result = drawn([RandomBiasField(0, per_channel=True, p=1)], SHAPE, channels=2).apply(
        image=image
    )
    np.testing.assert_array_equal(result["image"], image)


def test_one_lattice_for_all_axes_or_one_for_each():
    assert fields(RandomBiasField(p=1), 1).shape == (1, 4, 4, 4)
    assert fields(RandomBiasField(num_control_points=6, p=1), 1).shape == (1, 6, 6, 6)
    assert fields(RandomBiasField(num_control_points=[4, 67, 5], p=1), 1).shape == (1, 4, 67, 5)
    assert fields(RandomBiasField(num_control_points=np.array([7, 4, 5]), p=1), 1).shape[1:] == (
        (7, 4, 5)
    )


def test_channels_are_drawn_for_apart_and_together():
    apart = fields(
        RandomBiasField(0.5, num_control_points=(4, 5, 6), per_channel=True, p=1), 40, channels=3
    )
    assert apart.shape == (40, 3, 4, 5, 6)
    flat = np.moveaxis(apart, 1, 0).reshape(3, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.1
    most = np.abs(apart).max(axis=(2, 3, 4))
    assert np.abs(np.corrcoef(most.T) - np.eye(3)).max() < 0.6  # each has its strength
    image = np.ones((3, *SHAPE), np.float32)
    together = drawn([RandomBiasField(0.5, p=1)], SHAPE, channels=3).apply(image=image)["image"]
    np.testing.assert_array_equal(together[0], together[1])
    np.testing.assert_array_equal(together[0], together[2])
    single = fields(RandomBiasField(0.5, num_control_points=(4, 5, 6), per_channel=True, p=1), 40)
    np.testing.assert_array_equal(single[:, 0], apart[:, 0])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("apart", [False, True])
def test_a_record_keeps_every_bit(apart, channels):
    step = RandomBiasField(num_control_points=(4, 6, 5), per_channel=apart, p=1)
    record = drawn([step], SHAPE, channels=channels)
    points = np.asarray(record.steps[0][1].control_points)
    assert points.shape == ((channels,) if apart else ()) + (4, 6, 5)
    image = random_volume((channels, *SHAPE))
    expected = record.apply(image=image)["image"]
    for again in (
        Record.from_json(record.to_json()),
        Record.from_dict(record.to_dict()),
        pickle.loads(pickle.dumps(record)),
    ):
        assert again == record
        found = np.asarray(again.steps[0][1].control_points)
        np.testing.assert_array_equal(found, points, strict=True)
        np.testing.assert_array_equal(again.apply(image=image)["image"], expected)


def test_wrong_strengths_of_a_step():
    for value in ((0, 100), [0.3, 0.3], np.array([0.5, 1.0]), np.float32(0.5), 0, 100):
        RandomBiasField(value)
    for value in NO_NUMBERS:
        for wrong in (value, (0.5, value)):
            with pytest.raises(TypeError, match="strength must be a number, got "):
                RandomBiasField(wrong)
    for value in (NAN, INF, -INF, -1, 100.1, 10**400, (-0.1, 1), (0.5, 101), (NAN, 1), (0, INF)):
        with pytest.raises(ValueError, match="strength must be from 0 to 100, got "):
            RandomBiasField(value)
    with pytest.raises(ValueError, match=r"strength must be .*, got \(1, 0.5\), which is reversed"):
        RandomBiasField((1, 0.5))
    for value in ((), (1,), (1, 1, 1)):
        with pytest.raises(ValueError, match=r"strength must be a number or a pair .*, got \("):
            RandomBiasField(value)


def test_wrong_control_points_of_a_step():
    for value in (3, 0, -4, 68, (4, 3, 4), (4, 4, 68), 2**70):
        with pytest.raises(ValueError, match="control_points must be from 4 to 67, got "):
            RandomBiasField(num_control_points=value)
    for value in ((), (4,), (4, 4), (4, 4, 4, 4)):
        with pytest.raises(ValueError, match=r"control_points must be one or three, got \("):
            RandomBiasField(num_control_points=value)
    for value in [*NO_NUMBERS, 4.0, NAN, INF, ((4, 4, 4),)]:
        for wrong in (value, (4, value, 4)):
            with pytest.raises(TypeError, match="control_points must be a whole number, got "):
                RandomBiasField(num_control_points=wrong)
