"""Pipelines that are ready: what they give, take and refuse. For nnU-Net's see test_nnunet_*.py."""

import json
import pickle

import numpy as np
import pytest
from scipy import ndimage

from support import toml
from support.volumes import blob
from volaug import Compose, MaskImage, Record, RemapLabels, Stream
from volaug.presets import mild_mri, nnunet, nnunet_elastic, strong_mri
from volaug.transforms.affine import Affine
from volaug.transforms.elastic import Elastic
from volaug.transforms.flip import Flip
from volaug.transforms.low_resolution import LowResolution

PRESETS = [nnunet, nnunet_elastic, mild_mri, strong_mri]
NNUNETS, MRI = PRESETS[:2], PRESETS[2:]
SHAPE, PATCH = (30, 34, 38), (24, 20, 28)
SPACING = (6.0, 6.0, 5.0)  # as large as a head


def image_of(shape=SHAPE, channels=2):
    """Smooth, of mean 0 and standard deviation 1."""
    noise = np.random.default_rng(0).standard_normal((channels, *shape))
    image = ndimage.gaussian_filter(noise, (0, 2, 2, 2))
    image -= image.mean(axis=(1, 2, 3), keepdims=True)
    image /= image.std(axis=(1, 2, 3), keepdims=True)
    return image.astype(np.float32)


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


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("given", [{}, {"dummy_2d": True}, {"slice_axis": True}], ids=str)
@pytest.mark.parametrize("preset", NNUNETS)
def test_dummy_2d_moves_nothing_from_slice_to_slice(preset, given, axis):
    """Wherever the short axis stands, and of a cube by `slice_axis`."""
    slices = 20 if "slice_axis" in given else 6
    if "slice_axis" in given:
        given = {"slice_axis": axis, "dummy_2d": True}
    shape, patch = np.full(3, 64), np.full(3, 20)
    shape[axis] = patch[axis] = slices
    others = tuple(other for other in range(3) if other != axis)
    image = np.expand_dims(np.arange(1, slices + 1, dtype=np.float32), others)
    image = np.broadcast_to(image, shape)
    window = tuple(slice(0, length) for length in patch)
    pipeline, resampled = preset(patch, mirror_axes=others, seed=0, **given), 0
    for index in range(30):
        record = pipeline.draw(tuple(shape.tolist()), index=index)
        warp = record.warp
        np.testing.assert_allclose(warp.apply(image), image[window], rtol=1e-6)
        resampled += not np.isin(warp.matrix, (-1, 0, 1)).all() or warp.control_points is not None
        for _, operation in record.steps:
            if isinstance(operation, LowResolution):
                scales = np.array(operation.resolution).reshape(-1, 3)
                assert (scales[:, axis] == 1).all()
    assert resampled > 5


@pytest.mark.parametrize("preset", NNUNETS)
def test_dummy_2d_turns_by_up_to_180_degrees_about_the_slice_axis(preset):
    for axis, patch in enumerate([(20, 256, 256), (256, 20, 256), (256, 256, 20)]):
        pipeline = preset(patch, seed=0)
        steps = [step for i in range(300) for step in pipeline.draw(patch, index=i).steps]
        turns = [o.degrees for name, o in steps if name == "RandomRotation"]
        angles = np.abs(turns).max(axis=0)
        assert angles[axis] > 150
        assert np.count_nonzero(angles) == 1


@pytest.mark.parametrize("preset", NNUNETS)
def test_dummy_2d_is_for_slices_that_are_far_apart(preset):
    for patch in ((5, 16, 12), (16, 5, 12), (12, 16, 5)):
        axis = patch.index(5)
        assert preset(patch) == preset(patch, dummy_2d=True)
        assert preset(patch) == preset(patch, dummy_2d=True, slice_axis=axis)
        assert preset(patch) != preset(patch, dummy_2d=False)
        # nnU-Net's rule for an axis that is not the short one
        assert preset(patch, slice_axis=(axis + 1) % 3) == preset(patch, dummy_2d=False)
    for patch in ((5, 15, 15), (15, 5, 15), (15, 15, 5)):
        assert preset(patch) == preset(patch, dummy_2d=False)
        assert preset(patch, dummy_2d=True) != preset(patch)
    assert preset(16, dummy_2d=True, slice_axis=0) != preset(16)
    assert preset((1, 64, 256)) == preset((1, 64, 256), slice_axis=0)


@pytest.mark.parametrize(
    ("patch", "options"),
    [
        ((20, 20, 256), {}),
        ((20, 256, 20), {}),
        ((256, 24, 20), {}),
        ((20, 20, 256), {"dummy_2d": True}),
        ((16, 16, 16), {"dummy_2d": True}),
        ((32, 16, 16), {"dummy_2d": True}),
    ],
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_patch_that_does_not_show_its_slices_is_refused(preset, patch, options):
    with pytest.raises(ValueError, match=r"slice_axis must be given .*similar in length, got None"):
        preset(patch, **options)
    pipelines = [preset(patch, slice_axis=axis, **options) for axis in range(3)]
    assert pipelines[0] != pipelines[1] != pipelines[2]
    preset(patch, dummy_2d=False)


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


@pytest.mark.parametrize("patch", [(16, 16), 0, (16, 16, -1), 16.0, (16, 16, 16.0), "large", True])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_bad_patch_is_said(preset, patch):
    with pytest.raises((TypeError, ValueError), match=r"shape must be .*got"):
        preset(patch)


@pytest.mark.parametrize(
    "options",
    [
        {"patch_shape": None},
        {"dummy_2d": 1},
        {"dummy_2d": "yes"},
        {"slice_axis": 3},
        {"slice_axis": -1},
        {"slice_axis": 1.0},
        {"slice_axis": "SI"},
        {"slice_axis": True},
        {"mirror_axes": "RL"},
        {"mirror_axes": ("RL",)},
        {"mirror_axes": (3,)},
        {"mirror_axes": (0, 0)},
        {"mirror_axes": True},
        {"mirror_axes": 3},
        {"mirror_axes": 1.5},
        {"masked_channels": (-1,)},
        {"masked_channels": (0.5,)},
        {"masked_channels": 0.5},
        {"masked_channels": 0},  # which is not none at all
        {"deep_supervision": [2]},
        {"deep_supervision": [[1, 0.5]]},
        {"deep_supervision": 0.5},
        {"seed": -1},
    ],
    ids=str,
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_bad_option_is_said(preset, options):
    with pytest.raises((TypeError, ValueError), match=r" must .*got"):
        preset(**{"patch_shape": 16, **options})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch_shape", 16),
        ("patch_shape", (16, 16, 16)),
        ("mirror_axes", (0, 2)),
        ("mirror_axes", 0),
        ("masked_channels", (0, 1)),
        ("deep_supervision", (1.0, 0.5)),
    ],
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_options_may_be_numpys(preset, name, value):
    given = {"patch_shape": 16, name: np.array(value)[()]}
    assert preset(**given) == preset(**{"patch_shape": 16, name: value})


@pytest.mark.parametrize(
    ("label", "channels", "message"),
    [
        (np.ones(SHAPE, np.int16), (2,), "channels of 'image' to mask must be less than 2"),
        (np.ones(SHAPE, np.uint8), (), "'label': .* uint8, .*outside of 'label' by -1: .* int16"),
        (None, (0,), "unknown label that masks the image 'label'"),
    ],
)
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_sample_that_it_is_not_for_is_said_before_any_work(preset, label, channels, message):
    out = np.full((2, *PATCH), np.nan, np.float32)
    volumes = {"image": image_of()} if label is None else {"image": image_of(), "label": label}
    pipeline = preset(PATCH, masked_channels=channels, seed=0)
    for index in range(5):
        with pytest.raises(ValueError, match=message):
            pipeline(**volumes, out={"image": out}, index=index)
    assert np.isnan(out).all()


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


class Lazy:
    """What is sliced like an array, as in an HDF5 file, and not read before."""

    def __init__(self, array):
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, window):
        raise AssertionError("nothing needs to be read")


OUTSIDE = "outside of 'label' by -1: give it .* such as int16"


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("preset", NNUNETS)
def test_a_label_that_cannot_be_minus_1_is_refused_at_once(preset, dtype):
    """In words, and before a stream makes a batch."""
    image, label = image_of(), np.ones(SHAPE, dtype)
    pipeline = preset(PATCH, seed=0)
    record = pipeline.draw(SHAPE, index=0)
    calls = [
        lambda: pipeline(image=image, label=label, index=0),
        lambda: record.apply(label=label),
        lambda: record.invert(label=np.ones(PATCH, dtype)),
        lambda: Stream([{"label": label}], pipeline, patch_shape=PATCH, batch_size=1, seed=0),
        lambda: Stream([{"label": Lazy(label)}], pipeline, patch_shape=8, batch_size=1, seed=0),
        lambda: Stream(
            [lambda: {"image": image, "label": label}],
            pipeline, patch_shape=PATCH, batch_size=1, seed=0,
        ),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match=OUTSIDE):
            call()
    for signed in ("int8", "int16", "int32", "int64", "float32"):
        assert pipeline(image=image, label=label.astype(signed), index=0)["label"].dtype == signed


@pytest.mark.parametrize(
    ("name", "dtype", "cval", "advice"),
    [
        ("label", "uint8", 256, "int16"),
        ("label", "int16", 40000, "int32"),
        ("label", "int32", 2**40, "int64"),
        ("label", "int16", 0.5, "float32"),
        ("label", "int16", np.nan, "float32"),
        ("label", "float16", 1e6, "int32"),
        ("image", "uint8", -1, "int16"),
        ("image", "uint16", -1, "int32"),
        ("image", "int16", -1e-3, "float32"),
        ("image", "int64", 0.5, "float64"),
        ("image", "float16", 1e5, "float32"),
        ("image", "uint8", (0, -3), "int16"),
    ],
)
def test_a_fill_that_a_dtype_cannot_hold_is_refused_with_advice(name, dtype, cval, advice):
    volume = np.ones((2, *SHAPE), dtype)
    pipeline = Compose([], cval={name: cval}, seed=0)
    case = {name: volume}
    for call in (
        lambda: pipeline(**case, index=0),
        lambda: Stream([case], pipeline, patch_shape=8, batch_size=1, seed=0),
    ):
        with pytest.raises(ValueError, match=f"'{name}': cval must .*got .*such as {advice}$"):
            call()
    assert pipeline(**{name: volume.astype(advice)}, index=0)[name].dtype == advice


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cval": {"label": (1, 2, 3)}}, "'label': cval must .* each of 1 channels, got .*3.$"),
        ({"transforms": [MaskImage(value=-1)]}, "value must .* uint8, 0 to 255, got -1"),
        ({"transforms": [MaskImage(value=0, channels=3)]}, "to mask must be less than 1, got"),
        ({"transforms": [MaskImage("t2", p=0.01)]}, "unknown label that masks the image 't2'"),
        ({"transforms": [RemapLabels(0, new=300)]}, "'label' of uint8 cannot hold the label 300"),
    ],
)
def test_what_no_draw_can_do_is_refused_when_a_stream_is_made(options, message):
    pipeline = Compose(**{"transforms": [], **options})
    case = {"image": np.ones(SHAPE, np.uint8), "label": np.ones(SHAPE, np.uint8)}
    with pytest.raises(ValueError, match=message):
        Stream([case], pipeline, patch_shape=8, batch_size=1, seed=0)
