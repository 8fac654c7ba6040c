"""SimpleITK's resampling filter through its own transforms. Its axes run backwards."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import volaug

from ...problem import Floats
from ..case import Case
from ..contender import FEW, SOME, Contender, needs

INTERPOLATORS = {
    "nearest": "sitkNearestNeighbor",
    "linear": "sitkLinear",
    "cubic": "sitkBSpline",
    "label": "sitkLabelLinear",
}


@needs("SimpleITK")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the warp, which returns a new image."""
    sitk = _simpleitk()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(case.threads)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(case.matrix[::-1, 2::-1].ravel().tolist())
    affine.SetTranslation(case.matrix[::-1, 3].tolist())
    transform = affine
    if case.control_points is not None:
        # of the transforms of a composite, the last is applied first
        spline = as_transform(case.control_points, case.volume.shape)
        transform = sitk.CompositeTransform([affine, spline])
    image = sitk.GetImageFromArray(case.volume)
    interpolator = getattr(sitk, INTERPOLATORS[case.interpolation])

    def run() -> Any:
        return sitk.Resample(image, image, transform, interpolator, 0.0, image.GetPixelID())

    repeats = FEW if case.control_points is not None or case.interpolation == "cubic" else SOME
    yield Contender(
        "SimpleITK",
        sitk.__version__,
        case.threads,
        repeats,
        run,
        lambda result: (sitk.GetArrayViewFromImage(result),),
    )


def as_transform(control_points: Floats, shape: tuple[int, ...]) -> Any:
    """Return the B-spline transform whose control points lie where volaug's do.

    ITK's domain is that of the knot spans: as many as control points less three, from the
    first voxel to the last one.
    """
    sitk = _simpleitk()
    transform = sitk.BSplineTransform(3, 3)
    transform.SetTransformDomainOrigin((0.0, 0.0, 0.0))
    transform.SetTransformDomainDirection(np.eye(3).ravel().tolist())
    transform.SetTransformDomainPhysicalDimensions([n - 1.0 for n in reversed(shape)])
    transform.SetTransformDomainMeshSize([k - 3 for k in reversed(control_points.shape[1:])])
    transform.SetParameters(control_points[::-1].ravel().tolist())
    return transform


def _simpleitk() -> Any:
    import SimpleITK

    return SimpleITK


def spline_difference(control_points: Floats, side: int, samples: int = 2000) -> float:
    """Return how far volaug's and SimpleITK's displacements lie apart, in voxels, at most.

    A linear ramp is interpolated without error, so that its warped picture is the position
    that was read. A ramp of two voxels, stretched over all that is read, is enough.
    """
    margin = np.abs(control_points).max()
    scale = 1.0 / (side - 1 + 2 * margin)
    voxels = np.random.default_rng(0).integers(0, side, (samples, 3))
    voxels[:2] = [[0], [side - 1]]  # the ends of the lattice
    positions = np.empty((samples, 3))
    for axis in range(3):
        ramp = np.zeros((2, 2, 2))
        ramp.swapaxes(0, axis)[1] = 1.0
        read = volaug.elastic_deform(
            ramp,
            control_points,
            matrix=np.eye(3) * scale,
            offset=scale * margin,
            output_shape=(side, side, side),
        )
        positions[:, axis] = read[tuple(voxels.T)] / scale - margin
    transform = as_transform(control_points, (side, side, side))
    points = voxels[:, ::-1].astype(float).tolist()
    wanted = [transform.TransformPoint(point)[::-1] for point in points]
    return float(np.abs(positions - wanted).max())
