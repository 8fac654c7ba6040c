"""What a pipeline does to each target of a sample."""

import pickle

import numpy as np
import pytest

from support.pipelines import BOXES, POINTS, WARPS, a_pipeline, bits
from support.volumes import nan_filled, random_labels, random_volume
from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomShear,
    RandomTranslation,
    Sample,
)
from volaug.checks import DTYPES

SMALL = (9, 10, 19)
PIPELINES = {
    "nothing": [],
    "nothing happens": [RandomElastic(p=0), RandomContrast(p=0)],
    "a crop": [CenterCrop(7)],
    "a crop of all": [RandomCrop(SMALL)],
    "a flip": [RandomFlip(p=1)],
    "no flip": [RandomFlip(p=0)],
    "a shift": [RandomTranslation(((2, 2), 0, 0), p=1)],
    "intensity alone": [RandomContrast(p=1)],
    "intensity twice": [RandomContrast(p=1), RandomContrast(p=1)],
    "an affine warp": [RandomAffine(p=1)],
    "two warps": [RandomShear(p=1), RandomContrast(p=1), RandomElastic(1.0, p=1)],
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_nothing_is_mutated_and_no_memory_is_shared(kind):
    given = {
        "image": random_volume((2, *SMALL)),
        "t2": np.asfortranarray(random_volume(SMALL, np.float64)),
        "label": random_labels(SMALL),
        "points": POINTS.copy(),
        "boxes": BOXES.copy(),
        "affine": np.diag((1.0, 2.0, 3.0, 1.0)),
    }
    before = bits(given)
    sample = Compose(PIPELINES[kind], targets={"t2": "image"})(**given)
    assert bits(given) == before
    assert set(sample) == set(given)
    results = [*sample.values(), sample.record.affine]
    for place, result in enumerate(results):
        for other in (*given.values(), *results[:place]):
            assert not np.shares_memory(result, other)
    text = sample.record.to_json()
    for array in (*given.values(), *sample.values()):
        array[...] = 0
    assert sample.record.to_json() == text


def test_a_pipeline_of_nothing_copies():
    image, label = random_volume(SMALL), random_labels(SMALL)
    for transforms in ([], [RandomFlip(p=0)], [Compose([])], [OneOf([Compose([])])]):
        sample = Compose(transforms, seed=1)(image=image, label=label, points=POINTS, index=0)
        assert bits(sample) == bits({"image": image, "label": label, "points": POINTS})
        assert list(sample) == ["image", "label", "points"]


def test_intensity_is_of_images_alone():
    given = {
        "image": random_volume(SMALL),
        "t2": random_volume(SMALL),
        "label": random_labels(SMALL),
    }
    pipeline = Compose([RandomContrast(0.5, p=1)], seed=1, targets={"t2": "image"})
    sample = pipeline(**given, points=POINTS, boxes=BOXES, index=0)
    same = {name for name, value in {**given, "points": POINTS, "boxes": BOXES}.items()
            if np.array_equal(sample[name], value)}  # fmt: skip
    assert same == {"label", "points", "boxes"}


TARGETS = {"t2": "image", "weights": "image", "parts": "label", "far": "points", "heads": "boxes"}
OPTIONS = {
    "interpolation": {"image": "cubic", "weights": "nearest", "parts": "nearest"},
    "mode": {"t2": "reflect", "label": "nearest", "parts": "grid-wrap"},
    "cval": {"image": (1.5, -2.0), "weights": np.nan, "label": 4, "parts": 2**40},
}
DEFAULTS = {
    "interpolation": {"t2": "linear", "label": "label"},
    "mode": dict.fromkeys(("image", "weights"), "constant"),
    "cval": {"t2": 0},
}


def test_each_target_is_warped_in_its_own_way():
    """As one warp of the same options does it."""
    given = {
        "image": random_volume((2, *SMALL)),
        "t2": random_volume(SMALL, np.int16, seed=1),
        "weights": random_volume((1, *SMALL), np.float64),
        "label": random_labels((2, *SMALL), np.uint8),
        "parts": random_labels(SMALL, np.int64) + 2**33,
    }
    places = {"points": POINTS, "far": POINTS + 40, "boxes": BOXES, "heads": BOXES[:1]}
    pipeline = Compose([*WARPS, RandomCrop((8, 12, 15))], seed=4, targets=TARGETS, **OPTIONS)
    sample = pipeline(**given, **places, index=6)
    warp = sample.record.warp
    assert sample.record == pipeline.draw(SMALL, index=6)
    for name, volume in given.items():
        options = {option: {**OPTIONS[option], **DEFAULTS[option]}[name] for option in OPTIONS}
        expected = warp.apply(volume, **options)
        assert expected.shape == (*volume.shape[:-3], 8, 12, 15)
        np.testing.assert_array_equal(sample[name], expected, err_msg=name, strict=True)
    for name in ("points", "far"):
        np.testing.assert_array_equal(sample[name], warp.points_to_output(places[name]))
    for name in ("boxes", "heads"):
        np.testing.assert_array_equal(sample[name], warp.boxes_to_output(places[name]))
    assert np.isnan(sample["weights"]).any()
    assert (sample["parts"] >= 2**33).all()  # it wraps; so its fill is nowhere


def test_a_builtin_name_may_be_of_another_kind():
    pipeline = Compose([RandomAffine(p=1)], seed=4, targets={"label": "image"})
    label = random_labels(SMALL, np.float32)
    sample = pipeline(label=label, index=0)
    np.testing.assert_array_equal(sample["label"], sample.record.warp.apply(label))


def test_channels_are_alike():
    images, parts = random_volume((3, *SMALL)), random_labels((2, *SMALL))
    pipeline = Compose([*WARPS, RandomContrast(0.5, p=1)], seed=4)
    together = pipeline(image=images, label=parts, index=1)
    for channel, image in enumerate(images):
        alone = pipeline(image=image, label=parts[channel % 2], index=1)
        np.testing.assert_array_equal(together["image"][channel], alone["image"])
        np.testing.assert_array_equal(together["label"][channel % 2], alone["label"])


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_stay(dtype):
    given = {"image": random_volume(SMALL, dtype), "label": random_volume((2, *SMALL), dtype)}
    pipeline = Compose([RandomShear(0.3, p=1), RandomContrast(0.5, p=1), RandomFlip(p=1)], seed=4)
    sample = pipeline(**given, index=1)
    for name, volume in given.items():
        assert sample[name].dtype == volume.dtype
        assert sample[name].shape == volume.shape
        assert set(np.unique(sample["label"])) <= {0, *np.unique(given["label"])}


def test_large_labels_keep_every_bit():
    label = 2**62 + random_labels(SMALL, np.int64)
    sample = Compose(WARPS, seed=4, cval={"label": 2**62 + 1})(label=label, index=1)
    assert set(np.unique(sample["label"])) == set(np.unique(label))


# What is written last: a warp, a copy, a change of intensity, a second warp.
OUT_PIPELINES = {
    "a warp": [RandomAffine(p=1)],
    "a flip": [RandomFlip(p=1)],
    "nothing": [],
    "a crop": [RandomCrop((7, 14, 8))],
    "intensity last": [RandomAffine(p=1), RandomContrast(p=1)],
    "intensity alone": [RandomContrast(p=1)],
    "two warps": [RandomAffine(p=1), RandomContrast(p=1), RandomElastic(1.0, p=1)],
    "two crops": [RandomCrop((9, 9, 12)), RandomContrast(p=1), RandomCrop((7, 14, 8))],
}


@pytest.mark.parametrize("kind", OUT_PIPELINES)
def test_out_is_written_to_and_returned(kind):
    given = {
        "image": random_volume((2, *SMALL)),
        "t2": random_volume(SMALL, np.int16),
        "label": random_labels(SMALL),
    }
    pipeline = Compose(OUT_PIPELINES[kind], seed=4, targets={"t2": "image"})
    expected = pipeline(**given, index=1)
    batch = nan_filled((3, *expected["image"].shape), np.float32)
    out = {"image": batch[1], "t2": nan_filled(expected["t2"].shape, np.int16)[:, ::-1]}
    sample = pipeline(**given, index=1, out=out)
    assert list(out) == ["image", "t2"]
    for name, array in out.items():
        assert sample[name] is array
    assert bits(sample) == bits(expected)
    assert np.isnan(batch[[0, 2]]).all()


@pytest.mark.parametrize("kind", OUT_PIPELINES)
@pytest.mark.oracle("torch")
def test_torch_tensors_are_read_and_written(kind):
    import torch

    given = {"image": random_volume((2, *SMALL)), "label": random_labels(SMALL), "points": POINTS}
    pipeline = Compose(OUT_PIPELINES[kind], seed=4)
    expected = pipeline(**given, index=1)
    tensors = {name: torch.from_numpy(array) for name, array in given.items()}
    assert bits(pipeline(**tensors, index=1)) == bits(expected)
    out = {"image": torch.full(expected["image"].shape, torch.nan)}
    sample = pipeline(**tensors, index=1, out=out)
    assert sample["image"] is out["image"]
    assert bits(sample) == bits(expected)


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "reversed": lambda array: array[::-1, :, ::-1].copy()[::-1, :, ::-1],
    "of a larger one": lambda array: np.pad(array, 2)[2:-2, 2:-2, 2:-2],
    "the other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "a nested list": lambda array: array.tolist(),
}


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("steps", [WARPS, [RandomFlip(p=1)], [RandomContrast(p=1)]])
def test_layouts_and_read_only_arrays(kind, steps):
    """The same values, in the input's order of memory."""
    image, label = random_volume(SMALL, np.float64), random_labels(SMALL, np.int64)
    pipeline = Compose(steps, seed=4)
    expected = pipeline(image=image, label=label, index=1)
    given = {"image": LAYOUTS[kind](image), "label": LAYOUTS[kind](label)}
    for array in given.values():
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    sample = pipeline(**given, index=1)
    for name, result in sample.items():
        # a sum in another order rounds its last bit another way
        np.testing.assert_allclose(result, expected[name], atol=1e-12, strict=True)
        assert result.flags.writeable
        if kind == "Fortran order":
            assert result.flags.f_contiguous


def test_the_size_of_voxels_comes_back():
    image = random_volume(SMALL)
    pipeline = Compose([RandomAffine(p=1), RandomContrast(p=1), RandomCrop((5, 6, 7))], seed=4)
    plain = pipeline(image=image, index=1)
    assert set(plain) == {"image"}
    assert plain.record.spacing is plain.record.affine is plain.record.output_affine is None

    spaced = pipeline(image=image, spacing=np.float32([1, 0.5, 2]), index=1)
    assert spaced["spacing"] == (1.0, 0.5, 2.0)
    assert set(spaced) == {"image", "spacing"}

    turned = np.array([[0, -0.5, 0, 9], [1, 0, 0, -7], [0, 0, 2, 5], [0, 0, 0, 1]])
    placed = pipeline(image=image, points=POINTS, affine=turned.tolist(), index=1)
    assert set(placed) == {"image", "points", "affine"}
    np.testing.assert_array_equal(placed.record.affine, turned)
    np.testing.assert_array_equal(placed["affine"], placed.record.cropped_affine)
    # in an overlay the voxel that a point is in now lies where the point was
    overlay = placed.record.output_affine
    np.testing.assert_allclose(
        placed["points"] @ overlay[:3, :3].T + overlay[:3, 3],
        POINTS @ turned[:3, :3].T + turned[:3, 3],
        atol=1e-9,
    )
    np.testing.assert_array_equal(placed["image"], spaced["image"])


def test_a_sample_is_a_dict_with_a_record():
    sample = a_pipeline()(image=random_volume(SMALL), points=POINTS, spacing=(1, 1, 2), index=1)
    assert isinstance(sample, dict)
    copied = pickle.loads(pickle.dumps(sample))
    assert isinstance(copied, Sample)
    assert bits(copied) == bits(sample)
    assert copied.record == sample.record
    again = copied.record.apply(image=random_volume(SMALL), points=POINTS)
    assert bits(again) == bits(sample)


@pytest.mark.oracle("torch")
def test_samples_pass_torchs_collate():
    from torch.utils import data

    pipeline = Compose([*WARPS, CenterCrop((8, 9, 10))], seed=4)
    affine = np.diag((1.0, 2.0, 3.0, 1.0))
    samples = [
        pipeline(
            image=random_volume((2, *SMALL)), label=random_labels(SMALL), affine=affine, index=index
        )
        for index in range(3)
    ]
    batch = data.default_collate(samples)
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "image": (3, 2, 8, 9, 10),
        "label": (3, 8, 9, 10),
        "affine": (3, 4, 4),
    }
    np.testing.assert_array_equal(batch["label"][2], samples[2]["label"])
