"""`RandomLowResolution` draws uniformly from its range and refuses wrong arguments."""

import numpy as np
import pytest

from support.bad_values import NO_NUMBERS
from support.draws import is_even
from support.volumes import drawn, random_volume
from volaug import Compose, RandomLowResolution
from volaug.transforms.low_resolution import LowResolution

SHAPE = (33, 41, 37)
NAN, INF = np.nan, np.inf


def scales(step, count=500, channels=1):
    """What a step draws for many samples."""
    pipeline = Compose([step], seed=3)
    records = (pipeline.draw(SHAPE, channels=channels, index=index) for index in range(count))
    return np.array([record.steps[0][1].resolution for record in records])


@pytest.mark.parametrize(
    ("given", "low", "high"), [((0.5, 1.0), 0.5, 1.0), (0.25, 0.25, 1.0), ((0.1, 0.3), 0.1, 0.3)]
)
def test_a_share_is_drawn_evenly(given, low, high):
    together = scales(RandomLowResolution(given, p=1))
    assert (together == together[:, :1]).all()
    assert is_even(together[:, 0], low, high)
    apart = scales(RandomLowResolution(given, isotropic=False, p=1))
    for axis in range(3):
        assert is_even(apart[:, axis], low, high)
    assert np.abs(np.corrcoef(apart.T) - np.eye(3)).max() < 0.2
    assert low <= min(together.min(), apart.min())
    assert max(together.max(), apart.max()) <= high


def test_each_axis_has_its_range():
    given = ((1, 1), (0.5, 1.0), 0.25)
    together = scales(RandomLowResolution(given, p=1))
    assert (together[:, 0] == 1).all()
    np.testing.assert_allclose((together[:, 1] - 0.5) / 0.5, (together[:, 2] - 0.25) / 0.75)
    assert is_even(together[:, 1], 0.5, 1.0)
    apart = scales(RandomLowResolution(given, isotropic=False, p=1))
    assert (apart[:, 0] == 1).all()
    assert is_even(apart[:, 2], 0.25, 1.0)
    assert abs(np.corrcoef(apart[:, 1], apart[:, 2])[0, 1]) < 0.2


def test_channels_apart():
    image = random_volume((600, 5, 7, 6))
    step = RandomLowResolution((0.3, 0.7), per_channel=True, p_channel=0.5, p=1)
    record = drawn([step], image.shape[1:], channels=600)
    drawn_scales = np.array(record.steps[0][1].resolution)
    assert drawn_scales.shape == (600, 3)
    left = (drawn_scales == 1).all(axis=1)
    assert 240 < left.sum() < 360
    assert len(np.unique(drawn_scales[~left, 0])) == (~left).sum()
    assert is_even(drawn_scales[~left, 0], 0.3, 0.7)
    result = record.apply(image=image)["image"]
    np.testing.assert_array_equal((result == image).all(axis=(1, 2, 3)), left)
    all_of_them = scales(RandomLowResolution((0.3, 0.7), per_channel=True, p=1), 1, channels=200)
    assert (all_of_them < 1).all()
    together = scales(RandomLowResolution((0.3, 0.7), p_channel=0.0, p=1), 5, channels=3)
    assert together.shape == (5, 3)
    assert (together < 1).all()


def test_drawn_for_fewer_channels_it_raises_before_any_work():
    out = np.full((3, *SHAPE), NAN, np.float32)
    record = drawn([RandomLowResolution(per_channel=True, p=1)], SHAPE, channels=2)
    message = "LowResolution was drawn for 2 channels, but 'image' has 3"
    with pytest.raises(ValueError, match=message):
        record.apply(image=random_volume((3, *SHAPE)), out={"image": out})
    assert np.isnan(out).all()


def test_wrong_shares_of_a_step():
    for value in ((0.001, 1), [0.3, 0.3], np.array([0.5, 1.0]), np.float32(0.5), 1, 0.001):
        RandomLowResolution(value)
    for value in NO_NUMBERS:
        for wrong in (value, (0.5, value), (value, 0.5, (0.5, 1))):
            with pytest.raises(TypeError, match="resolution must be a number, got "):
                RandomLowResolution(wrong)
    beyond = [NAN, INF, -INF, -1, 0, 0.0009, 1.001, 10**400, (0, 1), (0.5, 1.01), (NAN, 1)]
    for value in [*beyond, (0.5, (0.0, 1.0), 1)]:
        with pytest.raises(ValueError, match=r"resolution must be from 0.001 to 1, got "):
            RandomLowResolution(value)
    with pytest.raises(ValueError, match=r"resolution must be .*got \(1, 0.5\), which is reversed"):
        RandomLowResolution((1, 0.5))
    for value in ((), (1,), (1, 1, 1, 1), ((1, 1, 1), 1, 1)):
        with pytest.raises(
            ValueError, match=r"resolution must be a number.* pair \(low, high\).*got \("
        ):
            RandomLowResolution(value)


def test_wrong_shares_of_an_operation():
    for value in NO_NUMBERS:
        for wrong in (value, (1.0, value, 1.0), ((1, 1, 1), (1, 1, value))):
            with pytest.raises(
                TypeError,
                match=r"resolution (must be a number|by name must be one for each channel), got ",
            ):
                LowResolution(wrong)
    for value in (NAN, INF, 0, 1.01, -1, (1, 1, 2), ((1, 1, 1), (1, 0, 1))):
        with pytest.raises(ValueError, match=r"resolution must be from 0.001 to 1, got "):
            LowResolution(value)
    for value in ((), (1, 1), (1, 1, 1, 1), ((1, 1), (1, 1)), ((1, 1, 1), (1, 1)), ((), ())):
        with pytest.raises(
            ValueError, match="resolution must be a number, or one for each of three "
        ):
            LowResolution(value)
