"""`Volaugd`: what the pipeline does, in MONAI's ways; and back by its inverse."""

import copy
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import volaug
from support.volumes import random_volume
from volaug import (
    CenterCrop,
    LabelPyramid,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomShear,
)

pytest.importorskip("monai")
import torch
from monai import transforms
from monai.data import (
    CacheDataset,
    DataLoader,
    Dataset,
    MetaTensor,
    TestTimeAugmentation,
    ThreadDataLoader,
    decollate_batch,
    set_track_meta,
)
from monai.transforms import allow_missing_keys_mode, convert_applied_interp_mode
from monai.utils import GridSampleMode, InterpolateMode

from volaug.integrations.monai import Volaugd

# where there is one processor; workers are no faster there, and as right
pytestmark = [
    pytest.mark.oracle("monai"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

SHAPE = (19, 22, 27)
KEYS = ("image", "label")
# oblique, and voxels of 0.9, 1.1 and 2.5 mm
AFFINE = np.array([[0.0, -1.1, 0, 7], [0.9, 0, 0, -9], [0, 0, 2.5, 0.7], [0, 0, 0, 1]])
POINTS = np.array([[1.0, 2.5, 3.0], [18.0, 20.0, -6.0]])

AFFINE_STEPS = [RandomFlip(), RandomAffine(shear=0.1, p=1)]
STEPS = {
    "affine": AFFINE_STEPS,
    "a crop": [RandomCrop((9, 30, 12))],
    "both": [*AFFINE_STEPS, CenterCrop((15, 25, 20))],
    "two warps": [
        RandomCrop((17, 22, 30)),
        *AFFINE_STEPS,
        RandomContrast(per_channel=True, p=1),
        RandomShear(p=1),
        RandomCrop((9, 30, 12)),
    ],
    "elastic": [RandomElastic(4.0, p=1), *AFFINE_STEPS, CenterCrop((15, 25, 20))],
}
WITHOUT_ELASTIC = [kind for kind in STEPS if kind != "elastic"]


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """So that no forked worker has to load a kernel; see `docs/integrations.md`."""
    volaug.warmup(["float32", "int16"])


def pipeline_of(kind="elastic", **options):
    return volaug.Compose(STEPS[kind], **options)


def sample_of(seed=0, **metadata):
    image = random_volume((2, *SHAPE), seed=seed)
    label = random_volume((1, *SHAPE), np.int16, seed=seed) // 25
    return {
        "image": MetaTensor(image, affine=AFFINE, meta=dict(metadata)),
        "label": MetaTensor(label, affine=AFFINE),
        "name": f"case {seed}",
    }


def records_of(transform, sample, keys=KEYS):
    """What was drawn for each key, last of all."""
    own = transform if isinstance(transform, Volaugd) else transform.transforms[0]
    return [own.record_of(sample[key]) for key in keys]


def bits(sample, keys=KEYS):
    return [np.asarray(sample[key]).tobytes() for key in keys]


def same(sample, other, keys=KEYS):
    return bits(sample, keys) == bits(other, keys)


@pytest.mark.parametrize("kind", STEPS)
def test_it_does_what_the_record_says(kind):
    given = sample_of() | {"points": POINTS}
    transform = Volaugd([*KEYS, "points"], pipeline_of(kind)).set_random_state(1)
    result = transform(given)
    record, other = records_of(transform, result)
    assert record == other
    assert result["label"].applied_operations[0]["orig_size"] == SHAPE
    np.testing.assert_array_equal(record.affine, AFFINE)
    expected = record.apply(image=given["image"], label=given["label"], points=POINTS)
    assert same(result, expected, [*KEYS, "points"])
    assert result["name"] == "case 0"
    with_seed = pipeline_of(kind, seed=0)(
        image=given["image"], label=given["label"], affine=AFFINE, index=record.key.index
    )
    assert same(result, with_seed)


TYPES = {"array": np.asarray, "tensor": torch.as_tensor, "MetaTensor": MetaTensor}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float16", "bool", "uint16"])
@pytest.mark.parametrize("kind", TYPES)
def test_types_and_dtypes_stay(kind, dtype):
    make = TYPES[kind]
    given = {key: make(random_volume((1, *SHAPE), dtype)) for key in KEYS}
    for prob in (0.0, 1.0):
        result = Volaugd(KEYS, pipeline_of("affine"), prob).set_random_state(1)(given)
        for key in KEYS:
            assert type(result[key]) is type(given[key])
            assert result[key].dtype == given[key].dtype
            assert result[key].shape == given[key].shape


def copied(sample):
    """By `clone`: a MetaTensor's `deepcopy` shares what is nested in its metadata."""
    return {
        key: value.clone() if key in KEYS else copy.copy(value) for key, value in sample.items()
    }


def test_nothing_given_is_changed():
    given = sample_of(pixdim=np.ones(8)) | {"points": POINTS.copy()}
    before = copied(given)
    transform = Volaugd([*KEYS, "points"], pipeline_of("both")).set_random_state(1)
    result = transform(given)
    after = copied(result)
    transform.inverse(result)
    for found, expected in ((given, before), (result, after)):
        assert same(found, expected, [*KEYS, "points"])
        for key in KEYS:
            assert len(found[key].applied_operations) == len(expected[key].applied_operations)
            np.testing.assert_array_equal(found[key].affine, expected[key].affine)
        pixdims = [each["image"].meta["pixdim"] for each in (found, expected)]
        np.testing.assert_array_equal(*pixdims)
    for key in [*KEYS, "points"]:
        assert not np.shares_memory(np.asarray(result[key]), np.asarray(given[key]))


def turned(tensor, axes, reversed_axes):
    """The same voxels at the same places, in another order and direction of axes."""
    shape = np.array(tensor.shape[1:])
    pull = np.eye(4)  # from the new voxels to the old ones
    pull[:3, :3] = np.eye(3)[:, axes]
    voxels = tensor.as_tensor().permute(0, *(axis + 1 for axis in axes))
    for axis in reversed_axes:
        pull[:3, 3] += pull[:3, axis] * (shape[axes[axis]] - 1)
        pull[:3, axis] *= -1
    voxels = voxels.flip([axis + 1 for axis in reversed_axes])
    return MetaTensor(voxels, affine=np.asarray(tensor.affine) @ pull)


@pytest.mark.parametrize("prob", [0.0, 1.0])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_a_label_in_another_order_of_axes_is_brought_to_the_image(prob, order, flips):
    given = sample_of()
    other = given | {"label": turned(given["label"], order, flips)}
    other["label"].affine[:3, 3] += 1e-4  # what NIfTI rounds
    transform = Volaugd(KEYS, pipeline_of("both"), prob)
    expected = transform.set_random_state(1)(given)
    result = transform.set_random_state(1)(other)
    assert same(result, expected)
    back = transform.inverse(result)
    assert back["label"].shape == other["label"].shape
    np.testing.assert_allclose(back["label"].affine, other["label"].affine, atol=1e-9)
    right = turned(transform.inverse(expected)["label"], order, flips)
    np.testing.assert_array_equal(back["label"], right)
    for key in KEYS:
        assert result[key].is_contiguous()
        np.testing.assert_allclose(result[key].affine, expected[key].affine, atol=1e-3)
    if not prob:
        np.testing.assert_array_equal(back["label"], other["label"])


def test_places_that_differ_are_an_error():
    turn = np.eye(4)
    turn[:2, :2] = [[0.99, -0.14], [0.14, 0.99]]
    moved = AFFINE.copy()
    moved[0, 3] += 10
    for affine, message in (
        (moved, "10 mm apart"),
        (AFFINE @ np.diag([1, 1, 1.2, 1]), r"voxels are .* mm"),
        (turn @ AFFINE, "axes differ in direction"),
    ):
        given = sample_of()
        given["label"].affine = affine
        before = bits(given)
        for first, second in (KEYS, KEYS[::-1]):
            with pytest.raises(
                ValueError, match=f"'{first}' and '{second}' must lie in one grid: .*{message}"
            ):
                Volaugd([first, second], pipeline_of("affine"))(given)
        assert bits(given) == before
        given["label"] = given["label"].as_tensor()  # of which no place is known
        Volaugd(KEYS, pipeline_of("affine"))(given)


def world(affine, points):
    return points @ np.asarray(affine)[:3, :3].T + np.asarray(affine)[:3, 3]


@pytest.mark.parametrize("kind", WITHOUT_ELASTIC)
def test_a_place_in_the_world_stays_where_it_is(kind):
    """And comes back, with the affine and the size of voxels in a NIfTI header."""
    given = sample_of(pixdim=np.array([1, 0.9, 1.1, 2.5, 0, 0, 0, 0])) | {"points": POINTS}
    given["label"] = turned(given["label"], (1, 2, 0), (0, 2))
    own = np.asarray(given["label"].affine)
    transform = Volaugd([*KEYS, "points"], pipeline_of(kind)).set_random_state(1)
    result = transform(given)
    (record,) = records_of(transform, result, ["image"])
    np.testing.assert_allclose(result["image"].affine, record.output_affine, atol=1e-12)
    np.testing.assert_array_equal(result["points"], record.apply(points=POINTS)["points"])
    for key in KEYS:
        moved = world(result[key].affine, result["points"])
        np.testing.assert_allclose(moved, world(AFFINE, POINTS), atol=1e-9)
    sizes = np.linalg.norm(np.asarray(result["image"].affine)[:3, :3], axis=0)
    np.testing.assert_allclose(result["image"].meta["pixdim"][1:4], sizes)

    back = transform.inverse(result)
    np.testing.assert_allclose(back["points"], POINTS, atol=1e-9)
    for key, affine in (("image", AFFINE), ("label", own)):
        np.testing.assert_allclose(back[key].affine, affine, atol=1e-9)
        assert back[key].applied_operations == []
    np.testing.assert_allclose(back["image"].meta["pixdim"][1:4], (0.9, 1.1, 2.5))


@pytest.mark.parametrize("kind", STEPS)
def test_an_affine_that_stays_follows_crops_alone(kind):
    """As TorchIO's do, and `RandomVolaug`."""
    given = sample_of()
    transform = Volaugd(KEYS, pipeline_of(kind), update_affine=False).set_random_state(1)
    result = transform(given)
    (record,) = records_of(transform, result, ["image"])
    starts = [step.start for _, step in record.steps if type(step).__name__ == "Crop"]
    assert len(starts) == {"affine": 0, "two warps": 2}.get(kind, 1)
    for key in KEYS:
        expected = AFFINE.copy()
        expected[:3, 3] = world(AFFINE, np.sum([(0, 0, 0), *starts], axis=0))
        np.testing.assert_allclose(result[key].affine, expected, atol=1e-12)
        np.testing.assert_allclose(transform.inverse(result)[key].affine, AFFINE, atol=1e-12)


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


@pytest.mark.parametrize("kind", TYPES)
def test_points_are_in_voxels_and_of_any_type(kind):
    """Also where they come first."""
    given = sample_of() | {"points": TYPES[kind](POINTS)}
    transform = Volaugd(["points", *KEYS], pipeline_of()).set_random_state(1)
    result = transform(given)
    (record,) = records_of(transform, result, ["image"])
    assert type(result["points"]) is type(given["points"])
    np.testing.assert_array_equal(result["points"], record.apply(points=POINTS)["points"])
    back = transform.inverse(result)
    assert type(back["points"]) is type(given["points"])
    np.testing.assert_allclose(back["points"], POINTS, atol=1e-5)
    if kind == "MetaTensor":
        np.testing.assert_array_equal(result["points"].affine, np.eye(4))


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


FLAT = (21, 26)
FLAT_AFFINES = {
    "(4, 4)": np.array([[0.0, -1.1, 0, 7], [0.9, 0, 0, -9], [0, 0, 2.5, 0.7], [0, 0, 0, 1]]),
    "(3, 3)": np.array([[0.0, -1.1, 7], [0.9, 0, -9], [0, 0, 1]]),
}


def slice_of(affine):
    image = random_volume((3, 4, *FLAT), seed=1)[:, 1]
    image[1] += 100
    image[2] -= 100  # no channel can be taken for another
    label = random_volume((1, 4, *FLAT), np.int16, seed=1)[:, 1] // 25
    points = np.array([[2.0, 3.5], [20.0, 4.0]])
    boxes = np.array([[[2.0, 3.0], [5.0, 9.0]]])
    return {
        "image": MetaTensor(image, affine=affine),
        "label": MetaTensor(label, affine=affine),
        "points": points,
        "boxes": boxes,
    }


@pytest.mark.parametrize("affine", FLAT_AFFINES.values(), ids=FLAT_AFFINES)
@pytest.mark.parametrize("kind", ["affine", "elastic", "contrast"])
def test_slices_stay_in_their_plane(affine, kind):
    """Three axes are (C, H, W): channels are not moved, and what was drawn is within the plane."""
    steps = {
        "affine": [RandomFlip(), RandomAffine(degrees=180, shear=0.3, p=1)],
        "elastic": [RandomElastic(4.0, p=1), CenterCrop((15, 30, 1))],
        "contrast": [RandomContrast(per_channel=True, p=1), RandomFlip(p=1)],
    }[kind]
    given = slice_of(affine)
    keys = list(given)
    transform = Volaugd(keys, volaug.Compose(steps)).set_random_state(1)
    for _ in range(4):
        result = transform(given)
        (record,) = records_of(transform, result, ["image"])
        size = record.output_shape[:2]
        assert record.shape == (*FLAT, 1)
        expected = record.apply(
            image=given["image"][..., None].as_tensor(),
            label=given["label"][..., None].as_tensor(),
            points=np.pad(given["points"], ((0, 0), (0, 1))),
        )
        assert result["image"].shape == (3, *size)
        np.testing.assert_array_equal(result["image"], expected["image"][..., 0])
        np.testing.assert_array_equal(result["label"], expected["label"][..., 0])
        np.testing.assert_array_equal(result["points"], expected["points"][:, :2])
        assert (expected["points"][:, 2] == 0).all()
        assert result["boxes"].shape == (1, 2, 2)
        seen = result["image"].as_tensor() != 0
        for channel, low, high in ((0, -10, 10), (1, 80, 120), (2, -120, -80)):
            inner = result["image"].as_tensor()[channel][seen[channel]]
            if kind == "contrast":
                assert low <= inner.median() <= high
        assert result["image"].affine.shape == affine.shape
        back = transform.inverse(result)
        assert back["image"].shape == given["image"].shape
        np.testing.assert_allclose(back["image"].affine, affine, atol=1e-9)
        np.testing.assert_allclose(back["points"], given["points"], atol=1e-3)
        unmoved = record.invert(label=result["label"][..., None].as_tensor())
        np.testing.assert_array_equal(back["label"], unmoved["label"][..., 0])
        assert back["image"].applied_operations == []


def test_a_flip_of_a_slice_is_monais():
    """Axis 0 is H and axis 1 is W, as in MONAI."""
    given = {"image": slice_of(np.eye(4))["image"]}
    for axis in (0, 1):
        flip = Volaugd("image", volaug.Compose([RandomFlip(axes=axis, p=1)]))
        expected = transforms.Flipd("image", axis)(given)["image"]
        result = flip(given)["image"]
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_allclose(result.affine, expected.affine)
        prediction = (result[:1] > 0).as_tensor().numpy()
        back = flip.inverse(
            {
                "image": MetaTensor(
                    prediction, meta=result.meta, applied_operations=result.applied_operations
                )
            }
        )
        np.testing.assert_array_equal(back["image"][0], given["image"][0] > 0)
    plain = Volaugd("image", volaug.Compose([RandomFlip(axes=0, p=1)]))
    for make in (np.asarray, torch.as_tensor):
        found = plain({"image": make(given["image"].as_tensor().numpy())})["image"]
        np.testing.assert_array_equal(found, given["image"].flip([1]))


@pytest.mark.parametrize(
    "empty", [[], np.zeros(0), torch.zeros(0)], ids=["list", "array", "tensor"]
)
def test_slices_may_have_no_points_and_no_boxes(empty):
    given = slice_of(FLAT_AFFINES["(4, 4)"]) | {"points": empty, "boxes": empty}
    transform = Volaugd(list(given), pipeline_of("affine")).set_random_state(1)
    result = transform(given)
    for sample in (result, transform.inverse(result)):
        assert np.shape(sample["points"]) == (0, 2)
        assert np.shape(sample["boxes"]) == (0, 2, 2)


def test_axes_that_monai_does_not_have_are_an_error():
    transform = Volaugd(KEYS, pipeline_of("affine"))
    for shapes in (((4, 5), (4, 5)), ((1, 1, 4, 5, 6), (1, 1, 4, 5, 6)), ((1, 4, 5), (1, 4, 5, 6))):
        given = {key: np.zeros(shape) for key, shape in zip(KEYS, shapes, strict=True)}
        with pytest.raises(ValueError, match=r"all have the axes \(C, H, W\) or .* got the shapes"):
            transform(given)
    thick = Volaugd("image", volaug.Compose([CenterCrop(8)]))
    with pytest.raises(ValueError, match=r"a slice the pipeline must make a slice \(C, H, W, 1\)"):
        thick({"image": np.zeros((1, 9, 9))})
    points = Volaugd(["image", "points"], pipeline_of("affine"))
    with pytest.raises(ValueError, match=r"'points' must be of shape \(N, 2\) or"):
        points({"image": np.zeros((1, 9, 9)), "points": POINTS})


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_results_are_contiguous(kind, prob):
    given = {
        "image": TYPES[kind](np.asfortranarray(random_volume((2, *SHAPE)))),
        "label": TYPES[kind](np.asfortranarray(random_volume((1, *SHAPE), np.int16))),
    }
    transform = Volaugd(KEYS, pipeline_of("a crop"), prob)
    result = transform(given)
    for key in KEYS:
        assert np.asarray(result[key]).flags.c_contiguous or not prob
        if kind != "array":
            result[key].view(-1)


def test_with_prob_0_data_are_as_they_were():
    given = sample_of(pixdim=np.full(8, 3.0)) | {"points": POINTS}
    transform = transforms.Compose([Volaugd([*KEYS, "points"], pipeline_of(), prob=0.0)])
    result = transform(given)
    assert same(result, given, [*KEYS, "points"])
    for key in KEYS:
        assert result[key].data_ptr() == given[key].data_ptr()
        np.testing.assert_array_equal(result[key].affine, AFFINE)
        (trace,) = result[key].applied_operations
        assert (trace["class"], trace["do_transforms"]) == ("Volaugd", False)
        assert transform.transforms[0].record_of(result[key]) is None
        assert given[key].applied_operations == []
    assert (result["image"].meta["pixdim"] == 3).all()
    back = transform.inverse(result)
    assert same(back, given, [*KEYS, "points"])
    assert back["label"].applied_operations == []


def test_some_are_augmented_and_some_are_not():
    transform = Volaugd(KEYS, pipeline_of("affine"), prob=0.3)
    dataset = Dataset([sample_of()] * 60, transforms.Compose([transform]).set_random_state(1))
    done = 0
    for batch in DataLoader(dataset, batch_size=20):
        for sample in decollate_batch(batch):
            (trace,) = sample["image"].applied_operations
            assert same(sample, sample_of()) != trace["do_transforms"]
            done += trace["do_transforms"]
    assert 8 <= done <= 28


def test_keys_may_be_missing_if_they_are_allowed_to():
    given = sample_of()
    only = {"label": given["label"], "name": "case 0"}
    with pytest.raises(KeyError, match="`image` of transform `Volaugd` was missing"):
        Volaugd(KEYS, pipeline_of())(only)
    transform = Volaugd(KEYS, pipeline_of(), allow_missing_keys=True)
    found = transform.set_random_state(1)(only)
    assert set(found) == {"label", "name"}
    assert same(found, transform.set_random_state(1)(given), ["label"])
    back = transform.inverse(found)
    assert back["label"].shape == given["label"].shape
    nothing = {"name": "case 0"}
    assert transform(nothing) == transform.inverse(nothing) == nothing


def test_what_is_wrong_says_so():
    with pytest.raises(ValueError, match="unknown target of the pipeline 't2'"):
        Volaugd(["image", "t2"], pipeline_of())
    with pytest.raises(TypeError, match=r"pipeline must be a volaug\.Compose, got Compose"):
        Volaugd(KEYS, transforms.Compose([]))
    transform = Volaugd(KEYS, pipeline_of("affine"))
    with pytest.raises(ValueError, match="images and labels must have one shape"):
        transform({"image": np.zeros((1, 4, 5, 6)), "label": np.zeros((1, 4, 5, 7))})
    with pytest.raises(RuntimeError, match="Error Volaugd getting the most recently"):
        transform.inverse(transforms.Flipd(KEYS, 0)(sample_of()))


def test_targets_of_another_name():
    pipeline = volaug.Compose(AFFINE_STEPS, targets={"t2": "image", "lesion": "label"})
    given = {"t2": sample_of()["image"], "lesion": sample_of()["label"]}
    result = Volaugd(["t2", "lesion"], pipeline).set_random_state(1)(given)
    expected = Volaugd(KEYS, pipeline).set_random_state(1)(sample_of())
    assert bits(result, ["t2", "lesion"]) == bits(expected)


def test_the_random_state_is_all_that_is_random():
    """Also for pipelines without a seed, each with another from the operating system."""

    def run(state, index=0, **options):
        transform = transforms.Compose([Volaugd(KEYS, pipeline_of(**options))])
        transform.set_random_state(state)
        return [bits(transform(sample_of())) for _ in range(3)][index]

    assert run(1) == run(1)
    assert len({tuple(run(state, index)) for state in (1, 2) for index in range(3)}) == 6
    assert run(1, seed=0) == run(1)
    assert run(1, seed=5) == run(1, seed=5) != run(1)


def test_copies_are_alike():
    transform = Volaugd(KEYS, pipeline_of()).set_random_state(1)
    transform(sample_of())
    copies = [copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))]
    expected = transform(sample_of())
    for other in copies:
        assert same(other(sample_of()), expected)


LOADERS = {
    "here": lambda d, **options: DataLoader(d, num_workers=0, **options),
    "two workers": lambda d, **options: DataLoader(d, num_workers=2, **options),
    "a thread": lambda d, **options: ThreadDataLoader(d, num_workers=0, **options),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_each_epoch_is_another_and_each_seed_the_same(kind):
    cases = [sample_of(seed) for seed in range(3)]

    def epochs(seed):
        steps = [transforms.Flipd(KEYS, 1), Volaugd(KEYS, pipeline_of())]
        dataset = CacheDataset(cases, transforms.Compose(steps), progress=False)
        generator = torch.Generator().manual_seed(seed)
        loader = LOADERS[kind](dataset, batch_size=2, generator=generator)
        return [[bits(batch) for batch in loader] for _ in range(2)]

    first = epochs(1)
    assert first[0] != first[1]
    assert epochs(1) == first
    assert epochs(2) != first


def test_a_pyramid_is_a_list_of_tensors():
    pipeline = volaug.Compose([RandomFlip(p=1), LabelPyramid([1, 0.5])])
    result = Volaugd(KEYS, pipeline)(sample_of())
    assert [tuple(level.shape) for level in result["label"]] == [(1, *SHAPE), (1, 10, 11, 14)]
    assert {type(level) for level in result["label"]} == {torch.Tensor}
    assert type(result["image"]) is MetaTensor


def test_metadata_are_not_tracked_if_monai_does_not():
    set_track_meta(False)
    try:
        for prob in (0.0, 1.0):
            result = Volaugd(KEYS, pipeline_of(), prob)(sample_of())
            assert {type(result[key]) for key in KEYS} == {torch.Tensor}
    finally:
        set_track_meta(True)


PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"


def test_the_page_runs():
    section = PAGE.read_text().split("\n## MONAI\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    batch, back = names["batch"], names["back"]
    assert batch["image"].shape == (2, 1, 32, 32, 32)
    assert back["label"].shape == (1, 40, 48, 44)
    assert back["label"].dtype == torch.uint8
