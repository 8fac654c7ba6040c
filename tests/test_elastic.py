import numpy as np
import pytest
import scipy.ndimage

import reference
from support.volumes import SHAPES, mild_affine, nan_filled, random_affine, random_volume
from volaug import affine_transform, elastic_deform

LATTICES = [(4, 4, 4), (4, 5, 6), (9, 4, 7), (6, 11, 13)]
TOLERANCE = {np.float32: 2e-6, np.float64: 5e-9}


def random_lattice(lattice, size, seed=0):
    return np.random.default_rng(seed).normal(0, size, (3, *lattice))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("shape", SHAPES[:-1])
@pytest.mark.slow
def test_equals_the_reference(shape, lattice, dtype):
    """Also more control points than voxels, and axes of one voxel."""
    rng = np.random.default_rng(sum(shape))
    volume = random_volume(shape, dtype)
    target = tuple(int(n) for n in rng.integers(1, 12, 3))
    for out_shape in (shape, target):
        matrix, offset = random_affine(rng, shape, out_shape, 0.5)
        points = random_lattice(lattice, 1.0, seed=3)
        out = nan_filled(out_shape, dtype)
        elastic_deform(
            volume, points, matrix=matrix, offset=offset, output_shape=out_shape, cval=3.5, out=out
        )
        expected = reference.warp(volume, out_shape, matrix, offset, points, cval=3.5)
        np.testing.assert_allclose(out, expected, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("size", [0.0, 0.5, 3.0, 30.0])
@pytest.mark.parametrize("shift", [0.0, 5.5, 18.0, 60.0, -60.0])
@pytest.mark.slow
def test_equals_scipy_on_the_dense_field(size, shift):
    """From rows that are all inside to those that are mixed, and all outside."""
    shape = (18, 19, 35)
    volume = random_volume(shape)
    points = random_lattice((5, 6, 8), size)
    matrix, offset = mild_affine(shape)
    offset = offset + np.array((0.0, 0.1, shift))
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    places = places + reference.displacement_field(points, shape)
    places = np.einsum("ij,j...->i...", matrix, places) + offset[:, None, None, None]
    expected = scipy.ndimage.map_coordinates(
        volume.astype(float), places, order=1, mode="constant", cval=-2.0
    )
    out = nan_filled(shape, np.float32)
    elastic_deform(volume, points, matrix=matrix, offset=offset, cval=-2.0, out=out)
    np.testing.assert_allclose(out, expected, atol=3e-6)


def test_no_displacement_is_the_affine_map():
    volume = random_volume((20, 17, 40))
    matrix, offset = mild_affine(volume.shape)
    expected = affine_transform(volume, matrix, offset)
    result = elastic_deform(volume, np.zeros((3, 5, 6, 7)), matrix=matrix, offset=offset)
    np.testing.assert_allclose(result, expected, atol=2e-6)
    np.testing.assert_array_equal(elastic_deform(volume, np.zeros((3, 5, 6, 7))), volume)


def test_a_linear_lattice_is_an_affine_map():
    """A cubic B-spline reproduces a linear function of the knots' places."""
    shape, lattice = (18, 21, 37), (5, 7, 9)
    volume = random_volume(shape)
    rng = np.random.default_rng(5)
    slope = rng.uniform(-0.2, 0.2, (3, 3))
    knots = [(np.arange(k) - 1) * (n - 1) / (k - 3) for n, k in zip(shape, lattice, strict=True)]
    places = np.stack(np.meshgrid(*knots, indexing="ij"))
    result = elastic_deform(volume, np.einsum("ij,j...->i...", slope, places))
    expected = affine_transform(volume, np.eye(3) + slope)
    np.testing.assert_allclose(result, expected, atol=3e-6)


@pytest.mark.oracle("SimpleITK")
def test_displacement_equals_simpleitk_on_the_same_lattice():
    """The field read off ramps, whose interpolation is exact, to 1e-4 voxel."""
    import SimpleITK as sitk

    shape, lattice = (40, 45, 50), (6, 7, 8)
    points = random_lattice(lattice, 2.0)
    transform = sitk.BSplineTransform(3, 3)
    spacing = [(n - 1) / (k - 3) for n, k in zip(shape, lattice, strict=True)]
    # ITK counts axes from the fastest one, and its domain begins on the first span boundary
    transform.SetTransformDomainOrigin((0.0, 0.0, 0.0))
    transform.SetTransformDomainPhysicalDimensions([float(n - 1) for n in shape[::-1]])
    transform.SetTransformDomainMeshSize([k - 3 for k in lattice[::-1]])
    np.testing.assert_allclose(
        transform.GetCoefficientImages()[0].GetSpacing(), spacing[::-1], rtol=1e-12
    )
    transform.SetParameters(points[::-1].ravel())

    margin = 15.0
    ramps = np.stack(np.meshgrid(*[np.arange(n + 2 * margin) for n in shape], indexing="ij"))
    field = elastic_deform(ramps, points, offset=margin, output_shape=shape)
    rng = np.random.default_rng(1)
    for voxel in rng.integers(0, np.subtract(shape, 1), (300, 3)).tolist():
        ours = field[(slice(None), *voxel)] - margin
        theirs = transform.TransformPoint([float(i) for i in voxel[::-1]])[::-1]
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_voxel_reaches_only_those_who_read_it(bad):
    volume = random_volume((8, 9, 20))
    volume[3, 4, 10] = bad
    points = random_lattice((5, 4, 6), 0.8)
    result = elastic_deform(volume, points)
    marks = (~np.isfinite(volume)).astype(float)
    readers = reference.warp(marks, volume.shape, np.eye(3), 0.0, points) > 0
    assert readers.any()
    np.testing.assert_array_equal(~np.isfinite(result), readers)


def test_channels_are_warped_alike():
    volume = random_volume((3, 9, 10, 21))
    points = random_lattice((4, 5, 6), 2.0)
    out = elastic_deform(volume, points, out=nan_filled(volume.shape, np.float32))
    for channel in range(3):
        np.testing.assert_array_equal(out[channel], elastic_deform(volume[channel], points))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 6, 20), (6, 1, 20), (6, 7, 1)])
def test_an_axis_of_one_voxel_is_left_at_once(shape):
    volume = random_volume(shape)
    axis = shape.index(1)
    for size, same in ((0.0, True), (0.25, False), (-0.25, False)):
        points = np.zeros((3, 4, 5, 6))
        points[axis] = size
        result = elastic_deform(volume, points, cval=5.0)
        np.testing.assert_array_equal(result, volume if same else np.full_like(volume, 5.0))
        labels = elastic_deform(volume, points, cval=5.0, interpolation="nearest")
        np.testing.assert_array_equal(labels, result)
