"""Steps within a mask: its voxels change as if they were all there is, and no other voxel does."""

import numpy as np
import pytest

from support.volumes import drawn
from volaug import (
    Compose,
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    RandomGamma,
    RandomNoise,
    Record,
    Stream,
)
from volaug.checks import DTYPES
from volaug.transforms.brightness import Brightness
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.noise import Noise
from volaug.transforms.per_channel import ChannelId

SHAPE = (37, 41, 43)  # more than one block of voxels
HERE = ChannelId("image", 0)
CHANGES = {
    "contrast": Contrast(1.7),
    "contrast beyond the range": Contrast(1.7, preserve_range=False),
    "brightness": Brightness(1.2, 0.5),
    "gamma": Gamma(0.6),
    "gamma of a high power": Gamma(5.0, inverted=True),
    "gamma alone": Gamma(1.4, retain_statistics=False),
}
STEPS = {
    "contrast": RandomContrast((1.5, 1.5), mask="brain", p=1),
    "brightness": RandomBrightness((1.2, 1.2), std_shift=(0.3, 0.3), mask="brain", p=1),
    "gamma": RandomGamma((1.5, 1.5), mask="brain", p=1),
    "noise": RandomNoise((0.2, 0.2), mask="brain", p=1),
    "rician noise": RandomNoise((0.2, 0.2), kind="rician", mask="brain", p=1),
}


def head(dtype="float32"):
    """Voxels of a ball, whose values differ from those around it; and the mask of the ball."""
    rng = np.random.default_rng(3)
    axes = np.ogrid[tuple(slice(-1, 1, 1j * n) for n in SHAPE)]
    brain = sum(axis**2 for axis in axes) < rng.normal(0.7, 0.05, SHAPE)
    image = np.where(brain, rng.normal(60, 15, SHAPE), rng.normal(5, 2, SHAPE))
    return np.clip(image, 0, 120).astype(dtype), brain


def order(array, how):
    """The same array in another order of memory."""
    if how == "F":
        return np.asfortranarray(array)
    if how == "gaps":
        wide = np.zeros((*array.shape[:2], 2 * array.shape[2]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    return array.copy()


@pytest.mark.parametrize("layout", ["C", "F", "gaps"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_the_mask_is_changed_as_if_it_were_all(name, threads, layout):
    image, brain = head()
    changed = order(image, layout)
    CHANGES[name].change_inside(changed, HERE, threads, brain)
    alone = image[brain].reshape(-1, 1, 1)
    CHANGES[name].change(alone, HERE, 1)
    np.testing.assert_allclose(changed[brain], alone.ravel(), rtol=2e-6, atol=2e-5)
    np.testing.assert_array_equal(changed[~brain], image[~brain])


@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.parametrize("name", CHANGES)
def test_every_dtype(name, dtype):
    image, brain = head(dtype)
    changed = image.copy()
    CHANGES[name].change_inside(changed, HERE, 1, brain)
    alone = image[brain].reshape(-1, 1, 1)
    CHANGES[name].change(alone, HERE, 1)
    step = {"float16": 0.07, "float32": 3e-5, "float64": 2e-5}.get(dtype, 1)
    assert np.abs(changed[brain].astype(float) - alone.ravel()).max() <= step
    np.testing.assert_array_equal(changed[~brain], image[~brain])
    assert (changed[brain] != image[brain]).mean() > 0.5


@pytest.mark.parametrize("kind", ["gaussian", "rician"])
@pytest.mark.parametrize("layout", ["C", "F", "gaps"])
def test_noise_is_that_of_the_voxel(kind, layout):
    """Its size is that of the mask, and each voxel has the noise that it has without a mask."""
    image, brain = head()
    masked, whole = order(image, layout), image.copy()
    Noise(0.2, kind, True, 11).change_inside(masked, HERE, 2, brain)
    Noise(0.2 * float(image[brain].std()), kind, False, 11).change(whole, HERE, 1)
    np.testing.assert_allclose(masked[brain], whole[brain], atol=2e-5)
    np.testing.assert_array_equal(masked[~brain], image[~brain])


def test_large_integers_outside_keep_each_bit():
    image, brain = head("int64")
    image += 2**62 + 1  # which no float64 holds
    before = image.copy()
    Contrast(0.5).change_inside(image, HERE, 1, brain)
    np.testing.assert_array_equal(image[~brain], before[~brain])


@pytest.mark.parametrize("name", STEPS)
def test_what_is_not_finite_counts_for_nothing(name):
    image, brain = head()
    label = brain.astype(np.uint8)
    place = np.argwhere(brain)[:3]
    image[tuple(place.T)] = np.nan, np.inf, -np.inf
    result = drawn([STEPS[name]], SHAPE, targets={"brain": "label"}).apply(image=image, brain=label)
    finite = np.isfinite(image)
    assert np.isfinite(result["image"][finite]).all()


@pytest.mark.parametrize("name", STEPS)
def test_a_black_background_stays_black(name):
    """Also where the head is moved before: the mask moves along."""
    image, brain = head()
    image[~brain] = 0
    pipeline = Compose(
        [RandomFlip(0, p=1), STEPS[name]], seed=5, targets={"brain": "label"}, swap=set()
    )
    sample = pipeline(image=image, brain=brain.astype(np.int16), index=0)
    inside = brain[::-1]
    np.testing.assert_array_equal(sample["image"][~inside], 0)
    assert (sample["image"][inside] != image[::-1][inside]).mean() > 0.9
    again = Record.from_json(sample.record.to_json()).apply(image=image, brain=brain)
    np.testing.assert_array_equal(again["image"], sample["image"])
    assert "mask='brain'" in repr(sample.record.steps[-1][1])


@pytest.mark.parametrize("name", STEPS)
def test_a_threshold_is_a_mask(name):
    image, brain = head()
    image[~brain] = 0
    image = np.stack([image, 2 * image])
    masks = {"brain": brain.astype(np.uint8)}
    by_name = drawn([STEPS[name]], SHAPE, targets={"brain": "label"}).apply(image=image, **masks)
    values = {**vars(STEPS[name]), "mask": 0.0}
    step = type(STEPS[name])(**{k: v for k, v in values.items() if not k.startswith("_")})
    np.testing.assert_array_equal(
        drawn([step], SHAPE).apply(image=image)["image"], by_name["image"]
    )


@pytest.mark.parametrize("name", STEPS)
def test_an_empty_mask_changes_nothing(name):
    image, _ = head()
    record = drawn([STEPS[name]], SHAPE, targets={"brain": "image"})
    result = record.apply(image=image, brain=np.zeros(SHAPE, np.float32))["image"]
    np.testing.assert_array_equal(result, image)


def test_a_mask_may_be_the_image_itself_or_bool():
    image, brain = head()
    image[~brain] = 0
    itself = drawn([RandomContrast((2, 2), mask="image", p=1)], SHAPE).apply(image=image)["image"]
    options = {"targets": {"brain": "label"}}
    named = drawn([RandomContrast((2, 2), mask="brain", p=1)], SHAPE, **options)
    np.testing.assert_array_equal(named.apply(image=image, brain=brain)["image"], itself)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ("brian", ValueError, "did you mean 'brain'"),
        ([1, 2], TypeError, "mask must be the name of a target or a threshold"),
        (np.ones((2, 2)), TypeError, "mask must be the name of a target or a threshold"),
        (np.nan, ValueError, "mask must be"),
        (True, TypeError, "mask must be"),
    ],
)
def test_bad_masks(mask, error, message):
    with pytest.raises(error, match=message):
        Compose([RandomGamma(mask=mask)], targets={"brain": "label"})


def test_masks_that_are_not_there():
    image, brain = head()
    pipeline = Compose([RandomGamma(mask="brain", p=1)], seed=0, targets={"brain": "label"})
    with pytest.raises(ValueError, match="target that is the mask of Gamma"):
        pipeline(image=image, index=0)
    with pytest.raises(ValueError, match="must have one channel, got 2"):
        pipeline(image=image, brain=np.stack([brain, brain]), index=0)
    with pytest.raises(ValueError, match="target that is the mask of RandomGamma"):
        Stream([{"image": image}], pipeline, patch_shape=8, batch_size=1, seed=0)
