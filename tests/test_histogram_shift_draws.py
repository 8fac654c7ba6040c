"""`RandomHistogramShift` draws uniformly from its range and refuses wrong arguments."""

import itertools

import numpy as np
import pytest

from support.bad_values import NO_NUMBERS
from support.draws import is_even
from volaug import Compose, RandomHistogramShift

SHAPE = (33, 41, 37)  # more than one block of voxels, and not a whole number of them
NAN, INF = np.nan, np.inf


def levels_of(step, count=400, channels=1):
    """What a step draws for many samples."""
    pipeline = Compose([step], seed=3)
    records = (pipeline.draw(SHAPE, channels=channels, index=index) for index in range(count))
    return np.array([record.steps[0][1].levels for record in records])


@pytest.mark.parametrize(
    ("given", "low", "high"), [(0.4, -0.4, 0.4), (0.5, -0.5, 0.5), ((-0.1, 0.3), -0.1, 0.3)]
)
@pytest.mark.parametrize("count", [3, 6, 11])
def test_each_level_is_drawn_evenly_around_its_place(count, given, low, high):
    levels = levels_of(RandomHistogramShift(given, num_control_points=count, p=1))
    assert levels.shape == (400, count)
    assert (levels[:, 0] == 0).all()
    assert (levels[:, -1] == 1).all()
    assert (np.diff(levels) >= 0).all()
    shifts = levels[:, 1:-1] * (count - 1) - np.arange(1, count - 1)
    assert (shifts >= low - 1e-12).all()
    assert (shifts <= high + 1e-12).all()
    for column in shifts.T:
        assert is_even(column, low, high)
    for one, other in itertools.pairwise(shifts.T):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.2


def test_wrong_shifts_of_a_step():
    for value in ((-0.5, 0.5), [0.3, 0.3], np.array([0.1, 0.2]), np.float32(0.5), 0, 0.5):
        RandomHistogramShift(value)
    for value in NO_NUMBERS:
        for wrong in (value, (0.1, value)):
            with pytest.raises(TypeError, match="shift must be a number, got "):
                RandomHistogramShift(wrong)
    for value in (NAN, INF, -INF, -0.1, 0.51, 10**400):
        with pytest.raises(ValueError, match=r"shift must be from 0 to 0.5, got "):
            RandomHistogramShift(value)
    for value in ((-0.51, 0.1), (0.1, 0.51), (NAN, 0.1), (0, INF)):
        with pytest.raises(ValueError, match=r"shift must be from -0.5 to 0.5, got "):
            RandomHistogramShift(value)
    with pytest.raises(ValueError, match=r"shift must be .*, got \(0.2, 0.1\), which is reversed"):
        RandomHistogramShift((0.2, 0.1))
    for value in ((), (0.1,), (0.1, 0.1, 0.1)):
        with pytest.raises(ValueError, match=r"shift must be a number or a pair .*, got \("):
            RandomHistogramShift(value)


def test_wrong_control_points_of_a_step():
    for value in (2, 0, -1, 257, 2**70):
        with pytest.raises(ValueError, match="control_points must be from 3 to 256, got "):
            RandomHistogramShift(num_control_points=value)
    for value in [*NO_NUMBERS, 5.0, NAN, INF, (5, 5), (5,)]:
        with pytest.raises(TypeError, match="control_points must be a whole number, got "):
            RandomHistogramShift(num_control_points=value)
