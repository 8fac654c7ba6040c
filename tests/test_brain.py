"""The engine on a real brain, against SimpleITK and scipy: noise hides what a brain shows."""

import numpy as np
import pytest
import scipy.ndimage

from support.volumes import mild_affine
from volaug import Warp

datasets = pytest.importorskip("nilearn.datasets")
sitk = pytest.importorskip("SimpleITK")
pytestmark = pytest.mark.oracle("SimpleITK")


@pytest.fixture(scope="module")
def brain():
    """MNI152 T1 at 2 mm, cut so that all three axes differ and none is a multiple of 8."""
    image = datasets.load_mni152_template(resolution=2)
    return np.ascontiguousarray(np.asarray(image.dataobj, np.float32)[:, 2:, 5:])


@pytest.fixture(scope="module")
def warp(brain):
    matrix, offset = mild_affine(brain.shape)
    points = np.random.default_rng(0).normal(0, 1.5, (3, 7, 8, 9))
    return Warp(brain.shape, matrix, offset, points)


def by_simpleitk(brain, warp, interpolator, elastic):
    """Its axes run from the fastest one, and a composite applies the last transform first."""
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(warp.matrix[::-1, ::-1].ravel().tolist())
    affine.SetTranslation(warp.offset[::-1].tolist())
    transform = affine
    if elastic:
        points = warp.control_points
        spline = sitk.BSplineTransform(3, 3)
        spline.SetTransformDomainOrigin((0.0, 0.0, 0.0))
        spline.SetTransformDomainPhysicalDimensions([n - 1.0 for n in brain.shape[::-1]])
        spline.SetTransformDomainMeshSize([k - 3 for k in points.shape[:0:-1]])
        spline.SetParameters(points[::-1].ravel().tolist())
        transform = sitk.CompositeTransform([affine, spline])
    image = sitk.GetImageFromArray(brain)
    return sitk.GetArrayFromImage(sitk.Resample(image, image, transform, interpolator, 0.0))


def places_of(warp):
    """Where each voxel reads, taken off ramps that are wide enough."""
    margin = 60
    wide = [n + 2 * margin for n in warp.shape]
    shifted = Warp(warp.shape, warp.matrix, warp.offset + margin, warp.control_points)
    ramps = [
        np.broadcast_to(
            np.arange(float(n)).reshape([-1 if i == axis else 1 for i in range(3)]), wide
        )
        for axis, n in enumerate(wide)
    ]
    return np.stack([shifted.apply(ramp) for ramp in ramps]) - margin


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.slow
def test_image_and_labels_equal_simpleitk_and_scipy(brain, warp, elastic):
    if not elastic:
        warp = Warp(warp.shape, warp.matrix, warp.offset)
    places = places_of(warp)
    last = np.reshape(brain.shape, (3, 1, 1, 1)) - 1
    inside = ((places > 1e-3) & (places < last - 1e-3)).all(axis=0)
    # ITK displaces nothing on the last faces of its lattice
    inside[-1], inside[:, -1], inside[:, :, -1] = False, False, False
    assert 0.6 < inside.mean() < 1.0

    result = warp.apply(brain)
    span = float(np.ptp(brain))
    expected = by_simpleitk(brain, warp, sitk.sitkLinear, elastic)
    np.testing.assert_allclose(result[inside], expected[inside], atol=1e-5 * span)
    by_scipy = scipy.ndimage.map_coordinates(brain.astype(float), places, order=1)
    np.testing.assert_allclose(result[inside], by_scipy[inside], atol=1e-5 * span)

    labels = np.digitize(brain, np.quantile(brain[brain > 0], (0.3, 0.6, 0.8))).astype(np.uint8)
    warped = warp.apply(labels, interpolation="nearest")
    expected = by_simpleitk(labels, warp, sitk.sitkNearestNeighbor, elastic)
    tie = (np.abs(places - np.floor(places) - 0.5) < 1e-5).any(axis=0)
    np.testing.assert_array_equal(warped[inside & ~tie], expected[inside & ~tie])
