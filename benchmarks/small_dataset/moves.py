"""A head moved by SimpleITK, as a stranger to volaug would: what a network is tested on."""

import math

import numpy as np
import SimpleITK as itk

from .heads import Head, Image, Label

# At strength 1. Angles and lengths are standard deviations about each axis; the others are how far
# a uniform draw goes to either side.
DEGREES = 10.0
TRANSLATION = 6.0  # mm
SCALE = 0.12  # logarithm
CONTROL_POINT = 5.0  # mm
MESH = (4, 4, 4)
GAMMA = 0.4  # logarithm
BIAS = 0.3  # logarithm at the border, along a random direction
NOISE = 0.04  # of the intensity's 99th percentile, standard deviation

# Standard deviation over width of a Gaussian whose width at half height is 1.
SIGMA = 1 / 2.355
MULTIPLE = 16  # the lengths of all axes, for a network with four halvings

Pair = tuple[Image, Label]


def at_rest(head: Head, spacing: float) -> Pair:
    """Return a head as it is, in a grid of `spacing` mm."""
    return _resampled(head, spacing, itk.Transform(3, itk.sitkIdentity))


def moved(head: Head, spacing: float, strength: float, seed: int) -> Pair:
    """Return a head moved at random: turned, shifted, scaled, bent by a B-spline, and its contrast.

    Parameters
    ----------
    strength : float
        0 leaves it at rest; all amounts grow in proportion.
    seed : int
        The same seed has the same directions at each strength.

    Returns
    -------
    image, label
        The image has mean 0 and standard deviation 1 over the brain.
    """
    if strength == 0:
        return at_rest(head, spacing)
    rng = np.random.default_rng(seed)
    center = tuple(_itk(head.image, head).TransformContinuousIndexToPhysicalPoint(
        [(n - 1) / 2 for n in head.image.shape]))  # fmt: skip
    rigid = itk.Euler3DTransform(
        center,
        *(math.radians(DEGREES) * strength * rng.standard_normal(3)).tolist(),
        (TRANSLATION * strength * rng.standard_normal(3)).tolist(),
    )
    scale = itk.ScaleTransform(3, np.exp(SCALE * strength * rng.uniform(-1, 1, 3)).tolist())
    scale.SetCenter(center)
    spline = itk.BSplineTransformInitializer(_itk(head.image, head), MESH)
    points = CONTROL_POINT * strength * rng.standard_normal(len(spline.GetParameters()))
    spline.SetParameters(points.tolist())
    image, label = _resampled(head, spacing, itk.CompositeTransform([rigid, scale, spline]))
    return _other_contrast(image, strength, rng), label


def normalized(image: Image) -> Image:
    """Return an image of mean 0 and standard deviation 1 over the brain, and 0 outside."""
    brain = image > 0.02 * image.max()
    result: Image = np.zeros_like(image)
    result[brain] = (image[brain] - image[brain].mean()) / image[brain].std()
    return result


def _itk(voxels: Image | Label, head: Head) -> itk.Image:
    """Return an array with axes towards right, front and top as an image of SimpleITK."""
    image = itk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    x, y, z = head.affine[:3, 3].tolist()
    image.SetOrigin((-x, -y, z))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return image


def _resampled(head: Head, spacing: float, transform: itk.Transform) -> Pair:
    """Resample through a transform; the image is smoothed first, as large voxels see it."""
    reference = _itk(head.image, head)
    lengths = [math.ceil(n / spacing / MULTIPLE) * MULTIPLE for n in head.image.shape]
    # the middle of both grids is the same point
    margin = [
        (n - 1 - (m - 1) * spacing) / 2 for n, m in zip(head.image.shape, lengths, strict=True)
    ]
    grid = itk.ResampleImageFilter()
    grid.SetSize(lengths)
    grid.SetOutputSpacing((spacing,) * 3)
    grid.SetOutputDirection(reference.GetDirection())
    grid.SetOutputOrigin(reference.TransformContinuousIndexToPhysicalPoint(margin))
    grid.SetTransform(transform)
    results = []
    smooth = itk.SmoothingRecursiveGaussian(reference, SIGMA * spacing)
    for source, way in (
        (smooth, itk.sitkLinear),
        (_itk(head.label, head), itk.sitkNearestNeighbor),
    ):
        grid.SetInterpolator(way)
        results.append(itk.GetArrayFromImage(grid.Execute(source)).T.copy())
    return results[0].clip(0), results[1]


def _other_contrast(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Return an image with another gamma, a bias field and noise within the head."""
    top = float(np.percentile(image[image > 0], 99))
    bright = top * (image / top) ** math.exp(GAMMA * strength * rng.uniform(-1, 1))
    direction = rng.standard_normal(3)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape), indexing="ij")
    field = np.tensordot(direction / np.linalg.norm(direction), np.stack(axes), 1)
    bright *= np.exp(BIAS * strength * field)
    bright += (NOISE * strength * top * rng.standard_normal(image.shape)) * (image > 0)
    return bright.clip(0).astype(np.float32)
