"""The presets, and images and labels for them."""

import numpy as np
from scipy import ndimage

from volaug.presets import mild_mri, nnunet, nnunet_elastic, strong_mri

PRESETS = [nnunet, nnunet_elastic, mild_mri, strong_mri]
NNUNETS, MRI = PRESETS[:2], PRESETS[2:]
SHAPE, PATCH = (30, 34, 38), (24, 20, 28)


def image_of(shape=SHAPE, channels=2):
    """Smooth, of mean 0 and standard deviation 1."""
    noise = np.random.default_rng(0).standard_normal((channels, *shape))
    image = ndimage.gaussian_filter(noise, (0, 2, 2, 2))
    image -= image.mean(axis=(1, 2, 3), keepdims=True)
    image /= image.std(axis=(1, 2, 3), keepdims=True)
    return image.astype(np.float32)
