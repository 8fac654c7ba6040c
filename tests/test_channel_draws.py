"""One draw for all channels of an image, or one for each."""

import itertools
import pickle

import numpy as np
import pytest

from support.intensity import SHAPE, image_of
from support.volumes import drawn
from volaug import (
    Compose,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
    Record,
)


def test_channels_apart_and_together():
    image = np.stack([image_of(np.float32)] * 3)
    apart = [RandomGamma(per_channel=True, p=1)]
    result = drawn(apart, SHAPE, channels=3).apply(image=image)["image"]
    assert not np.array_equal(result[0], result[1])
    one = drawn(apart, SHAPE)
    np.testing.assert_array_equal(one.apply(image=image[:1])["image"], result[:1])
    out = {"image": np.full_like(image, np.nan)}
    with pytest.raises(ValueError, match="Gamma was drawn for 1 channels, but 'image' has 3: "):
        one.apply(image=image, out=out)
    assert np.isnan(out["image"]).all()
    for step in (RandomGamma(p=1), RandomBrightness(std_shift=0.5, p=1), RandomContrast(p=1)):
        result = drawn([step], SHAPE).apply(image=image)["image"]
        np.testing.assert_array_equal(result[0], result[1])
    result = drawn([RandomNoise(p=1)], SHAPE).apply(image=image)["image"]
    assert not np.array_equal(result[0], result[1])


def test_a_call_draws_for_the_channels_that_there_are():
    image = np.stack([image_of(np.float32)] * 2)
    pipeline = Compose([RandomBrightness(per_channel=True, p=1)], seed=1, targets={"t2": "image"})
    record = pipeline(image=image[0], t2=image, label=image[0].astype(np.int16), index=0).record
    assert len(record.steps[0][1].factor) == 2


STEPS_APART = [
    RandomContrast(per_channel=True, p=1),
    RandomBrightness(std_shift=0.5, per_channel=True, p=1),
    RandomGamma(per_channel=True, p=1),
    RandomHistogramShift(per_channel=True, p=1),
    RandomNoise(per_channel=True, p=1),
    RandomBlur(per_channel=True, p=1),
    RandomLowResolution(per_channel=True, p=1),
    RandomBiasField(per_channel=True, p=1),
]
NAMED = {"targets": {"t1": "image", "flair": "image"}, "seed": 4}


@pytest.mark.parametrize("step", STEPS_APART, ids=lambda step: type(step).__name__)
def test_each_channel_of_each_named_image_has_its_own_draw(step):
    image = image_of(np.float32)
    pipeline = Compose([step], **NAMED)
    both = pipeline(t1=image, flair=np.stack([image, image]), index=0)
    changes = [both["t1"], *both["flair"]]
    for a, b in itertools.combinations(changes, 2):
        assert not np.array_equal(a, b)
    # whatever other images there are
    for others in ({}, {"flair": image}, {"image": image}):
        alone = pipeline(t1=image, **others, index=0)
        np.testing.assert_array_equal(alone["t1"], both["t1"])
    record = both.record
    again = Record.from_json(record.to_json())
    assert again == record
    assert pickle.loads(pickle.dumps(record)) == record
    np.testing.assert_array_equal(again.apply(t1=image)["t1"], both["t1"])
    with pytest.raises(ValueError, match="drawn for 1 channels, but 't1' has 2: draw with"):
        record.apply(t1=np.stack([image, image]))
    with pytest.raises(ValueError, match="drawn for 't1', 'flair' and not for 'image': draw with"):
        record.apply(image=image)


@pytest.mark.parametrize("step", STEPS_APART, ids=lambda step: type(step).__name__)
def test_the_image_alone_is_drawn_as_ever(step):
    pipeline = Compose([step], **NAMED)
    record = pipeline.draw(SHAPE, index=0, channels=3)
    assert record == pipeline.draw(SHAPE, index=0, channels={"image": 3})
    image = np.stack([image_of(np.float32)] * 3)
    result = record.apply(image=image)["image"]
    np.testing.assert_array_equal(pipeline(image=image, index=0)["image"], result)
    other = pipeline(image=image, t1=image, index=0)["image"]
    np.testing.assert_array_equal(other, result)


@pytest.mark.parametrize(
    ("channels", "error", "message"),
    [
        ({"t2": 1}, ValueError, "unknown image of channels 't2'; .*'t1', 'flair'"),
        ({"label": 1}, ValueError, "unknown image of channels 'label'"),
        ({"t1": 0}, ValueError, "channels of 't1' must be from 1 to 65536, got 0"),
        ({"t1": "1"}, TypeError, "channels of 't1' must be a whole number, got '1'"),
        ({}, ValueError, "channels must name an image, or be one number"),
        (0, ValueError, "channels must be from 1 to 65536, got 0"),
    ],
)
def test_channels_by_name_are_checked(channels, error, message):
    with pytest.raises(error, match=message):
        Compose([], **NAMED).draw(SHAPE, index=0, channels=channels)
