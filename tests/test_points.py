import itertools

import numpy as np
import pytest
import scipy.interpolate

import reference
from support.volumes import SHAPES, mild_affine, random_affine, random_volume
from volaug import Warp, set_num_threads
from volaug.kernels.spline.points import newton
from volaug.warping.geometry import inverse
from volaug.warping.geometry.bspline import interpolating
from volaug.warping.geometry.displacement import BATCH, displace, over_grid, take_steps

LATTICES = [(4, 4, 4), (4, 5, 6), (9, 4, 7)]


def elastic(shape=(31, 36, 41), lattice=(6, 7, 8), size=2.0, seed=0, **affine):
    points = np.random.default_rng(seed).uniform(-size, size, (3, *lattice))
    matrix, offset = mild_affine(shape)
    return Warp(shape, **{"matrix": matrix, "offset": offset, **affine}, control_points=points)


def places_in(shape, count=500, beyond=0.0, seed=1):
    last = np.subtract(shape, 1.0)
    return np.random.default_rng(seed).uniform(-beyond, last + beyond, (count, 3))


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("shape", SHAPES)
def test_pull_points_equals_the_reference(shape, lattice):
    """In the grid, on its faces and outside of it; also more control points than voxels."""
    rng = np.random.default_rng(sum(shape))
    matrix, offset = random_affine(rng, shape, shape)
    points = rng.normal(0, 2, (3, *lattice))
    places = np.concatenate(
        [
            places_in(shape, 20, beyond=6.0),
            list(itertools.product(*[(0, n - 1) for n in shape])),
        ]
    )
    expected = [reference.pull(matrix, offset, points, shape, place) for place in places]
    result = Warp(shape, matrix, offset, points).points_to_input(places)
    np.testing.assert_allclose(result, expected, atol=1e-12 * max(shape) ** 2)


def test_pull_points_is_where_apply_reads():
    """Ramps are interpolated without error."""
    warp = elastic(shape=(12, 13, 30))
    ramps = np.stack(np.meshgrid(*[np.arange(60.0)] * 3, indexing="ij"))
    moved = Warp(warp.shape, warp.matrix, warp.offset + 15, warp.control_points)
    read = moved.apply(ramps).reshape(3, -1).T
    voxels = np.indices(warp.shape).reshape(3, -1).T
    np.testing.assert_allclose(warp.points_to_input(voxels) + 15, read, atol=1e-8)


@pytest.mark.oracle("SimpleITK")
def test_pull_points_equals_simpleitk():
    import SimpleITK as sitk

    warp = elastic(matrix=np.eye(3), offset=0.0)
    transform = sitk.BSplineTransform(3, 3)
    transform.SetTransformDomainOrigin((0.0, 0.0, 0.0))
    transform.SetTransformDomainPhysicalDimensions([n - 1.0 for n in warp.shape[::-1]])
    transform.SetTransformDomainMeshSize([k - 3 for k in warp.control_points.shape[:0:-1]])
    transform.SetParameters(warp.control_points[::-1].ravel())
    places = places_in(warp.shape)
    expected = [transform.TransformPoint(place[::-1].tolist())[::-1] for place in places]
    np.testing.assert_allclose(warp.points_to_input(places), expected, atol=1e-9)


def test_there_is_no_jump_on_the_faces():
    warp = elastic(size=5.0)
    places = places_in(warp.shape, 60)
    for axis, face in itertools.product(range(3), (0, 1)):
        places[:, axis] = face * (warp.shape[axis] - 1)
        step = 1e-7 * np.eye(3)[axis]
        inner, outer = warp.points_to_input(places - step), warp.points_to_input(places + step)
        np.testing.assert_allclose(inner, outer, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_affine_warp_is_inverted_exactly(shape):
    rng = np.random.default_rng(sum(shape))
    matrix, offset = random_affine(rng, (9, 10, 11), shape)
    warp = Warp(shape, matrix, offset)
    places = places_in(shape, 50, beyond=1e3)
    pulled = warp.points_to_input(places)
    np.testing.assert_allclose(pulled, np.einsum("ij,nj->ni", matrix, places) + offset, rtol=1e-13)
    np.testing.assert_allclose(warp.points_to_output(pulled), places, atol=1e-10)
    undone = warp.inverse((9, 10, 11))
    assert undone.shape == (9, 10, 11)
    assert undone.control_points is None
    np.testing.assert_allclose(undone.points_to_input(pulled), places, atol=1e-10)


def test_a_quarter_turn_and_a_shift_are_exact_to_the_bit():
    matrix = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    warp = Warp((7, 8, 9), matrix, (6, 0, 2))
    places = np.indices((7, 8, 9)).reshape(3, -1).T
    np.testing.assert_array_equal(warp.points_to_output(warp.points_to_input(places)), places)
    volume = random_volume((8, 7, 12))
    there = warp.apply(volume, cval=np.nan)
    back = warp.inverse(volume.shape).apply(there, cval=np.nan)
    assert np.isfinite(back).any()
    np.testing.assert_array_equal(back[np.isfinite(back)], volume[np.isfinite(back)])


@pytest.mark.parametrize("size", [0.0, 0.1, 0.8])
@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("shape", [(20, 21, 33), (40, 25, 30), (1, 25, 30)])
def test_map_points_undoes_pull_points(shape, lattice, size):
    """The strongest field leaves a third of a voxel's volume."""
    spacing = min((n - 1) / (k - 3) for n, k in zip(shape, lattice, strict=True) if n > 1)
    warp = elastic(shape, lattice, size * spacing)
    assert warp.min_jacobian_determinant() > 0.3
    places = places_in(shape, 3000)
    np.testing.assert_allclose(
        warp.points_to_output(warp.points_to_input(places)), places, atol=1e-7
    )


def test_map_points_finds_what_is_outside():
    warp = elastic(size=3.0)
    read = places_in(warp.shape, 3000, beyond=1e4)
    found = warp.points_to_output(read)
    np.testing.assert_allclose(warp.points_to_input(found), read, atol=1e-7)
    assert (found < 0).any()


def test_map_points_follows_a_whirl():
    """A turn by up to 150 degrees about the center, fold-free, from which Newton starts far off."""
    shape, lattice = (61, 61, 61), (23, 23, 23)
    knots = np.stack(np.meshgrid(*[(np.arange(23.0) - 1) * 3] * 3, indexing="ij")) - 30.0
    angle = np.radians(150) * np.exp(-np.square(knots / 14.0).sum(axis=0))
    points = np.zeros((3, *lattice))
    points[0] = knots[0] * (np.cos(angle) - 1) - knots[1] * np.sin(angle)
    points[1] = knots[0] * np.sin(angle) + knots[1] * (np.cos(angle) - 1)
    warp = Warp(shape, control_points=points)
    assert warp.min_jacobian_determinant() > 0.3
    places = places_in(shape, 5000)
    np.testing.assert_allclose(
        warp.points_to_output(warp.points_to_input(places)), places, atol=1e-7
    )


def test_newton_converges_quadratically():
    warp = elastic(size=4.0)
    displacement = over_grid(warp.control_points, warp.shape)
    places = places_in(warp.shape, 2000)
    wanted = displace(displacement, places)
    errors = [
        np.abs(take_steps(displacement, wanted, steps)[0] - places).max() for steps in range(6)
    ]
    assert errors[0] > 1.0
    for before, after in itertools.pairwise(errors):
        assert after <= max(0.5 * before**2, 1e-9), errors
    assert errors[5] < 1e-9


def test_a_field_that_folds_gives_a_solution_or_nan():
    warp = elastic((20, 21, 33), (5, 6, 5), size=30.0)
    assert warp.min_jacobian_determinant() < 0
    places = places_in(warp.shape, 2000)
    read = warp.points_to_input(places)
    found = warp.points_to_output(read)
    lost = np.isnan(found).any(axis=1)
    assert lost.any()
    assert not lost.all()
    assert np.isnan(found[lost]).all()
    np.testing.assert_allclose(warp.points_to_input(found[~lost]), read[~lost], atol=1e-6)
    assert (np.abs(found - places)[~lost] > 1).any()  # another place that reads the same one


def test_any_layout_and_number_of_threads_gives_the_same_bits():
    warp = elastic()
    places = places_in(warp.shape, 3 * BATCH + 7, beyond=9.0)
    expected = warp.points_to_output(places)
    backwards = np.asfortranarray(places)[::-1]
    np.testing.assert_array_equal(warp.points_to_output(backwards)[::-1], expected)
    assert warp.points_to_output(places[:5].tolist()).tobytes() == expected[:5].tobytes()
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            np.testing.assert_array_equal(warp.points_to_output(places), expected)
    finally:
        set_num_threads(None)
    assert len(newton.signatures) == 1


@pytest.mark.parametrize("warp", [elastic(), elastic(shape=(1, 6, 7)), Warp((4, 5, 6), offset=2)])
def test_no_points_are_no_points(warp):
    for method in (warp.points_to_input, warp.points_to_output):
        result = method(np.empty((0, 3)))
        assert result.shape == (0, 3)
        assert result.dtype == np.float64
        for given in ([[1, 2, 3]], np.float32([[1, 2, 3]])):
            result = method(given)
            assert result.shape == (1, 3)
            assert result.dtype == np.float64
            assert result.flags.c_contiguous


@pytest.mark.parametrize("method", ["points_to_input", "points_to_output"])
def test_bad_points(method):
    call = getattr(Warp((4, 5, 6)), method)
    for given in ([1.0, 2.0, 3.0], np.zeros((3, 2)), np.zeros((2, 2, 3)), [[]], 5.0):
        with pytest.raises(ValueError, match=r"points must be .*\(N, 3\), got shape"):
            call(given)
    for given in ([[1.0, np.nan, 3.0]], [[np.inf, 0.0, 0.0]]):
        with pytest.raises(ValueError, match="points must be finite, got 1"):
            call(given)
    for given in ([["a", "b", "c"]], np.zeros((1, 3), complex), None, np.zeros((1, 3), bool)):
        with pytest.raises(TypeError, match=r"points must be .*\(N, 3\), got an array of dtype"):
            call(given)


def test_a_lattice_through_values_equals_scipy():
    """scipy's cubic spline through the same values is not-a-knot as well."""
    samples = np.random.default_rng(2).normal(size=(3, 4, 1, 9))
    points = interpolating(samples)
    assert points.shape == (3, 6, 4, 11)
    shape = (31, 1, 41)
    places = places_in(shape, 300)
    along2 = scipy.interpolate.make_interp_spline(np.linspace(0, 40, 9), samples, axis=3)
    expected = [
        scipy.interpolate.make_interp_spline(np.linspace(0, 30, 4), along2(z), axis=1)(x)[:, 0]
        for x, _, z in places
    ]
    result = displace(over_grid(points, shape), places) - places
    np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "source", "lattice", "size"),
    [
        ((31, 36, 41), (31, 36, 41), (6, 7, 8), 1.5),
        ((31, 36, 41), (25, 50, 33), (4, 5, 7), 3.0),
        ((64, 50, 70), (64, 50, 70), (7, 7, 7), 3.0),
        ((1, 36, 41), (1, 30, 50), (5, 6, 6), 1.5),
        ((20, 24, 22), (22, 2, 20), (5, 5, 4), 1.0),
    ],
)
def test_the_inverse_undoes_a_displacement(shape, source, lattice, size):
    matrix, _ = mild_affine(shape)
    if shape[0] == 1:  # the plane stays in itself
        matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.1, 0.2], [0.0, -0.3, 0.9]])
    offset = np.subtract(source, 1) / 2 - matrix @ (np.subtract(shape, 1) / 2)
    points = np.random.default_rng(4).uniform(-size, size, (3, *lattice))
    points[0] *= shape[0] > 1
    warp = Warp(shape, matrix, offset, points)
    undone = warp.inverse(source)
    assert undone.shape == source
    places = places_in(shape, 100_000)
    read = warp.points_to_input(places)
    inside = ((read >= 0) & (read <= np.subtract(source, 1))).all(axis=1)
    assert inside.sum() > 1000
    error = np.abs(undone.points_to_input(read) - places)[inside].max()
    assert 0 < error < 1e-3


def test_an_image_comes_back():
    shape = (40, 44, 48)
    warp = elastic(shape, size=2.5, seed=3)
    x, y, z = np.indices(shape, dtype=float)
    volume = np.sin(x / 9) + np.cos(y / 11 + z / 13)
    there = warp.apply(volume, cval=np.nan)
    back = warp.inverse(shape).apply(there, cval=np.nan)
    seen = np.isfinite(back)
    assert seen.mean() > 0.3
    # twice linear interpolation: an eighth of the second derivative of each axis each time
    np.testing.assert_allclose(back[seen], volume[seen], atol=2 * (2 / 81 + 1 / 121 + 1 / 169) / 4)
    assert np.abs(there - volume)[np.isfinite(there)].max() > 0.5


def test_no_inverse_of_a_field_that_folds():
    for size in (30.0, 8.0):
        warp = elastic((20, 21, 33), (5, 6, 9), size=size)
        assert warp.min_jacobian_determinant() < 0
        with pytest.raises(ValueError, match="the warp has no inverse: its displacement folds"):
            warp.inverse((20, 21, 33))
    with pytest.raises(ValueError, match="shape must be three lengths"):
        warp.inverse((1, 2))


def test_no_inverse_on_a_lattice_too_large(monkeypatch):
    monkeypatch.setattr(inverse, "MAX_KNOTS", 40_000)
    elastic(size=0.5).inverse((31, 36, 41))
    with pytest.raises(ValueError, match=r"no inverse to 0.001 voxel .* \(the error was 0\.0"):
        elastic(size=3.0).inverse((31, 36, 41))
