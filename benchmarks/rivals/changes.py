"""Changes of an image's values: with which numbers, and by their definition in float64."""

import numpy as np
from scipy import ndimage

from ..problem import Floats, Volume

FACTOR = 1.2  # of brightness and contrast
EXPONENT = 1.3
DEVIATION = 0.05  # of noise
SIGMA = 0.75  # voxels
TRUNCATE = 3.0  # sigmas
SCALE = 0.75  # of the voxels along an axis


def brightness(volume: Volume) -> Floats:
    """Return all values multiplied."""
    return FACTOR * volume.astype(np.float64)


def contrast(volume: Volume) -> Floats:
    """Return the differences from the mean multiplied, cut to what the range was."""
    values = volume.astype(np.float64)
    stretched = FACTOR * (values - values.mean()) + values.mean()
    result: Floats = np.clip(stretched, values.min(), values.max())
    return result


def gamma(volume: Volume) -> Floats:
    """Return a power of what lies from 0 to 1, brought back to mean and deviation."""
    values = volume.astype(np.float64)
    powers = ((values - values.min()) / np.ptp(values)) ** EXPONENT
    result: Floats = (powers - powers.mean()) / powers.std() * values.std() + values.mean()
    return result


def blur(volume: Volume) -> Floats:
    """Return the Gaussian mean, mirrored at the border."""
    result: Floats = ndimage.gaussian_filter(
        volume.astype(np.float64), SIGMA, mode="mirror", truncate=TRUNCATE
    )
    return result


def low_resolution(volume: Volume) -> Floats:
    """Return what is mixed linearly from fewer voxels, which are the nearest ones."""
    result = volume.astype(np.float64)
    for axis, length in enumerate(volume.shape):
        count = round(length * SCALE)
        centers = (np.arange(count) + 0.5) * length / count
        kept = result.take(np.floor(centers).astype(int), axis)
        places = np.clip((np.arange(length) + 0.5) * count / length - 0.5, 0, count - 1)
        below = np.minimum(places.astype(int), count - 2)
        weights = (places - below).reshape([-1 if a == axis else 1 for a in range(3)])
        near, far = kept.take(below, axis), kept.take(below + 1, axis)
        result = near + weights * (far - near)
    return result
