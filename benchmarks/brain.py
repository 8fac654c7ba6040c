"""The MNI152 brain at 1 mm and its labels, in cubes: what nilearn carries with it."""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from .problem import SEED, Array, Volume

TISSUES = 4  # background, gray matter, white matter, and what else is in the brain


@functools.lru_cache(2)
def brain(side: int) -> Volume:
    """Return the T1 average, 0 to 1, cut or padded with zeros to a cube about its center."""
    from nilearn.datasets import load_mni152_template

    image: Any = load_mni152_template(resolution=1)
    return _cube(np.asarray(image.dataobj, np.float32), side)


@functools.lru_cache(2)
def labels(side: int) -> npt.NDArray[np.uint8]:
    """Return the labels that the demo writes: 0 background, 1 gray, 2 white matter, 3 other."""
    from volaug.cli.demo.brain import load_brain

    return _cube(load_brain().labels, side)


@functools.lru_cache(2)
def parcels(side: int, classes: int) -> npt.NDArray[np.int16]:
    """Return a parcellation in nnU-Net's dtype, whose cells have about the same size.

    4 classes are the tissues of `labels`. Of more, 0 is the background; the others cut up the
    brain by which of so many of its voxels, drawn at random, is the nearest.
    """
    tissues = labels(side)
    if classes == TISSUES:
        return tissues.astype(np.int16)
    voxels = np.argwhere(tissues)
    seeds = np.random.default_rng(SEED).choice(voxels, classes - 1, replace=False)
    result = np.zeros(tissues.shape, np.int16)
    result[tissues > 0] = 1 + cKDTree(seeds).query(voxels)[1]
    return result


def _cube(scan: Array, side: int) -> Array:
    """Return a scan cut or padded with zeros about its center."""
    cube = np.zeros((side, side, side), scan.dtype)
    cut = tuple(slice(max(0, (n - side) // 2), max(0, (n - side) // 2) + side) for n in scan.shape)
    place = tuple(slice(max(0, (side - n) // 2), max(0, (side - n) // 2) + n) for n in scan.shape)
    cube[place] = scan[cut]
    return cube


@functools.lru_cache(2)
def case(scale: int) -> tuple[Volume, npt.NDArray[np.int16]]:
    """Return the whole T1 average, of mean 0 and standard deviation 1, and its tissue labels.

    Of every `scale`-th voxel along each axis.
    """
    from volaug.cli.demo.brain import load_brain

    loaded = load_brain()
    every = (slice(None, None, scale),) * 3
    image, label = loaded.image[every], loaded.labels[every].astype(np.int16)
    normal: Volume = (image - image.mean()) / image.std()
    return normal, np.ascontiguousarray(label)
