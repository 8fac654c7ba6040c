"""Images brought to a common scale, and back."""

import numpy as np
import pytest

from support.volumes import random_volume
from volaug import Compose, Normalize, RandomFlip, Record, Stream
from volaug.checks import DTYPES
from volaug.transforms.channels import statistics
from volaug.transforms.normalize import RangeMapping, ZScores
from volaug.transforms.percentiles import percentiles

SHAPE = (37, 41, 43)
FLOATS = ["float16", "float32", "float64"]
TARGETS = {"brain": "label"}


def normalized(step, affine=None, **targets):
    return Compose([step], seed=0, targets=TARGETS)(index=0, **targets)


def scan(dtype="float64", channels=2):
    rng = np.random.default_rng(1)
    image = rng.gamma(2.0, 40.0, (channels, *SHAPE))
    image[image < 30] = 0
    return np.clip(image, 0, 250).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("threads", [1, 3])
def test_z_scores_have_mean_0_and_deviation_1(dtype, threads):
    image = scan(dtype)
    result = Compose([Normalize()], seed=0)(image=image, index=0, threads=threads)["image"]
    assert result.dtype == image.dtype
    for channel, before in zip(result.astype(float), image.astype(float), strict=True):
        expected = (before - before.mean()) / before.std()
        atol = {"float16": 4e-3, "float32": 2e-6, "float64": 1e-12}[dtype]
        np.testing.assert_allclose(channel, expected, atol=atol)


@pytest.mark.parametrize("limits", [(0.5, 99.5), (0, 100), (1, 37), (50, 50.01), (60, 97)])
@pytest.mark.parametrize("clip", [True, False])
def test_percentiles_are_numpys(limits, clip):
    image = scan()
    step = Normalize("percentiles", percentiles=limits, output_range=(-1, 3), clip=clip)
    result = normalized(step, image=image)["image"]
    for channel, before in zip(result, image, strict=True):
        low, high = np.percentile(before, limits)
        expected = 4.0 * (before - low) / (high - low) - 1.0
        expected = np.clip(expected, -1, 3) if clip else expected
        np.testing.assert_allclose(channel, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(128, 100, 90), SHAPE, (5, 6, 7), (1, 1, 9), (1, 1, 1)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_percentiles_of_any_dtype_shape_and_mask(dtype, shape, masked):
    """Of noise, of few values, and of planes that a sample of the voxels does not meet."""
    rng = np.random.default_rng(2)
    noise, few, planes = random_volume((3, *shape), "float32", seed=3)
    few = np.where(few < 0.2, 0, few.round())
    planes[::2] = 0.01
    mask = rng.random(shape) < 0.3 if masked else None
    if masked and not mask.any():
        mask[-1, -1, -1] = True
    wanted = [0.0, 0.1, 5.0, 49.9, 80.0, 100.0]
    for volume in (noise, few, planes):
        voxels = np.clip(60 + 20 * volume, 0, 120).astype(dtype)
        kept = voxels if mask is None else voxels[mask]
        found = percentiles(voxels, wanted, statistics(voxels, 2, mask), 2, mask)
        np.testing.assert_allclose(found, np.percentile(kept.astype(float), wanted), rtol=1e-6)


@pytest.mark.parametrize("layout", ["F", "reversed", "gaps"])
def test_percentiles_of_any_memory(layout):
    image, mask = scan()[0], scan()[1] > 50
    wide = np.zeros((*SHAPE[:2], 2 * SHAPE[2]))
    wide[..., ::2] = image
    voxels = {
        "F": np.asfortranarray(image),
        "reversed": image[::-1, :, ::-1],
        "gaps": wide[..., ::2],
    }
    ours = voxels[layout]
    mask = mask[::-1, :, ::-1] if layout == "reversed" else mask
    found = percentiles(ours, [3.0, 97.0], statistics(ours, 1, mask), 1, mask)
    np.testing.assert_allclose(found, np.percentile(image[scan()[1] > 50], [3, 97]))


def test_what_is_not_finite_counts_for_nothing():
    image = scan()
    image[:, ::7, ::5, 3] = np.nan
    image[:, ::6, 1, ::4] = np.inf
    image[:, 2, ::3, ::4] = -np.inf
    finite = np.isfinite(image[0])
    for step in (Normalize(), Normalize("percentiles", clip=False)):
        result = normalized(step, image=image)["image"]
        for channel, before in zip(result, image, strict=True):
            known = before[finite]
            low, high = np.percentile(known, (0.5, 99.5))
            expected = (known - low) / (high - low)
            if step.method == "z-score":
                expected = (known - known.mean()) / known.std()
            np.testing.assert_allclose(channel[finite], expected, rtol=1e-9, atol=1e-9)
            assert np.isnan(channel[np.isnan(before)]).all()


@pytest.mark.parametrize("dtype", ["int16", "uint8", "uint16", "float32"])
def test_a_window_maps_two_values_to_the_ends_of_a_range(dtype):
    image = np.arange(0, 250).reshape(10, 25, 1).astype(dtype)
    step = Normalize("window", window=(40, 140), output_range=(0, 200))
    result = normalized(step, image=image)["image"]
    np.testing.assert_array_equal(result, np.clip(2.0 * (image.astype(float) - 40), 0, 200))
    assert result.dtype == image.dtype


@pytest.mark.parametrize("mask", ["brain", 100.0])
def test_statistics_come_from_the_mask(mask):
    image = scan(channels=1)[0]
    brain = image > 100
    result = normalized(Normalize(mask=mask), image=image, brain=brain)["image"]
    mean, std = image[brain].mean(), image[brain].std()
    np.testing.assert_allclose(result, (image - mean) / std, rtol=1e-9, atol=1e-9)
    filled = normalized(Normalize(mask=mask, fill=-7.0), image=image, brain=brain)["image"]
    np.testing.assert_array_equal(filled, np.where(brain, result, -7.0))
    step = Normalize("percentiles", percentiles=(10, 90), mask=mask, clip=False)
    low, high = np.percentile(image[brain], (10, 90))
    result = normalized(step, image=image, brain=brain)["image"]
    np.testing.assert_allclose(result, (image - low) / (high - low), rtol=1e-9, atol=1e-9)


STEPS = {
    "z-score": Normalize(),
    "mask": Normalize(mask=100.0),
    "percentiles": Normalize("percentiles", percentiles=(0, 100), output_range=(-1, 1)),
    "window": Normalize("window", window=(-50, 300), output_range=(2, 3)),
    "one channel": Normalize(channels=1),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_prediction_comes_back_to_the_values_of_the_input(name):
    image = scan()
    pipeline = Compose([RandomFlip(0, p=1), STEPS[name], STEPS["window"], Normalize()], seed=0)
    sample = pipeline(image=image, index=0)
    back = sample.invert(image=sample["image"], threads=2)["image"]
    np.testing.assert_allclose(back, image, rtol=1e-9, atol=1e-7)
    # the geometry alone is undone by the record
    np.testing.assert_array_equal(
        sample.record.invert(image=sample["image"])["image"], sample["image"][:, ::-1]
    )


def test_other_targets_are_inverted_as_by_the_record():
    image = scan(channels=1)[0]
    pipeline = Compose([RandomFlip(0, p=1), Normalize()], seed=0, swap=set())
    sample = pipeline(image=image, label=image > 100, points=[[1, 2, 3]], index=0)
    back = sample.invert(label=sample["label"], points=sample["points"])
    np.testing.assert_array_equal(back["label"], image > 100)
    np.testing.assert_array_equal(back["points"], [[1, 2, 3]])
    with pytest.raises(ValueError, match="'image' must have 1 channels, as normalized, got 2"):
        sample.invert(image=np.stack([image, image]))


def test_a_head_with_its_mask():
    """The brain has mean 0 and deviation 1, wherever it was moved, and air stays what it is."""
    datasets = pytest.importorskip("nilearn.datasets")
    head = datasets.load_mni152_template(resolution=2).get_fdata(dtype=np.float32)
    brain = (head > 0).astype(np.uint8)
    sample = normalized(Normalize(mask="brain", fill=0.0), image=head, brain=brain)
    inside = sample["brain"] > 0
    assert abs(sample["image"][inside].mean()) < 1e-4
    assert abs(sample["image"][inside].std() - 1) < 1e-4
    assert (sample["image"][~inside] == 0).all()


def test_records_repeat_it():
    image = scan()
    sample = normalized(Normalize("percentiles", mask=3.0), image=image)
    again = Record.from_json(sample.record.to_json()).apply(image=image)
    np.testing.assert_array_equal(again["image"], sample["image"])
    assert again.rescalings == sample.rescalings


@pytest.mark.parametrize("step", [Normalize(), Normalize("percentiles", output_range=(2, 5))])
def test_a_constant_image_is_said(step):
    with pytest.warns(UserWarning, match="channel 0 of 'image' has one value only, 5"):
        sample = normalized(step, image=np.full((4, 5, 6), 5.0))
    np.testing.assert_array_equal(sample["image"], 0 if step.method == "z-score" else 2)
    np.testing.assert_array_equal(sample.invert(image=sample["image"])["image"], 5)


@pytest.mark.parametrize("image", [np.zeros((4, 5, 6)), np.full((4, 5, 6), np.nan)])
def test_an_empty_mask_is_said(image):
    with pytest.warns(UserWarning, match="no voxel in its mask that is finite, and stays"):
        sample = normalized(Normalize(mask=1.0), image=image)
    np.testing.assert_array_equal(sample["image"], image)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "zscore"}, ValueError, "method must be"),
        ({"method": 1}, ValueError, "method must be"),
        ({"percentiles": (99, 1)}, ValueError, "percentiles must be .* with low less than high"),
        ({"percentiles": (0, 101)}, ValueError, "percentiles must be from 0 to 100"),
        ({"percentiles": 5}, TypeError, "percentiles must be a pair"),
        ({"output_range": (1, 1)}, ValueError, "output_range must be"),
        ({"method": "window"}, ValueError, "window must be given with the method 'window'"),
        ({"window": (0, 1)}, ValueError, "window must be given with the method 'window'"),
        ({"method": "window", "window": (3, 2)}, ValueError, "window must be"),
        ({"method": "window", "window": (0, np.nan)}, ValueError, "window must be"),
        ({"clip": 1}, TypeError, "clip must be True or False"),
        ({"fill": 0.0}, ValueError, "fill is for voxels outside of a mask"),
        ({"fill": "0", "mask": 1.0}, TypeError, "fill must be a number"),
        ({"mask": ["label"]}, TypeError, "mask must be the name of a target or a threshold"),
        ({"mask": "brian"}, ValueError, "did you mean 'brain'"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        Compose([Normalize(**options)], targets=TARGETS)


@pytest.mark.parametrize(
    ("step", "dtype", "message"),
    [
        (Normalize(), "int16", "must have floats to be normalized to z-scores, got int16"),
        (Normalize("percentiles"), "uint8", "values from 0 to 1, got uint8: convert it"),
        (Normalize(), "bool", "must have numbers to be normalized, got bool"),
        (Normalize("window", window=(0, 1), output_range=(0, 200)), "bool", "must have numbers"),
        (Normalize(mask=0.0, fill=1e6), "float16", "fill"),
    ],
)
def test_images_that_cannot_show_the_result(step, dtype, message):
    image = np.ones((8, 8, 8), dtype)
    with pytest.raises(ValueError, match=message):
        normalized(step, image=image)
    with pytest.raises(ValueError, match=message):
        Stream([{"image": image}], Compose([step]), patch_shape=8, batch_size=1, seed=0)


def test_a_mask_that_is_not_there():
    with pytest.raises(ValueError, match="mask of Normalize"):
        normalized(Normalize(mask="brain"), image=scan())
    with pytest.raises(ValueError, match="the mask of Normalize, 'brain', must have one channel"):
        normalized(Normalize(mask="brain"), image=scan(), brain=scan("uint8"))
    # nothing to normalize, nothing to miss
    record = Compose([Normalize(mask="brain")], seed=0, targets=TARGETS).draw(SHAPE, index=0)
    assert record.apply(points=[[1, 2, 3]])["points"].shape == (1, 3)


def test_records_that_were_changed_by_hand_are_refused():
    with pytest.raises(ValueError, match="percentiles must be from 0 to 100"):
        RangeMapping("percentiles", (0, 101))
    with pytest.raises(ValueError, match="method must be"):
        RangeMapping("z-score", (0, 1))
    with pytest.raises(ValueError, match="fill is for voxels outside"):
        ZScores(fill=1.0)


def test_what_a_sample_says_of_it():
    sample = normalized(Normalize(mask=0.0), image=scan())
    assert "Normalize: ZScores(mask=0.0)" in str(sample)
