"""No tissue folds over itself, unless it may; and no displacement is smaller than it must be."""

import warnings

import numpy as np
import pytest
import scipy.interpolate
from hypothesis import given, settings, strategies as st

from support.volumes import drawn
from volaug import CenterCrop, Compose, RandomAffine, RandomElastic, Warp
from volaug.warping.geometry.folding import CHOI_LEE_LIMIT, max_injective_scale

SHAPE, SPACING = (17, 15, 19), (0.8, 1.1, 3.0)
CHOI_LEE = 1 / 2.479472335  # of the knot spacing: their limit for three dimensions


def spans(shape, lattice):
    """The distance of the knots, in voxels."""
    return (np.array(shape) - 1) / (np.array(lattice) - 3)


def is_certain(points, shape, sizes=(1.0, 1.0, 1.0)):
    """Whether either condition says that no place folds: control points in voxels."""
    h = spans(shape, points.shape[1:])
    near = all(np.abs(points[i]).max() < CHOI_LEE * h[i] for i in range(3))
    sums = [
        sum(
            np.abs(np.diff(points[i], axis=j)).max() * sizes[i] / (h[j] * sizes[j])
            for j in range(3)
        )
        for i in range(3)
    ]
    return near or max(sums) < 1


def least_determinant_by_scipy(warp):
    """Of the derivative by scipy's B-splines at the voxels."""
    values, slopes = [], []
    for n, k in zip(warp.shape, warp.control_points.shape[1:], strict=True):
        basis = scipy.interpolate.BSpline((np.arange(k + 4) - 3) * (n - 1) / (k - 3), np.eye(k), 3)
        values.append(basis(np.arange(n)))
        slopes.append(basis.derivative()(np.arange(n)))
    derivative = np.empty((*warp.shape, 3, 3))
    for axis in range(3):
        weights = [slopes[i] if i == axis else values[i] for i in range(3)]
        derivative[..., axis] = np.einsum(
            "cijk,xi,yj,zk->xyzc", warp.control_points, *weights, optimize=True
        )
    return np.linalg.det(np.eye(3) + derivative).min()


def worst_signs(shape, lattice, place, rng):
    """Control points of -1 and 1 that fold most at a place if multiplied by the Choi-Lee limit.

    The determinant is linear in the points of each component, so that each in turn is at its
    worst at one of its ends.
    """
    h = spans(shape, lattice)
    values, slopes = [], []
    for x, n, k in zip(place, shape, lattice, strict=True):
        knots = (np.arange(k + 4) - 3) * (n - 1) / (k - 3)
        basis = scipy.interpolate.BSpline(knots, np.eye(k), 3)
        values.append(basis(x))
        slopes.append(basis.derivative()(x))
    gradients = np.stack(
        [
            np.einsum("i,j,k->ijk", *[(slopes if i == axis else values)[i] for i in range(3)])
            for axis in range(3)
        ]
    )
    signs = rng.choice([-1.0, 1.0], (3, *lattice))
    for step in range(30):
        row = step % 3
        jacobian = np.eye(3) + CHOI_LEE * h[:, None] * np.einsum("aijk,cijk->ca", gradients, signs)
        cofactors = np.cross(jacobian[(row + 1) % 3], jacobian[(row + 2) % 3])
        signs[row] = -np.sign(np.einsum("a,aijk->ijk", cofactors, gradients) + 1e-300)
    return signs


@pytest.mark.parametrize("spacing", [None, SPACING])
@pytest.mark.parametrize(
    ("reach", "options"),
    [
        (0.4033, {}),
        (1e4, {}),
        (0.4033, {"locked_borders": 2}),
        (1e4, {"num_control_points": (4, 5, 10)}),
    ],
)
@pytest.mark.slow
def test_none_of_many_draws_at_the_limit_folds(reach, options, spacing):
    """The limit is what needs no certificate; far beyond it, the displacement shrinks."""
    lattice = np.broadcast_to(options.get("num_control_points", 7), 3)
    limit = reach * spans(SHAPE, lattice) * (1.0 if spacing is None else np.array(spacing))
    pipeline = Compose([RandomElastic(tuple(limit), p=1, **options)], seed=5)
    least = []
    for index in range(1000 if not options else 200):
        warp = pipeline.draw(SHAPE, spacing=spacing, index=index).warp
        least.append(warp.jacobian_determinant(threads=1).min())
        if index < 3:
            assert least[-1] == pytest.approx(least_determinant_by_scipy(warp), abs=1e-12)
    assert 0 < min(least) < 0.75
    assert max(least) < 1


@pytest.mark.slow
def test_the_worst_of_all_displacements_at_the_limit_does_not_fold():
    """Points come back through it; and one a thousandth beyond it does, as the limit is tight."""
    shape, lattice = (13, 16, 19), (4, 4, 4)
    rng, least, beyond = np.random.default_rng(0), [], []
    places = rng.uniform(-3, 20, (100, 3))
    for _ in range(80):
        place = rng.integers(0, shape)
        signs = worst_signs(shape, lattice, place, rng)
        points = CHOI_LEE_LIMIT * spans(shape, lattice)[:, None, None, None] * signs
        assert max_injective_scale(points * (1 - 1e-8), shape, np.ones(3)) >= 1
        warp = Warp(shape, control_points=points)
        least.append(warp.jacobian_determinant().min())
        np.testing.assert_allclose(
            warp.points_to_output(warp.points_to_input(places)), places, atol=1e-6
        )
        beyond.append(Warp(shape, control_points=1.001 * points).min_jacobian_determinant())
    assert 0 < min(least) < 1e-3
    assert min(beyond) < 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), SPACING])
@pytest.mark.parametrize(
    "options",
    [
        {"max_displacement": 2.0, "num_control_points": 7},
        {"max_displacement": 4.0, "num_control_points": (4, 5, 7)},
        {"max_displacement": 1e6, "num_control_points": 5},
        {"max_displacement": (0, 5.0, 5.0), "num_control_points": (1, 7, 7)},
        {"max_displacement": (0, 0, 25.0), "num_control_points": (4, 7, 4)},
        {"max_displacement": (50.0, 0.1, 0.1), "num_control_points": (6, 7, 8)},
    ],
)
@pytest.mark.slow
def test_it_shrinks_by_no_more_than_is_needed(options, spacing):
    """What is left is as it was drawn, or a share of it that could not be larger."""
    shrunk = 0
    for index in range(30):
        record = drawn([RandomElastic(p=1, **options)], SHAPE, index, spacing=spacing)
        asked = record.steps[0][1].control_points / np.reshape(spacing, (3, 1, 1, 1))
        points = record.warp.control_points
        share = np.abs(points).max() / np.abs(asked).max()
        np.testing.assert_allclose(points, share * asked, atol=1e-12)
        assert is_certain(points, SHAPE, spacing)
        if is_certain(asked, SHAPE, spacing):
            assert share == pytest.approx(1, abs=1e-4)  # Choi and Lee's limit is rounded down
        else:
            shrunk += 1
            assert share < 1
            assert not is_certain(1.0001 * points, SHAPE, spacing)
    assert shrunk > 0


@pytest.mark.slow
def test_it_is_asked_of_all_steps_together():
    """Each is harmless, and their sum is not; the strictest of them counts."""
    shrunk = 0
    for index in range(50):
        lattices = (5, 7, 11)
        free = [RandomElastic(0.7, num_control_points=k, folding="allow", p=1) for k in lattices]
        assert all(is_certain(drawn([s], SHAPE, index).warp.control_points, SHAPE) for s in free)
        total = drawn(free, SHAPE, index).warp.control_points
        ways = zip(lattices, ("allow", "forbid", "warn"), strict=True)
        steps = [RandomElastic(0.7, num_control_points=k, folding=way, p=1) for k, way in ways]
        warp = drawn(steps, SHAPE, index).warp
        assert warp.min_jacobian_determinant() > 0
        share = np.abs(warp.control_points).max() / np.abs(total).max()
        np.testing.assert_allclose(warp.control_points, share * total, atol=1e-12)
        if not is_certain(total, SHAPE):
            shrunk += 1
            assert is_certain(warp.control_points, SHAPE)
            assert not is_certain(1.0001 * warp.control_points, SHAPE)
    assert shrunk > 20


def test_what_shrinks_evenly_stops_just_before_nothing_is_left():
    """Where the displacement is linear the certificate is no bound but the determinant itself."""
    for axis in range(3):
        points = np.zeros((3, 6, 7, 8))
        ramp = (np.arange(points.shape[1 + axis]) - 1) * spans(SHAPE, points.shape[1:])[axis]
        points[axis] = -1.5 * np.expand_dims(ramp, [other for other in range(3) if other != axis])
        factor = max_injective_scale(points, SHAPE, np.ones(3))
        assert factor == pytest.approx(1 / 1.5, rel=1e-8)
        assert 0 < Warp(SHAPE, control_points=factor * points).min_jacobian_determinant() < 1e-8


def test_a_crop_counts_its_own_knots():
    """The lattice lies over the window, where the same points lie closer together."""
    steps = [RandomAffine(p=1), CenterCrop((9, 8, 11)), RandomElastic(2.5, p=1)]
    for index in range(50):
        warp = drawn(steps, (60, 70, 50), index).warp
        assert is_certain(warp.control_points, (9, 8, 11))
        assert warp.min_jacobian_determinant() > 0


@pytest.mark.parametrize("reach", [1.0, 2.0, 5.0, 30.0])
@pytest.mark.slow
def test_a_warning_comes_exactly_if_it_folds(reach):
    """Also where no certificate holds; the displacement stays as it was drawn."""
    outcomes = set()
    for index in range(40):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warp = drawn([RandomElastic(reach, folding="warn", p=1)], SHAPE, index).warp
        allowed = drawn([RandomElastic(reach, folding="allow", p=1)], SHAPE, index).warp
        assert warp == allowed
        least = least_determinant_by_scipy(warp)
        assert len(caught) == (least <= 0)
        if caught:
            message = str(caught[0].message)
            assert f"folds: its minimal Jacobian determinant is {least:.3g}" in message
        outcomes.add((is_certain(warp.control_points, SHAPE), least > 0))
    expected = {
        1.0: {(True, True)},
        2.0: {(False, True)},
        5.0: {(False, True), (False, False)},
        30.0: {(False, False)},
    }
    assert outcomes == expected[reach]


@pytest.mark.filterwarnings("error")
def test_what_is_allowed_stays_as_it_was_drawn():
    record = drawn([RandomElastic(50.0, folding="allow", p=1)], SHAPE, spacing=SPACING)
    expected = record.steps[0][1].control_points / np.reshape(SPACING, (3, 1, 1, 1))
    np.testing.assert_allclose(record.warp.control_points, expected, rtol=1e-15)
    assert record.warp.min_jacobian_determinant() < 0
    assert np.abs(record.steps[0][1].control_points).max() > 49


@pytest.mark.parametrize("locked", range(4))
def test_locked_layers_do_not_move(locked):
    reach = (3.0, 4.0, 5.0)
    step = RandomElastic(
        reach, num_control_points=(8, 9, 10), locked_borders=locked, folding="allow", p=1
    )
    record = drawn([step], SHAPE)
    points = record.steps[0][1].control_points
    free = np.ones(points.shape[1:], bool)
    for axis in range(3):
        ends = free.swapaxes(0, axis)
        ends[:locked] = ends[len(ends) - locked :] = False
    assert (points[:, ~free] == 0).all()
    assert (points[:, free] != 0).all()

    moves = [0.0, 0.0, 0.0]
    places = np.random.default_rng(0).uniform(0, 1, (3000, 3)) * np.subtract(SHAPE, 1)
    for axis in range(3):
        for face in (0.0, SHAPE[axis] - 1.0):
            on_face = places.copy()
            on_face[:, axis] = face
            moved = np.abs(record.warp.points_to_input(on_face) - on_face)
            moves = np.maximum(moves, moved.max(axis=0))
    if locked == 3:
        assert (moves == 0).all()
    else:  # of the three layers that reach the border, whose shares are 1, 4 and 1 sixths
        share = (1, 5 / 6, 1 / 6)[locked]
        assert (moves < share * np.array(reach)).all()
        assert (moves > 0.3 * share * np.array(reach)).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.tuples(*[st.integers(7, 9)] * 3), st.floats(0.1, 20.0))
def test_volume_is_kept_within_locked_borders(index, lattice, reach):
    """The mean Jacobian determinant is that of the affine part."""
    shape = (41, 43, 45)
    steps = [
        RandomAffine(p=1),
        RandomElastic(reach, num_control_points=lattice, locked_borders=3, p=1),
    ]
    warp = drawn(steps, shape, index, spacing=SPACING).warp
    mean = warp.jacobian_determinant()
    assert np.ptp(mean) > 1e-3
    for n in shape:
        mean = np.trapezoid(mean, axis=0) / (n - 1)
    assert mean == pytest.approx(np.linalg.det(warp.matrix), rel=1e-4)


@pytest.mark.parametrize("axis", range(3))
def test_one_control_point_is_the_same_displacement_all_along_an_axis(axis):
    lattice, reach = np.insert([6, 7], axis, 1), np.insert([2.0, 3.0], axis, 1.0)
    step = RandomElastic(
        tuple(reach), num_control_points=tuple(lattice), locked_borders=2, folding="allow", p=1
    )
    warp = drawn([step], SHAPE).warp
    places = np.random.default_rng(0).uniform(0, 1, (100, 3)) * np.subtract(SHAPE, 1)
    moved = warp.points_to_input(places) - places
    elsewhere = places.copy()
    elsewhere[:, axis] = places[::-1, axis]
    np.testing.assert_allclose(warp.points_to_input(elsewhere) - elsewhere, moved, atol=1e-12)
    assert (np.abs(moved).max(axis=0) > 0.2).all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), SPACING])
@pytest.mark.parametrize("reach", [0.5, (1.0, 0.0, 7.0), 40.0])
def test_no_voxel_moves_further_than_said(reach, spacing):
    """In mm; where it may fold and so is not made smaller, some come to half of it."""
    limit = np.broadcast_to(reach, 3)
    for folding in ("forbid", "allow"):
        farthest = np.zeros(3)
        for index in range(20):
            step = RandomElastic(reach, folding=folding, p=1)
            warp = drawn([step], SHAPE, index, spacing=spacing).warp
            voxels = np.indices(SHAPE).reshape(3, -1).T
            moved = np.abs(warp.points_to_input(voxels) - voxels) * spacing
            assert (moved <= limit).all()
            farthest = np.maximum(farthest, moved.max(axis=0))
    assert (farthest >= 0.5 * limit).all()
