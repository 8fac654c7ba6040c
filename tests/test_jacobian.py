import tracemalloc

import numpy as np
import pytest
import scipy.interpolate

import reference
from support.volumes import SHAPES, mild_affine, random_affine
from volaug import Warp
from volaug.kernels.spline.jacobian import jacobian_planes

LATTICES = [(4, 4, 4), (4, 5, 6), (9, 4, 13)]


def random_warp(shape, lattice, size=1.0, seed=0):
    rng = np.random.default_rng(seed)
    matrix, offset = random_affine(rng, shape, shape)
    return Warp(shape, matrix, offset, rng.normal(0, size, (3, *lattice)))


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("shape", SHAPES[:-1])
@pytest.mark.slow
def test_equals_the_reference(shape, lattice):
    """Also more control points than voxels."""
    warp = random_warp(shape, lattice)
    expected = np.empty(shape)
    for voxel in np.ndindex(*shape):
        expected[voxel] = reference.determinant(warp.matrix, warp.control_points, shape, voxel)
    result = warp.jacobian_determinant()
    assert result.shape == shape
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("shape", "lattice"),
    [((19, 33, 64), (6, 7, 11)), ((20, 17, 100), (5, 9, 12)), ((12, 9, 90), (4, 6, 31))],
)
@pytest.mark.slow
def test_equals_scipy(shape, lattice):
    """Lattices of one, two and four groups of spans, from tensor products of scipy's B-splines."""
    warp = random_warp(shape, lattice, size=2.0)
    values, slopes = [], []
    for n, k in zip(shape, lattice, strict=True):
        knots = (np.arange(k + 4) - 3) * (n - 1) / (k - 3)
        basis = scipy.interpolate.BSpline(knots, np.eye(k), 3)
        values.append(basis(np.arange(n)))
        slopes.append(basis.derivative()(np.arange(n)))
    derivative = np.empty((*shape, 3, 3))
    for axis in range(3):
        weights = [slopes[i] if i == axis else values[i] for i in range(3)]
        derivative[..., axis] = np.einsum("cijk,xi,yj,zk->xyzc", warp.control_points, *weights)
    expected = np.linalg.det(warp.matrix @ (np.eye(3) + derivative))
    result = warp.jacobian_determinant()
    np.testing.assert_allclose(result, expected, atol=1e-12 * np.abs(expected).max())


def test_equals_differences_of_pull_points():
    shape = (15, 17, 40)
    warp = random_warp(shape, (5, 6, 8))
    voxels = np.indices(shape)[:, 1:-1, 1:-1, 1:-1].reshape(3, -1).T.astype(float)
    step = 1e-5
    derivative = np.stack(
        [
            (warp.points_to_input(voxels + along) - warp.points_to_input(voxels - along))
            / (2 * step)
            for along in step * np.eye(3)
        ],
        axis=-1,
    )
    result = warp.jacobian_determinant()[1:-1, 1:-1, 1:-1].ravel()
    np.testing.assert_allclose(result, np.linalg.det(derivative), atol=1e-8)


@pytest.mark.oracle("SimpleITK")
def test_is_near_simpleitk_of_the_dense_field():
    """Which takes differences between voxels: 0.004 off, where determinants are 0.3 to 1.9."""
    import SimpleITK as sitk

    shape = (50, 55, 60)
    points = np.random.default_rng(3).uniform(-15, 15, (3, 6, 6, 6))
    warp = Warp(shape, control_points=points)
    voxels = np.indices(shape).reshape(3, -1).T
    field = (warp.points_to_input(voxels) - voxels).reshape(*shape, 3)[..., ::-1]
    image = sitk.GetImageFromArray(np.ascontiguousarray(field), isVector=True)
    theirs = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(image))
    inner = (slice(1, -1),) * 3
    ours = warp.jacobian_determinant()[inner]
    assert np.ptp(ours) > 1
    np.testing.assert_allclose(ours, theirs[inner], atol=0.005)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 6, 20), (6, 1, 20), (6, 7, 1), (19, 18, 33)])
def test_the_least_is_that_of_the_dense_array(shape):
    """To the bit, for any number of threads, also of maps that mirror."""
    for sign in (1, -1):
        points = np.random.default_rng(5).normal(0, 1, (3, 5, 6, 12))
        warp = Warp(shape, np.diag((sign, 1.1, 0.9)), 0.0, points)
        dense = warp.jacobian_determinant(threads=1)
        least = dense.min()
        assert isinstance(warp.min_jacobian_determinant(), float)
        for threads in (1, 2, 3, 7):
            assert warp.min_jacobian_determinant(threads=threads) == least
            np.testing.assert_array_equal(warp.jacobian_determinant(threads=threads), dense)
        assert np.sign(np.median(dense)) == sign
    assert len(jacobian_planes.signatures) == 1


@pytest.mark.parametrize("elastic", [False, True])
def test_without_displacement_it_is_constant(elastic):
    matrix, offset = mild_affine((9, 10, 35))
    warp = Warp((9, 10, 35), matrix, offset, np.zeros((3, 5, 6, 13)) if elastic else None)
    expected = matrix[0] @ np.cross(matrix[1], matrix[2])
    result = warp.jacobian_determinant()
    assert result.shape == warp.shape
    np.testing.assert_allclose(result, expected, rtol=1e-13)
    assert warp.min_jacobian_determinant() == result.min()


def test_its_mean_is_the_change_of_volume():
    """What moves inside of a border that stays put changes no volume as a whole."""
    shape = (40, 45, 50)
    points = np.zeros((3, 10, 11, 12))
    inner = (slice(None), *[slice(3, -3)] * 3)
    points[inner] = np.random.default_rng(6).normal(0, 2, points[inner].shape)
    matrix, offset = mild_affine(shape)
    warp = Warp(shape, matrix, offset, points)
    determinants = warp.jacobian_determinant()
    assert np.ptp(determinants) > 0.5
    integral = determinants
    for n in shape:
        integral = np.trapezoid(integral, axis=0) / (n - 1)
    np.testing.assert_allclose(integral, np.linalg.det(matrix), rtol=1e-5)


def test_the_least_needs_no_dense_array():
    warp = random_warp((60, 70, 80), (5, 5, 5))
    warp.min_jacobian_determinant()
    tracemalloc.start()
    try:
        warp.min_jacobian_determinant()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.1 * 60 * 70 * 80 * 8


def test_bad_threads():
    for warp in (Warp((4, 5, 6)), random_warp((4, 5, 6), (4, 4, 4))):
        for method in (warp.jacobian_determinant, warp.min_jacobian_determinant):
            with pytest.raises(ValueError, match="threads must be a whole number of at least 1"):
                method(threads=0)
            with pytest.raises(TypeError, match="threads must be a whole number of at least 1"):
                method(threads=1.5)
