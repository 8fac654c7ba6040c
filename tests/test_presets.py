"""Presets give finite samples as they say; test_nnunet_*.py compares nnU-Net's with its own."""

import json
import pickle

import numpy as np
import pytest

from support import toml
from support.preset_samples import MRI, NNUNETS, PATCH, PRESETS, SHAPE, image_of
from support.volumes import blob
from volaug import Compose, Record
from volaug.presets import mild_mri, nnunet, nnunet_elastic, strong_mri
from volaug.transforms.affine import Affine
from volaug.transforms.elastic import Elastic
from volaug.transforms.flip import Flip

# labels of these tests have no sides
pytestmark = pytest.mark.filterwarnings("ignore:this pipeline mirrors left and right")

SPACING = (6.0, 6.0, 5.0)  # as large as a head


def label_of(image):
    """-1 where it is dark, as outside of a case; two others."""
    return np.digitize(image[0], (-0.7, 0.7)).astype(np.int16) * 2 - 1


def head_of(dtype):
    """From 0 to 100, and dark where the border is near."""
    head = blob(SHAPE, np.subtract(SHAPE, 1) / 2, np.divide(SHAPE, 6))
    return (100 * head / (1 + np.exp(-3 * image_of()))).astype(dtype)


@pytest.mark.parametrize("preset", PRESETS)
def test_samples_are_finite_and_of_the_patchs_shape(preset):
    image = image_of()
    label = label_of(image)
    label[label < 0] = -1 if preset in NNUNETS else 0
    for index in range(30):
        sample = preset(PATCH, seed=0)(image=image, label=label, index=index)
        assert sample["image"].shape == (2, *PATCH)
        assert sample["image"].dtype == np.float32
        assert np.isfinite(sample["image"]).all()
        assert sample["label"].shape == PATCH
        assert sample["label"].dtype == np.int16
        assert set(np.unique(sample["label"])) == {0, 1, 3}


@pytest.mark.parametrize("preset", NNUNETS)
def test_angles(preset):
    def degrees(**options):
        pipeline = preset((24, 24, 24), seed=0, **options)
        records = [pipeline.draw(SHAPE, index=index) for index in range(100)]
        turns = [o.degrees for r in records for name, o in r.steps if "RandomRotation" in name]
        return np.array(turns)

    assert 25 < degrees().max() < 30
    assert set(degrees(rotation=(10, 10)).ravel()) == {0, 10}
    assert 9 < degrees(rotation=10, dummy_2d=True, slice_axis=0)[:, 0].max() < 10
    assert not degrees(rotation=10, dummy_2d=True, slice_axis=0)[:, 1:].any()
    with pytest.raises(ValueError, match="degrees"):
        preset(24, rotation=(10, 20, 30))


@pytest.mark.parametrize("preset", MRI)
def test_without_a_patch_the_shape_stays(preset):
    assert preset(seed=0)(image=image_of(), index=0)["image"].shape == (2, *SHAPE)
    assert preset(20, seed=0)(image=image_of(), index=0)["image"].shape == (2, 20, 20, 20)


@pytest.mark.parametrize("preset", NNUNETS)
def test_labels_come_in_each_scale(preset):
    image = image_of()
    pipeline = preset(PATCH, deep_supervision=[1, 0.5, (1, 0.5, 0.25)], seed=0)
    full, half, uneven = pipeline(image=image, label=label_of(image), index=0)["label"]
    assert full.shape == PATCH
    assert half.shape == (12, 10, 14)
    assert uneven.shape == (24, 10, 7)
    for label in (full, half, uneven):
        assert set(np.unique(label)) == {0, 1, 3}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "float64"])
@pytest.mark.parametrize("preset", MRI)
def test_mri_of_any_dtype(preset, dtype):
    image, pipeline = head_of(dtype), preset(seed=0)
    results = [pipeline(image=image, spacing=SPACING, index=i)["image"] for i in range(12)]
    for result in results:
        assert result.dtype == dtype
        assert np.isfinite(result).all()
    means = [result.mean(dtype=float) / image.mean(dtype=float) for result in results]
    assert 0.4 < min(means) < max(means) < 1.8  # none is empty or saturated
    assert len(set(means)) > 6


@pytest.mark.parametrize("preset", MRI)
def test_mri_of_any_scale(preset):
    """What is added is relative to the values."""
    image, pipeline = head_of(np.float32), preset(seed=0)
    for index in range(12):
        result = pipeline(image=image, spacing=SPACING, index=index)["image"]
        larger = pipeline(image=1000 * image, spacing=SPACING, index=index)["image"]
        np.testing.assert_allclose(larger / 1000, result, atol=1e-4 * np.ptp(result))


@pytest.mark.parametrize(
    ("preset", "share"),
    [(nnunet, 0.36), (nnunet_elastic, 1 - 0.8**4), (mild_mri, 0.36), (strong_mri, 0.75)],
)
@pytest.mark.slow
def test_how_many_samples_are_resampled(preset, share):
    pipeline, count, found = preset(16, seed=0), 2000, 0
    for index in range(count):
        steps = pipeline.draw((20, 20, 20), index=index).steps
        found += any(isinstance(operation, Affine | Elastic) for _, operation in steps)
    assert abs(found / count - share) < 4 * np.sqrt(share * (1 - share) / count)


@pytest.mark.parametrize("preset", [nnunet_elastic, mild_mri, strong_mri])
def test_nothing_folds(preset):
    elastic = 0
    for index in range(20):
        record = preset(PATCH, seed=0).draw(SHAPE, index=index)
        elastic += record.warp.control_points is not None
        flips = np.sign(np.linalg.det(record.warp.matrix))
        assert (flips * record.warp.jacobian_determinant()).min() > 0
    assert elastic > 2


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_key_gives_the_same_bits_for_any_threads(preset):
    image = image_of((48, 52, 50))
    label = np.abs(label_of(image))
    for index in range(8):
        pipeline = preset(44, seed=5)
        alone = pipeline(image=image, label=label, index=index, threads=1)
        for threads in (2, 3):
            shared = pipeline(image=image, label=label, index=index, threads=threads)
            np.testing.assert_array_equal(shared["image"], alone["image"])
            np.testing.assert_array_equal(shared["label"], alone["label"])


@pytest.mark.parametrize(
    "pipeline",
    [
        *(preset(PATCH, seed=3) for preset in PRESETS),
        *(preset(seed=3) for preset in MRI),
        *(
            preset(
                (4, 20, 28),
                mirror_axes=(1, 2),
                masked_channels=(0,),
                deep_supervision=[1, (1, 0.5, 0.5)],
                seed=3,
            )
            for preset in NNUNETS
        ),
    ],
    ids=repr,
)
def test_they_come_back_from_plain_values_toml_and_pickles(pipeline):
    plain = pipeline.to_dict()
    text = toml.dumps(plain)
    image = image_of()
    label = label_of(image)
    again = (
        Compose.from_dict(json.loads(json.dumps(plain))),
        Compose.from_toml(text),
        pickle.loads(pickle.dumps(pipeline)),
    )
    for index in range(8):
        record = pipeline.draw(SHAPE, channels=2, index=index)
        assert Record.from_json(record.to_json()) == record
        assert pickle.loads(pickle.dumps(record)) == record
        for other in again:
            assert other == pipeline
            assert other.draw(SHAPE, channels=2, index=index) == record
    expected = record.apply(image=image, label=label)
    result = again[0](image=image, label=label, index=7)
    np.testing.assert_array_equal(result["image"], expected["image"])


@pytest.mark.parametrize("preset", NNUNETS)
def test_what_lies_outside_is_background(preset):
    shape, patch = (10, 12, 14), (24, 16, 20)
    image, label = image_of(shape), np.full(shape, 2, np.int8)
    pipeline = preset(patch, masked_channels=(1,), seed=0)
    for index in range(20):
        sample = pipeline(image=image, label=label, index=index)
        voxels = np.indices(patch).reshape(3, -1).T
        places = sample.record.warp.points_to_input(voxels).reshape(*patch, 3)
        outside = ((places < -1) | (places > shape)).any(axis=-1)
        inside = ((places > 0) & (places < np.subtract(shape, 1))).all(axis=-1)
        assert outside.any()
        assert (sample["label"][outside] == 0).all()
        assert (sample["label"][inside] == 2).all()
        assert (sample["image"][1][outside] == 0).all()
        assert (sample["image"][1][inside] != 0).all()


@pytest.mark.parametrize("preset", NNUNETS)
def test_axes_that_are_not_to_be_mirrored_are_not(preset):
    for axes in ((), (1,), (0, 2)):
        records = [preset(16, mirror_axes=axes, seed=0).draw(SHAPE, index=i) for i in range(30)]
        flips = [operation for r in records for name, operation in r.steps if name == "RandomFlip"]
        assert {axis for flip in flips for axis in flip.axes} == set(axes)
    assert preset(16, mirror_axes=None) == preset(16, mirror_axes=())
    for axis in (0, 2, "LR"):
        one = preset(16, mirror_axes=axis, seed=0)
        assert one.draw(SHAPE, index=1) == preset(16, mirror_axes=(axis,), seed=0).draw(
            SHAPE, index=1
        )


@pytest.mark.parametrize("preset", MRI)
def test_heads_are_mirrored_left_and_right_in_any_storage_order(preset):
    """By the affine, or along axis 0 without one."""
    orders = {None: 0, (0, 1, 2): 0, (2, 1, 0): 2, (1, 0, 2): 1}  # (2, 1, 0) is SimpleITK's
    for order, expected in orders.items():
        affine = None if order is None else np.eye(4)[:, [*order, 3]]
        records = [preset(seed=0).draw(SHAPE, affine=affine, index=i) for i in range(30)]
        flips = [o.axes for r in records for _, o in r.steps if isinstance(o, Flip)]
        assert set(flips) == {(expected,)}
        assert 5 < len(flips) < 25


@pytest.mark.oracle("torch", "monai", "torchio")
def test_heads_are_mirrored_left_and_right_in_loops_of_others():
    import torch
    import torchio
    from monai import data as monai

    from volaug.integrations.monai import Volaugd
    from volaug.integrations.torchio import RandomVolaug

    affine = np.eye(4)[:, [2, 1, 0, 3]]
    voxels = torch.rand((1, 6, 7, 8))
    pipeline = Compose(mild_mri(seed=0).transforms[:1], seed=0)
    results = []
    for seed in range(6):
        tensor = monai.MetaTensor(voxels, affine=torch.as_tensor(affine))
        step = Volaugd("image", pipeline)
        step.set_random_state(seed)
        results.append(np.asarray(step({"image": tensor})["image"]))
        torch.manual_seed(seed)
        subject = torchio.Subject(image=torchio.ScalarImage(tensor=voxels, affine=affine))
        results.append(np.asarray(RandomVolaug(pipeline)(subject)["image"].data))
    given, mirrored = voxels.numpy(), voxels.numpy()[..., ::-1]
    found = [np.array_equal(result, mirrored) for result in results]
    assert all(f or np.array_equal(r, given) for f, r in zip(found, results, strict=True))
    assert any(found[::2])
    assert any(found[1::2])


@pytest.mark.parametrize("preset", NNUNETS)
def test_sides_swap_where_nnunet_mirrors(preset):
    label = np.zeros((20, 20, 20), np.int16)
    label[:10], label[10:] = 1, 2  # left and right
    pipeline, plain = (preset(16, mirror_axes=0, swap=swap, seed=5) for swap in ({(1, 2)}, None))
    mirrored = 0
    for index in range(12):
        swapped, kept = (each(label=label, index=index)["label"] for each in (pipeline, plain))
        assert (swapped[:3] == 1).mean() > 0.5  # left stays left
        mirrored += (swapped != kept).any()
    assert 0 < mirrored < 12
