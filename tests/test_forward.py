"""What a step says happens to the picture, happens to it: forwards, and in mm."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.volumes import blob, centroid, drawn, fixed, random_volume
from volaug import (
    RandomAffine,
    RandomElastic,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
)
from volaug.warping.geometry.forward import shaping, turning

SPACING = np.array((0.8, 1.1, 3.0))
AFFINE_STEP = RandomAffine(
    degrees=fixed(20, -35, 50),
    scale=fixed(1.3, 0.8, 1.1),
    shear=fixed(0.1, -0.2, 0.3),
    translation=fixed(4, -6, 9),
    p=1,
)


def block(shape, size=3):
    """A cube of ones in the middle of zeros."""
    volume = np.zeros(shape, np.float32)
    volume[tuple(slice(n // 2 - size // 2, n // 2 + size // 2 + 1) for n in shape)] = 1.0
    return volume


def oblique(spacing, mirrored):
    """From voxels to mm, the first axis against the hand of the others if mirrored."""
    affine = np.eye(4)
    turn = Rotation.from_euler("zxz", (25, -40, 70), degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag((-1.0 if mirrored else 1.0, 1.0, 1.0)) @ np.diag(spacing)
    affine[:3, 3] = (-90.0, 126.0, -72.0)
    return affine


@pytest.mark.parametrize("degrees", [(0, 0, 0), (30, 0, 0), (0, -70, 0), (25, -40, 200)])
def test_turning_is_about_the_fixed_axes_one_after_the_other(degrees):
    expected = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    np.testing.assert_allclose(turning(degrees), expected, atol=1e-15)


def test_shaping_by_its_definition():
    """Stretched first, and then sheared."""
    np.testing.assert_array_equal(shaping((2, 3, 5), (0, 0, 0)) @ (1, 1, 1), (2, 3, 5))
    shears = (0.1, 0.2, 0.3)
    expected = np.array(((2, 0, 0), (0.3, 3, 0), (0.2, 0.3, 1))).T  # where each axis goes
    np.testing.assert_allclose(shaping((2, 3, 1), shears), expected, rtol=1e-15)
    assert np.linalg.det(shaping((1, 1, 1), shears)) == 1


@pytest.mark.parametrize("spacing", [None, SPACING])
@pytest.mark.parametrize("shift", [(2, 0, 0), (0, -3, 0), (1, 2, -4)])
def test_a_shift_moves_a_block_to_higher_indices(shift, spacing):
    volume = block((15, 17, 21))
    size = 1.0 if spacing is None else spacing
    step = RandomTranslation(fixed(*(np.multiply(shift, size)).tolist()), p=1)
    moved = drawn([step], volume.shape, spacing=spacing).apply(image=volume)["image"]
    np.testing.assert_array_equal(moved, np.roll(volume, shift, (0, 1, 2)))


@pytest.mark.parametrize("spacing", [None, SPACING])
@pytest.mark.parametrize("axis", range(3))
def test_a_scale_of_two_doubles_what_there_is(axis, spacing):
    volume = block((15, 17, 21), size=5)
    scale = np.insert([1.0, 1.0], axis, 2.0).tolist()
    step = RandomScaling(fixed(*scale), p=1)
    result = drawn([step], volume.shape, spacing=spacing).apply(image=volume)["image"]
    np.testing.assert_allclose(result.sum(), 2 * volume.sum(), rtol=1e-6)
    np.testing.assert_allclose(centroid(result), centroid(volume), atol=1e-6)
    extents = [(np.ptp(np.nonzero(v)[axis]) + 1) for v in (volume, result)]
    assert extents == [5, 11]  # the edges fall between voxels: one more half at each end


@pytest.mark.parametrize(("axis", "first", "second"), [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_a_turn_is_right_handed(axis, first, second):
    """A quarter of it copies; a few degrees take what lies along one axis towards the next."""
    volume = random_volume((17, 17, 17))
    degrees = np.insert([0.0, 0.0], axis, 90.0)
    turned = drawn([RandomRotation(fixed(*degrees.tolist()), p=1)], volume.shape)
    expected = np.rot90(volume, axes=(first, second))
    np.testing.assert_array_equal(turned.apply(image=volume)["image"], expected)

    place = np.full(3, 8.0)
    place[first] = 13.0
    turned = drawn([RandomRotation(fixed(*(degrees / 9).tolist()), p=1)], volume.shape)
    moved = centroid(turned.apply(image=blob(volume.shape, place, 1.0))["image"]) - 8.0
    assert moved[second] == pytest.approx(5 * np.sin(np.radians(10)), abs=0.02)
    assert moved[first] == pytest.approx(5 * np.cos(np.radians(10)), abs=0.02)
    assert moved[axis] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("which", "along", "moves"), [(0, 1, 0), (1, 2, 0), (2, 2, 1)])
def test_a_shear_moves_one_axis_along_with_another(which, along, moves):
    shape, place = (41, 41, 41), np.full(3, 20.0)
    place[along] += 10
    shear = np.insert([0.0, 0.0], which, 0.4).tolist()
    record = drawn([RandomShear(fixed(*shear), p=1)], shape)
    expected = place.copy()
    expected[moves] += 4
    found = centroid(record.apply(image=blob(shape, place, 1.5))["image"])
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.linalg.det(record.warp.matrix) == pytest.approx(1)


def test_a_turned_ball_stays_a_ball_in_mm():
    """Its center moves as the axes of mm turn, and its covariance stays the same on all axes."""
    shape, degrees = (90, 70, 30), (30, 40, 50)
    center, away = (np.array(shape) - 1) / 2, np.array((10.0, -8.0, 6.0))
    ball = blob(shape, center + away / SPACING, 6.0 / SPACING)
    step, smooth = RandomRotation(fixed(*degrees), p=1), {"image": "cubic"}
    turned = drawn([step], shape, spacing=SPACING, interpolation=smooth).apply(image=ball)["image"]
    moved = (centroid(turned) - center) * SPACING
    expected = Rotation.from_euler("xyz", degrees, degrees=True).apply(away)
    np.testing.assert_allclose(moved, expected, atol=0.05)
    from_centroid = (np.indices(shape).T - centroid(turned)) * SPACING
    covariance = np.einsum("zyx,zyxi,zyxj->ij", turned.T, from_centroid, from_centroid)
    np.testing.assert_allclose(covariance / turned.sum(), 36 * np.eye(3), atol=0.4)


def test_a_step_of_all_is_the_product_about_the_center_in_mm():
    """From the definition: x goes to R H S (x - c) + c + t."""
    shape = (20, 31, 18)
    record = drawn([AFFINE_STEP], shape, spacing=SPACING)
    stretch = np.diag((1.3, 0.8, 1.1))
    shear = np.array(((1, 0.1, -0.2), (0, 1, 0.3), (0, 0, 1)))
    turn = Rotation.from_euler("xyz", (20, -35, 50), degrees=True).as_matrix()
    center = (np.array(shape) - 1) / 2
    places = np.random.default_rng(0).uniform(-20, 40, (50, 3))
    moved = (places - center) * SPACING @ (turn @ shear @ stretch).T + (4, -6, 9)
    mapped = record.apply(points=places)["points"]
    np.testing.assert_allclose(mapped, moved / SPACING + center, atol=1e-11)


@pytest.mark.parametrize("mirrored", [False, True])
def test_an_affine_stands_for_its_spacing(mirrored):
    """However it turns the axes, and whether they are right- or left-handed."""
    shape = (20, 31, 18)
    steps = [AFFINE_STEP, RandomElastic((2.0, 3.0, 1.0), num_control_points=6, p=1)]
    by_spacing = drawn(steps, shape, spacing=SPACING).warp
    by_affine = drawn(steps, shape, affine=oblique(SPACING, mirrored)).warp
    np.testing.assert_allclose(by_affine.matrix, by_spacing.matrix, atol=1e-13)
    np.testing.assert_allclose(by_affine.offset, by_spacing.offset, atol=1e-11)
    np.testing.assert_allclose(by_affine.control_points, by_spacing.control_points, atol=1e-13)
    assert np.abs(by_spacing.matrix - drawn(steps, shape).warp.matrix).max() > 0.1


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turn_is_one_in_mm_on_voxels_that_are_sheared(mirrored):
    shape, affine = (20, 31, 18), oblique(SPACING, mirrored)
    affine[:3, :3] = affine[:3, :3] @ np.array(((1, 0.3, -0.2), (0, 1, 0.4), (0, 0, 1)))
    columns = affine[:3, :3]

    def in_world(*steps):
        warp = drawn(steps, shape, affine=affine).warp
        return columns @ warp.matrix @ np.linalg.inv(columns), columns @ warp.offset

    turn, _ = in_world(RandomRotation(fixed(20, -35, 50), p=1))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    expected = Rotation.from_euler("xyz", (20, -35, 50), degrees=True)
    assert np.trace(turn) == pytest.approx(1 + 2 * np.cos(expected.magnitude()))
    about_first, _ = in_world(RandomRotation(fixed(0, 0, 90), p=1))
    assert abs(columns[:, 0] @ about_first @ columns[:, 0]) < 1e-12

    twice, _ = in_world(RandomScaling(fixed(2, 2, 2), p=1))
    np.testing.assert_allclose(twice, np.eye(3) / 2, atol=1e-12)

    _, offset = in_world(RandomTranslation(fixed(7, 0, 0), p=1))
    along_first = columns[:, 0] / np.linalg.norm(columns[:, 0])
    np.testing.assert_allclose(offset, -7 * along_first, atol=1e-11)
    _, offset = in_world(RandomTranslation(fixed(1, -2, 6), p=1))
    assert np.linalg.norm(offset) == pytest.approx(np.sqrt(41))
