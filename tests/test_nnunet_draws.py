"""`presets.nnunet` draws the same numbers as nnU-Net's own transforms, and as often."""

import functools
import itertools
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from support.nnunets import (
    CHANNELS,
    DEEP,
    MASKED,
    OPERATIONS,
    STEPS,
    configured,
    inner,
    seeded,
    torch,
    transforms_of,
)
from volaug import presets
from volaug.transforms.blur import Blur
from volaug.transforms.brightness import Brightness
from volaug.transforms.contrast import Contrast
from volaug.transforms.flip import Flip
from volaug.transforms.gamma import Gamma
from volaug.transforms.low_resolution import LowResolution
from volaug.transforms.noise import Noise

COUNT = 2000
SHAPES = {(16, 16, 16): (20, 20, 20), (4, 16, 16): (4, 20, 20)}
MIRRORS = ("mirror 0", "mirror 1", "mirror 2")
DRAWN = ("rotation", "scaling", *OPERATIONS)
PARTS = ("RandomBlur", "RandomLowResolution")  # which leave out channels

pytestmark = pytest.mark.oracle("nnunetv2")

patches = pytest.mark.parametrize("patch", SHAPES)
whose = pytest.mark.parametrize("whose", [0, 1], ids=["nnunets", "ours"])


class Draws(NamedTuple):
    happened: dict  # by name, in which samples something did
    numbers: dict  # by name, what was drawn whenever it did; NaN where a channel was left out


def spatial_numbers(matrix):
    """The angles and the scale that make a matrix, if it has them."""
    scales = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(scales, scales[0])  # one for all axes
    turn = np.eye(3)
    turn[-len(matrix) :, -len(matrix) :] = matrix / scales[0]
    found = {}
    if abs(scales[0] - 1) > 1e-9:
        found["scaling"] = scales[0]
    if np.abs(turn - np.eye(3)).max() > 1e-9:
        angles = Rotation.from_matrix(turn).as_euler("xyz")
        found["rotation"] = angles if len(matrix) == 3 else angles[0]
    return found


def numbers_of(operation):
    match operation:
        case Noise(std, "gaussian", False):
            return std
        case Blur(sigma):
            return np.where(np.array(sigma) == 0, np.nan, sigma)
        case LowResolution(scale):
            whole = (np.array(scale) == 1).all(axis=1, keepdims=True)
            return np.where(whole, np.nan, scale)
        case Brightness(factor) | Contrast(factor) | Gamma(factor):
            return factor


def by_nnunet(patch):
    """What happened to each of many samples, and its numbers."""
    transforms, image = transforms_of(patch), torch.zeros((CHANNELS, *SHAPES[patch]))
    to_slices = transforms.get("Convert3DTo2DTransform", dict)
    slices = to_slices(image=image)
    for _ in range(COUNT):
        matrix = transforms["SpatialTransform"].get_parameters(**slices)["affine"]
        found = {} if matrix is None else spatial_numbers(matrix)
        for name, read in OPERATIONS.items():
            transform = transforms[STEPS[name]]
            if transform.get_parameters(image=image)["apply_transform"]:
                drawn = inner(transform).get_parameters(image=image)
                found[name] = numbers_of(read(drawn))
        axes = transforms["MirrorTransform"].get_parameters(image=image)["axes"]
        yield found | {MIRRORS[axis]: 1 for axis in axes}


def by_volaug(patch):
    """The same of ours."""
    pipeline, flat = presets.nnunet(patch, seed=1), configured(patch)[1]
    for index in range(COUNT):
        record = pipeline.draw(SHAPES[patch], channels=CHANNELS, index=index)
        axes = [axis for _, step in record.steps if isinstance(step, Flip) for axis in step.axes]
        steps = tuple(step for step in record.steps if not isinstance(step[1], Flip))
        matrix = replace(record, steps=steps).warp.matrix
        if flat:
            assert matrix[0].tolist() == matrix[:, 0].tolist() == [1, 0, 0]
            matrix = matrix[1:, 1:]
        found = {name: numbers_of(step) for name, step in steps if name in OPERATIONS}
        yield spatial_numbers(matrix) | found | {MIRRORS[axis]: 1 for axis in axes}


@functools.cache
def draws(patch):
    """nnU-Net's and ours."""
    seeded(0)
    both = []
    for samples in ([*by_nnunet(patch)], [*by_volaug(patch)]):
        names = (*DRAWN, *MIRRORS)
        happened = {name: np.array([name in found for found in samples]) for name in names}
        numbers = {name: np.array([f[name] for f in samples if name in f]) for name in DRAWN}
        both.append(Draws(happened, numbers))
    return tuple(both)


def columns(drawn, name):
    """All that is drawn for itself: for each channel, of each axis or of all of them."""
    numbers = drawn.numbers[name]
    if name == "RandomLowResolution":
        numbers = numbers[..., -1]
    return numbers.reshape(len(numbers), -1).T


def limits(patch):
    """nnU-Net's, by its own attributes."""
    steps = {name: inner(transform) for name, transform in transforms_of(patch).items()}
    of = {ours: steps[theirs] for ours, theirs in STEPS.items()}
    return {
        "rotation": steps["SpatialTransform"].rotation,
        "scaling": steps["SpatialTransform"].scaling,
        "RandomNoise": of["RandomNoise"].noise_variance,
        "RandomBlur": of["RandomBlur"].blur_sigma,
        "RandomBrightness": of["RandomBrightness"].multiplier_range.contrast_range,
        "RandomContrast": of["RandomContrast"].contrast_range.contrast_range,
        "RandomLowResolution": of["RandomLowResolution"].scale,
        "inverted gamma": of["inverted gamma"].gamma.contrast_range,
        "RandomGamma": of["RandomGamma"].gamma.contrast_range,
    }


def independent(a, b):
    """Whether pairs of numbers are not correlated by more than 5 standard deviations."""
    both = ~np.isnan(a) & ~np.isnan(b)
    assert both.sum() > 50
    return abs(stats.spearmanr(a[both], b[both]).statistic) < 5 / np.sqrt(both.sum())


def alike(ours, theirs):
    """Whether shares of True differ by less than 5 standard deviations of their difference."""
    share = np.concatenate([ours, theirs]).mean()
    variance = share * (1 - share) * (1 / len(ours) + 1 / len(theirs))
    return abs(ours.mean() - theirs.mean()) < 5 * np.sqrt(variance)


@patches
def test_steps_and_their_probabilities_come_in_nnunets_order(patch):
    transforms = transforms_of(patch)
    spatial = transforms["SpatialTransform"]
    names = {theirs: ours for ours, theirs in STEPS.items()}
    after = {names[n]: t for n, t in transforms.items() if n in names}
    expected = [
        ("CenterCrop", 1),
        ("RandomFlip", 0.5),  # which nnU-Net has after "RandomGamma"
        *((name, getattr(step, "apply_probability", 1)) for name, step in after.items()),
    ]
    options = {"masked_channels": MASKED, "deep_supervision": DEEP}
    steps = presets.nnunet(patch, **options).transforms
    found = [(step.name or type(step).__name__, step.p) for step in steps]
    assert found[2:] == expected
    assert [p for _, p in found[:2]] == [spatial.p_rotation, spatial.p_scaling]
    for name, step in zip((name for name, _ in found), steps, strict=True):
        if name in PARTS:
            assert step.p_channel == inner(after[name]).p_per_channel
    assert [*transforms].index("MirrorTransform") == [*transforms].index("GammaTransform") + 1


def test_slices_are_apart_where_nnunets_are():
    for patch in [(16, 16, 16), (5, 15, 15), (5, 16, 15), (5, 5, 16), (40, 13, 40), (1, 3, 3)]:
        _, flat, axes = configured(patch)
        ours = functools.partial(presets.nnunet, patch, slice_axis=0)
        assert ours() == ours(dummy_2d=flat, mirror_axes=axes)
        assert ours() != ours(dummy_2d=not flat)


@patches
@pytest.mark.parametrize("name", [*DRAWN, *MIRRORS])
def test_it_happens_as_often(name, patch):
    theirs, ours = draws(patch)
    assert alike(ours.happened[name], theirs.happened[name])


@patches
@pytest.mark.parametrize("name", PARTS)
def test_it_happens_to_as_many_channels(name, patch):
    theirs, ours = (np.isnan(columns(drawn, name)) for drawn in draws(patch))
    for channel in range(len(ours)):
        assert alike(ours[channel], theirs[channel])


@patches
@pytest.mark.parametrize("name", DRAWN)
def test_numbers_have_the_same_distribution(name, patch):
    theirs, ours = (columns(drawn, name) for drawn in draws(patch))
    for a, b in zip(ours, theirs, strict=True):
        assert stats.ks_2samp(a[~np.isnan(a)], b[~np.isnan(b)]).pvalue > 1e-3


@patches
@pytest.mark.parametrize("name", DRAWN)
def test_numbers_have_the_same_range(name, patch):
    low, high = limits(patch)[name]
    found = columns(draws(patch)[1], name)
    least, greatest = np.nanmin(found), np.nanmax(found)
    near = 10 * (high - low) / np.count_nonzero(~np.isnan(found))
    assert low <= least < low + near
    assert high - near < greatest <= high


@whose
@patches
@pytest.mark.parametrize("name", DRAWN)
def test_axes_and_channels_are_drawn_apart(name, patch, whose):
    """But scaling and noise: they have one number."""
    found = columns(draws(patch)[whose], name)
    axes = 1 if configured(patch)[1] else 3
    wanted = {"rotation": axes, "scaling": 1, "RandomNoise": 1, "RandomBlur": 3 * CHANNELS}
    assert len(found) == wanted.get(name, CHANNELS)
    for a, b in itertools.combinations(found, 2):
        assert independent(a, b)


@whose
@patches
@pytest.mark.parametrize("name", PARTS)
def test_channels_are_left_out_apart(name, patch, whose):
    numbers = draws(patch)[whose].numbers[name]
    chosen = ~np.isnan(numbers[..., 0])
    np.testing.assert_array_equal(~np.isnan(numbers), np.stack([chosen] * 3, axis=-1))
    for a, b in itertools.combinations(chosen.T.astype(float), 2):
        assert independent(a, b)


@whose
@patches
def test_low_resolution_is_the_same_along_axes(patch, whose):
    found = draws(patch)[whose].numbers["RandomLowResolution"]
    found = found[~np.isnan(found).any(axis=-1)]
    np.testing.assert_array_equal(found[:, 1], found[:, 2])
    np.testing.assert_array_equal(found[:, 0], 1 if configured(patch)[1] else found[:, 1])


@whose
@patches
def test_steps_happen_independently(patch, whose):
    happened = draws(patch)[whose].happened
    for a, b in itertools.combinations(happened.values(), 2):
        expected = a.mean() * b.mean()
        deviation = np.sqrt(expected * (1 - a.mean()) * (1 - b.mean()) / COUNT)
        assert abs((a & b).mean() - expected) < 5 * deviation
