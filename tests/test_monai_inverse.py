"""MONAI's inverses undo `Volaugd`, also for predictions, batches and test-time augmentation."""

from dataclasses import replace

import numpy as np
import pytest

import volaug
from support.loaders import marks_of
from support.monai_samples import (
    AFFINE,
    KEYS,
    SHAPE,
    STEPS,
    pipeline_of,
    records_of,
    same,
    sample_of,
)
from volaug import CenterCrop, RandomAffine, RandomFlip

pytest.importorskip("monai")
import torch
from monai import transforms
from monai.data import DataLoader, Dataset, MetaTensor, TestTimeAugmentation, decollate_batch
from monai.transforms import allow_missing_keys_mode, convert_applied_interp_mode
from monai.utils import GridSampleMode, InterpolateMode

from volaug.integrations.monai import Volaugd

pytestmark = marks_of("monai")


@pytest.mark.parametrize("kind", STEPS)
def test_an_inverse_through_compose_is_the_records(kind):
    given = sample_of()
    transform = transforms.Compose([Volaugd(KEYS, pipeline_of(kind))]).set_random_state(1)
    result = transform(given)
    (record,) = records_of(transform, result, ["label"])
    back = transform.inverse(result)
    expected = record.invert(image=result["image"], label=result["label"])
    assert same(back, expected)
    assert back["label"].dtype == torch.int16
    assert back["name"] == "case 0"
    for key in KEYS:
        assert type(back[key]) is MetaTensor
        assert back[key].shape == given[key].shape


def test_it_is_undone_between_monais_own_transforms():
    """Flips and crops that come back with what was seen, to the bit."""
    given = sample_of()
    seen = [slice(5, 14), slice(6, 15), slice(8, 19)]
    window = volaug.Compose([RandomFlip(p=1), CenterCrop((9, 9, 11))])
    transform = transforms.Compose(
        [
            transforms.Flipd(KEYS, 1),
            Volaugd(KEYS, window),
            transforms.RandFlipd(KEYS, 1.0, 2),
            transforms.SpatialPadd(KEYS, (12, 12, 12)),
            Volaugd(KEYS, volaug.Compose([RandomFlip(p=1)])),
        ]
    ).set_random_state(1)
    result = transform(given)
    names = [trace["class"] for trace in result["label"].applied_operations]
    assert names == ["Flip", "Volaugd", "RandFlipd", "SpatialPad", "Volaugd"]
    assert result["image"].shape == (2, 12, 12, 12)
    back = transform.inverse(result)
    for key in KEYS:
        expected = torch.zeros_like(given[key].as_tensor())
        expected[:, *seen] = given[key].as_tensor()[:, *seen]
        np.testing.assert_array_equal(back[key], expected)
        np.testing.assert_allclose(back[key].affine, AFFINE, atol=1e-9)
        assert back[key].applied_operations == []


def test_an_array_comes_back_with_a_metatensor_beside_it():
    given = sample_of()
    given["label"] = np.asarray(given["label"])
    transform = Volaugd(KEYS, pipeline_of()).set_random_state(1)
    result, other = transform(given), transform(given)
    (record,) = records_of(transform, result, ["image"])
    assert same(transform.inverse(result), record.invert(**{key: result[key] for key in KEYS}))
    result["image"] = result["label"]
    other["label"] = transform(sample_of())["label"]
    for wrong, count in ((result, 0), (other, 2)):
        with pytest.raises(ValueError, match=f"'image', 'label' .* of one sample, got {count} rec"):
            transform.inverse(wrong)


def test_a_prediction_comes_back_from_a_batch():
    """By MONAI's own `Invertd`, after a DataLoader's workers."""
    transform = transforms.Compose([Volaugd(KEYS, pipeline_of("both"))])
    dataset = Dataset([sample_of(seed) for seed in range(4)], transform)
    batch = next(iter(DataLoader(dataset, num_workers=2, batch_size=4)))
    batch["pred"] = batch["label"] + 1
    post = transforms.Invertd("pred", transform, orig_keys="label")
    for sample in decollate_batch(batch):
        (record,) = records_of(transform, sample, ["label"])
        back = post(sample)["pred"]
        expected = record.invert(label=np.asarray(sample["label"] + 1))["label"]
        np.testing.assert_array_equal(back, expected)
        np.testing.assert_allclose(back.affine, AFFINE, atol=1e-9)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_prediction_may_have_other_channels_than_the_fills(channels):
    pipeline = pipeline_of("a crop", cval={"image": [2.0, 3.0]})
    transform = transforms.Compose([Volaugd(KEYS, pipeline)]).set_random_state(1)
    sample = transform(sample_of())
    shape = (channels, *sample["image"].shape[1:])
    sample["pred"] = MetaTensor(torch.full(shape, 9.0), meta=sample["image"].meta)
    back = transforms.Invertd("pred", transform, orig_keys="image")(sample)["pred"]
    assert back.shape == (channels, *SHAPE)
    fills = [2.0, 3.0] if channels == 2 else [0.0] * channels
    assert [sorted(set(c.unique().tolist()) - {9.0}) for c in back] == [[fill] for fill in fills]


@pytest.mark.parametrize(
    ("key", "kind"), [("image", "linear"), ("label", "linear"), ("image", "cubic")]
)
def test_an_inverse_interpolates_as_it_is_asked(key, kind):
    """By MONAI's `Invertd`, whose default is nearest, of float class maps as of logits."""
    pipeline = pipeline_of("affine", interpolation={"image": kind})
    transform = transforms.Compose([Volaugd(KEYS, pipeline)]).set_random_state(1)
    sample = transform(sample_of())
    classes = (torch.as_tensor(sample["image"][:1]) > 0).float()
    sample["pred"] = MetaTensor(torch.cat([classes, 3 * classes]), meta=sample["image"].meta)
    (record,) = records_of(transform, sample, [key])

    def inverted(**options):
        return transforms.Invertd("pred", transform, orig_keys=key, **options)(sample)["pred"]

    def expected(interpolation):
        if interpolation == "nearest" and record.targets[key].interpolation == "label":
            interpolation = "label"  # which makes no new value either
        target = replace(record.targets[key], interpolation=interpolation)
        asked = replace(record, targets={key: target})
        return asked.invert(**{key: np.asarray(sample["pred"])})[key]

    np.testing.assert_array_equal(inverted(), expected("nearest"))
    assert inverted().unique().tolist() == [0, 1, 3]
    own = inverted(nearest_interp=False)
    np.testing.assert_array_equal(own, record.invert(**{key: np.asarray(sample["pred"])})[key])
    for words, interpolation in (
        (("nearest-exact", GridSampleMode.NEAREST, 0), "nearest"),
        (("bilinear", InterpolateMode.LINEAR, 1), "linear"),
        ((GridSampleMode.BICUBIC, 3), "cubic"),
    ):
        for word in words:
            traced = sample[key].clone()
            traced.applied_operations = convert_applied_interp_mode(
                traced.applied_operations, mode=word
            )
            asked = MetaTensor(sample["pred"].as_tensor(), affine=traced.affine)
            asked.applied_operations = traced.applied_operations
            with allow_missing_keys_mode(transform):
                found = transform.inverse({key: asked})[key]
            np.testing.assert_array_equal(found, expected(interpolation))


def test_targets_are_inverted_each_as_it_is_asked():
    transform = Volaugd(KEYS, pipeline_of()).set_random_state(1)
    sample = transform(sample_of())
    (record,) = records_of(transform, sample, ["image"])
    sample["image"].applied_operations[0]["extra_info"]["mode"] = "nearest"
    back = transform.inverse(sample)
    expected = record.invert(label=sample["label"])
    np.testing.assert_array_equal(back["label"], expected["label"])
    target = replace(record.targets["image"], interpolation="nearest")
    nearest = replace(record, targets={"image": target}).invert(image=sample["image"])
    np.testing.assert_array_equal(back["image"], nearest["image"])
    sample["image"].applied_operations[0]["extra_info"]["mode"] = "best"
    with pytest.raises(ValueError, match=r"mode must be one of .* got 'best'"):
        transform.inverse(sample)


def test_batches_are_inverted_by_monai():
    transform = transforms.Compose([Volaugd(KEYS, pipeline_of("both"))]).set_random_state(1)
    dataset = Dataset([sample_of(seed) for seed in range(2)], transform)
    loader = DataLoader(dataset, batch_size=2)
    (batch,) = loader
    found = transforms.BatchInverseTransform(transform, loader)(batch)
    for back, sample in zip(found, decollate_batch(batch), strict=True):
        assert same(back, transform.inverse(sample))


def test_test_time_augmentation_of_monai():
    """The mode of class maps is a class map, and those of many draws agree."""
    scan = np.zeros((1, *SHAPE), np.float32)
    scan[:, 6:14, 7:15, 9:18] = 1
    pipeline = volaug.Compose([RandomFlip(), RandomAffine(degrees=5, translation=1, p=1)])
    transform = transforms.Compose([Volaugd("image", pipeline)]).set_random_state(1)
    augmented = TestTimeAugmentation(
        transform, 2, inferrer_fn=lambda image: (image > 0.5).float(), progress=False,
        orig_key="image",
    )  # fmt: skip
    mode, mean, _, _ = augmented({"image": MetaTensor(scan, affine=AFFINE)}, num_examples=6)
    assert set(np.unique(mode)) == {0, 1}
    assert (np.asarray(mode) == scan).mean() > 0.98
    np.testing.assert_allclose(6 * mean, np.round(6 * mean), atol=1e-5)
