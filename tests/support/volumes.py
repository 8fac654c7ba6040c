"""Volumes and maps that several tests use: odd shapes, matrices unlike their transpose."""

import numpy as np
from scipy.spatial.transform import Rotation

from volaug import Compose, Warp

# one voxel wide on any axis, around multiples of eight lanes, longer than a tile of rows
SHAPES = [
    (1, 1, 1),
    (1, 5, 9),
    (6, 1, 17),
    (5, 7, 1),
    (1, 1, 8),
    (4, 5, 6),
    (5, 6, 7),
    (6, 7, 8),
    (7, 5, 9),
    (9, 4, 15),
    (3, 10, 16),
    (10, 3, 17),
    (19, 18, 33),
]


def random_volume(shape, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)


def random_labels(shape, dtype=np.int16, seed=1):
    return np.random.default_rng(seed).integers(0, 5, shape).astype(dtype)


def random_affine(rng, source, target, size=1.0):
    """A map that takes the target's center near the source's; far from symmetric."""
    matrix = Rotation.random(random_state=rng).as_matrix() @ np.diag(rng.uniform(0.6, 1.5, 3))
    matrix += rng.uniform(-0.2, 0.2, (3, 3))
    center = (np.subtract(source, 1) / 2) + rng.uniform(-2, 2, 3) * size
    return matrix, center - matrix @ (np.subtract(target, 1) / 2)


def random_warp(rng, source, target, elastic):
    matrix, offset = random_affine(rng, source, target, 2.0)
    points = rng.normal(0, 1.5, (3, *rng.integers(4, 8, 3))) if elastic else None
    return Warp(target, matrix, offset, points)


def mild_affine(shape):
    """Rotation by 15, 10 and -12 degrees, stretch and shear about the center, and a shift."""
    matrix = Rotation.from_euler("xyz", (15, 10, -12), degrees=True).as_matrix()
    matrix = (
        matrix @ np.diag((1.1, 0.95, 1.05)) @ np.array([[1, 0.05, 0], [0, 1, -0.03], [0, 0, 1]])
    )
    center = np.subtract(shape, 1) / 2
    return matrix, center - matrix @ center + (1.2, -2.1, 1.7)


def affine_of(order, signs, shifts):
    """The map of whole voxels that reads along axis ``order[k]``, forwards or backwards."""
    affine = np.zeros((3, 4))
    affine[range(3), order] = signs
    affine[:, 3] = shifts
    return affine


def nan_filled(shape, dtype):
    """Where a result goes: a voxel that nobody wrote shows."""
    dtype = np.dtype(dtype)
    return np.full(shape, np.nan if dtype.kind == "f" else 77, dtype)


def fixed(*numbers):
    """A range for each axis in which there is one number alone."""
    return tuple((number, number) for number in numbers)


def drawn(transforms, shape, index=0, spacing=None, affine=None, channels=1, **options):
    """The record of one draw of a pipeline."""
    pipeline = Compose(transforms, seed=0, **options)
    return pipeline.draw(shape, spacing=spacing, affine=affine, channels=channels, index=index)


def blob(shape, place, size):
    """A Gaussian around a place, `size` voxels wide: a number, or one an axis."""
    sizes = np.broadcast_to(size, 3)
    voxels = np.indices(shape, dtype=float)
    terms = zip(voxels, place, sizes, strict=True)
    return np.exp(-sum(((x - p) / s) ** 2 for x, p, s in terms) / 2).astype(np.float32)


def centroid(volume):
    """The mean place of what is in a volume."""
    volume = np.asarray(volume, dtype=float)
    return np.einsum("xyz,cxyz->c", volume, np.indices(volume.shape)) / volume.sum()
