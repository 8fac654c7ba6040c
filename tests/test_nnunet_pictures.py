"""`presets.nnunet`, and each of its steps, makes the picture that nnU-Net makes of its numbers."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from scipy import stats

from support.nnunets import (
    CHANNELS,
    DEEP,
    FLAT_PATCH,
    FLAT_SHAPE,
    MASKED,
    OPERATIONS,
    PATCH,
    SHAPE,
    STEPS,
    aim,
    apart,
    image_of,
    inner,
    label_of,
    seeded,
    tensors,
    torch,
    transforms_of,
)
from support.volumes import drawn
from volaug import CenterCrop, LabelPyramid, MaskImage, RandomFlip, RemapLabels, Warp, presets
from volaug.transforms.blur import Blur
from volaug.transforms.brightness import Brightness
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.low_resolution import LowResolution, kept_voxels
from volaug.transforms.noise import Noise
from volaug.transforms.per_channel import ChannelId

pytestmark = pytest.mark.oracle("nnunetv2")

IMAGE = {"mode": "grid-constant", "cval": 0}
LABEL = {"mode": "grid-constant", "cval": -1, "interpolation": "label"}

CASES = [(SHAPE, PATCH), (FLAT_SHAPE, FLAT_PATCH)]
NAMES = {theirs: ours for ours, theirs in STEPS.items()}
SAMPLES = 25

# Of the image's range; 0 is the same bits.
BOUNDS = {
    "RandomBlur": 1e-6,
    "RandomBrightness": 0.0,
    "RandomContrast": 1e-6,
    "RandomLowResolution": 3e-6,
    "inverted gamma": 1e-6,
    "RandomGamma": 1e-6,
}


def changed(operation, image):
    result = image.copy()
    for number, channel in enumerate(result):
        operation.change(channel, ChannelId("image", number), 1)
    return result


def by_nnunet(step, **given):
    """What a step drew, and the picture that it made."""
    given = tensors(**given)
    found = step.get_parameters(**given)
    return found, step.apply(given, **found)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", BOUNDS)
def test_a_step_makes_the_same_picture(name, seed):
    image = image_of()
    seeded(seed)
    found, expected = by_nnunet(inner(transforms_of(SHAPE)[STEPS[name]]), image=image)
    result = changed(OPERATIONS[name](found), image)
    assert apart(result, expected["image"].numpy()) <= BOUNDS[name]


def test_low_resolution_keeps_torchs_voxels_but_for_ties():
    """Of two that are as near to a center torch keeps either, by how float32 is rounded."""
    others = 0
    for length in range(1, 65):
        voxels = torch.arange(length, dtype=torch.float32)[None, None]
        for count in range(1, length + 1):
            expected = torch.nn.functional.interpolate(voxels, count, mode="nearest-exact")
            other = kept_voxels(length, count) != expected[0, 0].numpy()
            tie = (2 * np.arange(count) + 1) * length % (2 * count) == 0
            assert tie[other].all()
            assert length % 2 == 0 or not tie.any()
            others += other.sum()
    assert others > 0


def test_noise_is_as_wide_and_as_normal():
    image = image_of()
    seeded(0)
    found, expected = by_nnunet(inner(transforms_of(SHAPE)["GaussianNoiseTransform"]), image=image)
    deviation, wanted = found["sigmas"], expected["image"].numpy() - image
    noise = changed(OPERATIONS["RandomNoise"](found), image) - image
    np.testing.assert_allclose(noise.std(axis=(1, 2, 3)), deviation, rtol=0.01)
    assert np.abs(noise.mean(axis=(1, 2, 3))).max() < 5 * deviation / np.sqrt(image[0].size)
    for ours, theirs in zip(noise, wanted, strict=True):
        assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-3
    between = np.corrcoef(noise.reshape(CHANNELS, -1)) - np.eye(CHANNELS)
    assert np.abs(between).max() < 5 / np.sqrt(image[0].size)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("shape", "patch"),
    [
        (SHAPE, PATCH),
        ((40, 46, 38), (24, 30, 22)),
        ((40, 46, 38), (40, 46, 38)),  # whose corners reach outside of the picture
        ((15, 17, 13), PATCH),  # and all around
    ],
)
def test_rotation_and_scaling_make_the_same_picture(shape, patch, seed):
    image, label = image_of(shape), label_of(shape)
    step = transforms_of(patch)["SpatialTransform"]
    step.p_rotation = step.p_scaling = 1
    seeded(seed)
    found, expected = by_nnunet(step, image=image, segmentation=label)
    center, matrix = np.array(found["center_location_in_pixels"]) - 0.5, found["affine"]
    warp = Warp(patch, matrix, center - matrix @ (np.array(patch) - 1) / 2)
    assert apart(warp.apply(image, **IMAGE), expected["image"].numpy()) < 1e-5
    wanted = expected["segmentation"].numpy()
    assert (warp.apply(label, **LABEL) != wanted).mean() < 3e-4
    if min(np.subtract(shape, patch)) <= 0:
        assert (wanted == -1).any()


def test_dummy_2d_makes_the_same_picture():
    image, label = image_of(FLAT_SHAPE), label_of(FLAT_SHAPE)
    steps = transforms_of(FLAT_PATCH)
    step = steps["SpatialTransform"]
    step.p_rotation = step.p_scaling = 1
    for seed in range(4):
        seeded(seed)
        slices = steps["Convert3DTo2DTransform"](**tensors(image=image, segmentation=label))
        found = step.get_parameters(**slices)
        expected = steps["Convert2DTo3DTransform"](**step.apply(slices, **found))
        matrix = scipy.linalg.block_diag(1, found["affine"])
        center = matrix @ (np.array(FLAT_PATCH) - 1) / 2
        warp = Warp(FLAT_PATCH, matrix, (np.array(FLAT_SHAPE) - 1) / 2 - center)
        assert apart(warp.apply(image, **IMAGE), expected["image"].numpy()) < 1e-5
        result = warp.apply(label, **LABEL)
        assert (result != expected["segmentation"].numpy()).mean() < 3e-4


@pytest.mark.parametrize(("shape", "patch"), CASES)
def test_turns_and_scales_come_in_nnunets_order(shape, patch):
    """What the preset draws makes the matrix that nnU-Net makes of these angles and this scale."""
    pipeline = presets.nnunet(patch, mirror_axes=(), seed=3)
    step, both = transforms_of(patch)["SpatialTransform"], 0
    picture = torch.zeros((1, *shape[-len(step.patch_size) :]))
    for index in range(200):
        record = pipeline.draw(shape, index=index)
        aim(step, record)
        matrix = step.get_parameters(image=picture)["affine"]
        matrix = np.eye(3) if matrix is None else matrix
        matrix = scipy.linalg.block_diag(*[1] * (3 - len(matrix)), matrix)
        np.testing.assert_allclose(record.warp.matrix, matrix, atol=1e-12)
        middle = record.warp.points_to_input([(np.array(patch) - 1) / 2])[0]
        np.testing.assert_allclose(middle, (np.array(shape) - 1) / 2, atol=1e-9)
        both += step.p_rotation and step.p_scaling
    assert both > 1


@pytest.mark.parametrize("patch", [PATCH, (28, 30, 26), (47, 45, 31), (60, 20, 37)])
def test_a_plain_crop_is_the_same(patch):
    """But where an odd length is cut out of an even one: nnU-Net's begins one voxel later."""
    image, label = image_of(), label_of()
    step = transforms_of(patch)["SpatialTransform"]
    step.p_rotation = step.p_scaling = 0
    expected = step(**tensors(image=image, segmentation=label))
    (crop,) = [t for t in presets.nnunet(patch).transforms if isinstance(t, CenterCrop)]
    warp = drawn([crop], SHAPE).warp
    np.testing.assert_array_equal(warp.apply(image, **IMAGE), expected["image"].numpy())
    np.testing.assert_array_equal(warp.apply(label, **LABEL), expected["segmentation"].numpy())


def test_mirroring_is_the_same():
    image, label = image_of(), label_of()
    step = transforms_of(SHAPE)["MirrorTransform"]
    for axes in ((), (0,), (1,), (2,), (0, 2), (0, 1, 2)):
        expected = step.apply(tensors(image=image, segmentation=label), axes=axes)
        warp = drawn([RandomFlip(axes, p=1)], SHAPE).warp if axes else Warp(SHAPE)
        np.testing.assert_array_equal(warp.apply(image), expected["image"].numpy())
        result = warp.apply(label, interpolation="label")
        np.testing.assert_array_equal(result, expected["segmentation"].numpy())


def test_masks_and_labels_are_the_same():
    shape = (36, 46, 37)
    image, label = image_of(shape), label_of(shape, ids=(-1, 0, 1, 2))
    steps, scales = transforms_of(SHAPE, deep=[*DEEP, (1, 0.5, 0.25)]), [*DEEP, (1, 0.5, 0.25)]
    given = tensors(image=image, segmentation=label)
    for name in ("MaskImageTransform", "RemoveLabelTransform", "DownsampleSegForDSTransform"):
        given = steps[name](**given)
    volaugs = [MaskImage(channels=MASKED), RemapLabels(-1, new=0), LabelPyramid(scales)]
    result = drawn(volaugs, shape).apply(image=image, label=label)
    np.testing.assert_array_equal(result["image"], given["image"].numpy())
    assert 0.1 < (result["image"] == 0).mean() * CHANNELS < 0.5
    for ours, theirs in zip(result["label"], given["segmentation"], strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize(
    "operation",
    [
        Blur((0.6, 0.8, 1.0), 3.0),
        Brightness(1.2),
        Contrast(0.8),
        LowResolution((0.7, 0.5, 0.9)),
        Gamma(1.4),
        Gamma(0.7, inverted=True),
    ],
    ids=repr,
)
def test_mirroring_may_come_before_other_steps(operation):
    image = image_of()
    for axes in ((1,), (2,), (3,), (1, 2, 3)):
        expected = np.flip(changed(operation, image), axes)
        assert apart(changed(operation, np.flip(image, axes)), expected) < 1e-6


def test_but_not_before_low_resolution_that_has_ties():
    image, half = image_of((40, 46, 38)), LowResolution((0.5, 1.0, 1.0))
    expected = np.flip(changed(half, image), 1)
    assert apart(changed(half, np.flip(image, 1)), expected) > 0.05


def parameters(step, operation):
    """What volaug drew, as a step of nnU-Net takes it."""
    channels, every = torch.arange(CHANNELS), torch.ones(CHANNELS, dtype=torch.bool)
    match operation:
        case Blur(sigma):
            chosen = torch.tensor(sigma)[:, 0] > 0
            return {"apply_to_channel": chosen, "sigmas": [s for s in sigma if s[0] > 0]}
        case LowResolution(scale):
            scales = torch.tensor(scale)
            chosen = scales[:, -1] < 1
            return {"apply_to_channel": channels[chosen], "scales": scales[chosen]}
        case Brightness(factor) | Contrast(factor):
            return {"apply_to_channel": channels, "multipliers": torch.tensor(factor)}
        case Gamma(exponent):
            return {
                "apply_to_channel": channels,
                "gamma": torch.tensor(exponent),
                "invert_image": every & (step.p_invert_image == 1),
                "retain_stats": every & (step.p_retain_stats == 1),
            }


def sample_of(record, image, label):
    """What nnU-Net's transforms, in their order, make of the numbers that were drawn."""
    given, drawn = tensors(image=image, segmentation=label), dict(record.steps)
    for name, transform in transforms_of(record.output_shape).items():
        step, ours = inner(transform), NAMES.get(name)
        if name == "SpatialTransform":
            aim(step, record)
        if name == "MirrorTransform":
            axes = drawn["RandomFlip"].axes if "RandomFlip" in drawn else ()
            given = step.apply(given, axes=axes)
        elif step is transform:
            given = step(**given)
        elif ours in drawn:
            given = step.apply(given, **parameters(step, drawn[ours]))
    return given


def records(shape, patch):
    """Without noise, which comes from other random numbers."""
    pipeline = presets.nnunet(patch, masked_channels=MASKED, deep_supervision=DEEP, seed=2)
    for index in range(SAMPLES):
        record = pipeline.draw(shape, channels=CHANNELS, index=index)
        steps = (step for step in record.steps if not isinstance(step[1], Noise))
        yield replace(record, steps=tuple(steps))


@pytest.mark.parametrize(("shape", "patch"), CASES)
def test_samples_are_the_same(shape, patch):
    """Though volaug mirrors first, and nnU-Net when it is done with the image."""
    image, label = image_of(shape), label_of(shape, ids=(-1, 1, 2, 3))
    for record in records(shape, patch):
        result, expected = record.apply(image=image, label=label), sample_of(record, image, label)
        same = result["label"][0] == expected["segmentation"][0].numpy()
        assert (~same).mean() < 1e-3
        # 0 is what was masked: where labels differ, that may as well
        assert apart(result["image"] * same, expected["image"].numpy() * same) < 1e-5
        for ours, theirs in zip(result["label"], expected["segmentation"], strict=True):
            assert (ours != theirs.numpy()).sum() <= (~same).sum()


@pytest.mark.parametrize(("shape", "patch"), CASES)
def test_all_steps_are_among_these_samples(shape, patch):
    names = {name for record in records(shape, patch) for name, _ in record.steps}
    assert names >= {"RandomRotation", "RandomScaling", "RandomFlip", *STEPS} - {"RandomNoise"}
