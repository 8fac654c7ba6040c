"""nnU-Net's transforms as its training makes them, and what they draw as volaug's operations."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from volaug.transforms.affine import Affine
from volaug.transforms.blur import Blur
from volaug.transforms.brightness import Brightness
from volaug.transforms.contrast import Contrast
from volaug.transforms.gamma import Gamma
from volaug.transforms.low_resolution import LowResolution
from volaug.transforms.noise import Noise

torch = pytest.importorskip("torch")
trainer = pytest.importorskip("nnunetv2.training.nnUNetTrainer.nnUNetTrainer").nnUNetTrainer

CHANNELS = 3
# Odd, so that low resolution has no ties.
SHAPE, PATCH = (41, 45, 37), (29, 31, 27)
FLAT_SHAPE, FLAT_PATCH = (5, 45, 37), (5, 31, 27)
DEEP = [1, 0.5, 0.25]
MASKED = (1,)

NOT_BLURRED, NOT_LOWERED = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

# Names of its steps after the warp, by those of volaug's records.
STEPS = {
    "RandomNoise": "GaussianNoiseTransform",
    "RandomBlur": "GaussianBlurTransform",
    "RandomBrightness": "MultiplicativeBrightnessTransform",
    "RandomContrast": "ContrastTransform",
    "RandomLowResolution": "SimulateLowResolutionTransform",
    "inverted gamma": "inverted GammaTransform",
    "RandomGamma": "GammaTransform",
    "MaskImage": "MaskImageTransform",
    "RemapLabels": "RemoveLabelTransform",
    "LabelPyramid": "DownsampleSegForDSTransform",
}

# What it drew, as volaug's operations.
OPERATIONS = {
    "RandomNoise": lambda found: Noise(found["sigmas"], "gaussian", False, 5),
    "RandomBlur": lambda found: Blur(of_channels(found, "sigmas", NOT_BLURRED), 3.0),
    "RandomBrightness": lambda found: Brightness(of_channels(found, "multipliers", 1.0)),
    "RandomContrast": lambda found: Contrast(of_channels(found, "multipliers", 1.0)),
    "RandomLowResolution": lambda found: LowResolution(of_channels(found, "scales", NOT_LOWERED)),
    "inverted gamma": lambda found: Gamma(of_channels(found, "gamma", 1.0), inverted=True),
    "RandomGamma": lambda found: Gamma(of_channels(found, "gamma", 1.0)),
}


def configured(patch):
    """What its trainer decides on: angles, whether slices are apart, and which axes it mirrors."""
    plans = SimpleNamespace(patch_size=patch)
    given = SimpleNamespace(configuration_manager=plans, print_to_log_file=lambda text: None)
    found = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size(given)
    return found[0], found[1], found[3]


def transforms_of(patch, deep=DEEP):
    """All of its transforms by their names, in their order."""
    angles, flat, axes = configured(patch)
    masked = [channel in MASKED for channel in range(CHANNELS)]
    composed = trainer.get_training_transforms(
        patch, angles, deep, axes, flat, use_mask_for_norm=masked
    )
    named = {}
    for transform in composed.transforms:
        step = inner(transform)
        inverted = getattr(step, "p_invert_image", 0) == 1
        named["inverted " * inverted + type(step).__name__] = transform
    blur = inner(named["GaussianBlurTransform"])
    blur.benchmark = False  # it would measure which of two ways is the faster
    return named


def inner(transform):
    """What is done, but for how likely it is."""
    return getattr(transform, "transform", transform)


def seeded(seed):
    np.random.seed(seed)  # noqa: NPY002 - from which batchgeneratorsv2 draws
    torch.manual_seed(seed)


def tensors(**arrays):
    """Copies, as its transforms work in place."""
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def of_channels(found, numbers, rest):
    """What it drew for each channel: the rest for those that it left out."""
    chosen = np.asarray(found["apply_to_channel"])
    chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    drawn = dict(zip(chosen.tolist(), np.asarray(found[numbers]).tolist(), strict=True))
    return tuple(drawn.get(channel, rest) for channel in range(CHANNELS))


def turned(record):
    """The angles and the scale that it has for what volaug drew; None for what was not."""
    drawn = [operation for _, operation in record.steps if isinstance(operation, Affine)]
    scales = [operation.scale for operation in drawn if operation.scale != (1.0, 1.0, 1.0)]
    turns = [operation.degrees for operation in drawn if operation.scale == (1.0, 1.0, 1.0)]
    angles = -np.radians(np.sum(turns, axis=0)) if turns else None
    return angles, 1.0 / scales[0][-1] if scales else None


def aim(step, record):
    """Let its SpatialTransform draw what volaug drew."""
    angles, scale = turned(record)
    flat = len(step.patch_size) == 2
    step.p_rotation, step.p_scaling = angles is not None, scale is not None
    step.rotation = lambda image, dim: angles[0 if flat else dim]
    step.scaling = scale


def image_of(shape=SHAPE):
    """Smooth, of mean 0 and standard deviation 1."""
    noise = np.random.default_rng(1).standard_normal((CHANNELS, *shape))
    image = ndimage.gaussian_filter(noise, (0, 1.5, 1.5, 1.5))
    image -= image.mean(axis=(1, 2, 3), keepdims=True)
    image /= image.std(axis=(1, 2, 3), keepdims=True)
    return image.astype(np.float32)


def label_of(shape=SHAPE, ids=(0, 1, 2, 3)):
    noise = np.random.default_rng(2).standard_normal((len(ids), *shape))
    smooth = ndimage.gaussian_filter(noise, (0, 1.5, 1.5, 1.5))
    return np.array(ids, np.int16)[smooth.argmax(axis=0)][np.newaxis]


def apart(found, expected):
    """By how much of the range two pictures differ at most."""
    return np.abs(found - expected).max() / np.ptp(expected)
