"""Test-time augmentation: the mean of predictions that are brought back."""

import tracemalloc

import numpy as np
import pytest

from support.volumes import blob, random_volume
from volaug import (
    CenterCrop,
    Compose,
    RandomAffine,
    RandomElastic,
    RandomFlip,
    RandomNoise,
    RandomTranslation,
    average_predictions,
)

SHAPE = (24, 26, 28)


def two_classes(image):
    return np.stack([image, 1 - image])


def test_exact_draws_give_the_prediction_itself():
    image = random_volume(SHAPE)
    mean = average_predictions(Compose([RandomFlip()], seed=0), two_classes, image, draws=5)
    np.testing.assert_allclose(mean, two_classes(image), atol=1e-6)
    assert mean.dtype == np.float32


def test_smooth_probabilities_come_back_within_a_thousandth():
    shape = (64, 60, 56)
    image = blob(shape, (32, 30, 28), 30)
    steps = [RandomAffine(translation=2, p=1), RandomElastic(2.0, p=1), RandomFlip()]
    seen = np.ones(shape, bool)
    pipeline = Compose(steps, seed=0)
    for occurrence in range(8):
        seen &= pipeline.draw(shape, index=3, occurrence=occurrence).seen()
    mean = average_predictions(pipeline, two_classes, image, original=False, index=3)
    assert seen.mean() > 0.3
    assert np.abs(mean - two_classes(image))[:, seen].max() < 1e-3


def test_the_mean_is_over_the_draws_that_show_a_voxel():
    steps = [RandomTranslation(((8, 8), 0, 0), p=1)]
    image = np.ones(SHAPE, np.float32)
    for original, hidden in ((True, 1.0), (False, np.nan)):
        mean = average_predictions(
            Compose(steps, seed=0), lambda x: x, image, draws=2, original=original
        )
        np.testing.assert_array_equal(mean[-8:], np.full_like(mean[-8:], hidden))
        np.testing.assert_allclose(mean[:-8], 1.0, atol=1e-6)


def test_a_draw_is_that_of_its_key():
    image, seen = random_volume((2, *SHAPE)), []
    pipeline = Compose([RandomNoise(per_channel=True, p=1), CenterCrop(20)], seed=7)
    options = {"draws": 2, "original": False, "epoch": 1, "index": 4, "spacing": (1, 2, 3)}
    average_predictions(pipeline, lambda x: seen.append(x) or x[0], image, **options)
    for occurrence, given in enumerate(seen):
        key = {"epoch": 1, "index": 4, "occurrence": occurrence}
        expected = pipeline(image=image, spacing=(1, 2, 3), **key)["image"]
        np.testing.assert_array_equal(given, expected)


def test_two_volumes_of_all_channels_are_enough():
    shape, classes = (40, 40, 40), 25
    image = random_volume(shape)
    pipeline = Compose([RandomAffine(p=1), RandomFlip()], seed=0)

    def predict(given):
        return np.repeat(given[np.newaxis], classes, 0)

    average_predictions(pipeline, predict, image, draws=1)  # kernels are loaded
    tracemalloc.start()
    average_predictions(pipeline, predict, image, draws=8, threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.3 * classes * image.nbytes  # and a few single channels


def predicting(result):
    return {"predict": lambda image: result}


WRONG = [
    ({"pipeline": [RandomFlip()]}, TypeError, "pipeline must be a Compose"),
    ({"predict": 5}, TypeError, "predict must be a function, got 5"),
    ({"draws": 0}, ValueError, "draws must be from 1"),
    ({"image": np.zeros(5)}, ValueError, "image must"),
    (predicting(np.zeros(SHAPE, np.int64)), TypeError, "must return probabilities, as floats, got"),
    (
        predicting(np.zeros((*SHAPE, 2))),
        ValueError,
        r"the shape \(24, 26, 28\), or \(K, 24, 26, 28\) for K classes, got \(24, 26, 28, 2\)",
    ),
    ({"original": "no"}, TypeError, "original must be True or False, got 'no'"),
    (predicting(None), TypeError, "the prediction must be an array, got None"),
]


@pytest.mark.parametrize(("change", "error", "message"), WRONG)
def test_what_cannot_be_averaged(change, error, message):
    given = {"pipeline": Compose([RandomFlip()], seed=0), "predict": two_classes}
    given |= {"image": random_volume(SHAPE)} | change
    with pytest.raises(error, match=message):
        average_predictions(**given)


def test_predictions_have_as_many_channels_each_time():
    counts = iter((2, 3))

    def predict(image):
        return np.zeros((next(counts), *image.shape), np.float32)

    with pytest.raises(ValueError, match=r"must return the shape \(2, 24, 26, 28\), got \(3"):
        average_predictions(Compose([], seed=0), predict, random_volume(SHAPE))


def test_the_image_is_not_changed_by_a_prediction_in_place():
    image = random_volume(SHAPE)
    before = image.copy()

    def predict(given):
        given += 1
        return given

    average_predictions(Compose([RandomFlip()], seed=0), predict, image, draws=2)
    np.testing.assert_array_equal(image, before)
