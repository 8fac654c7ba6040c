"""Rotations: all alike, about an axis, and by quarter turns."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from support.volumes import drawn, random_volume
from volaug import Compose, RandomCubeSymmetry, RandomRotation
from volaug.transforms.cube_symmetry import CubeSymmetry
from volaug.warping.geometry.forward import degrees_of, rotation_about, turning

SHAPE, MANY = (8, 9, 10), 3000


def rotations(step, shape=SHAPE, count=MANY, **options):
    """The matrices of many draws, from the image to its result, in mm."""
    pipeline = Compose([step], seed=0)
    records = (pipeline.draw(shape, index=index, **options) for index in range(count))
    return np.array([turning(record.steps[0][1].degrees) for record in records])


def test_angles_are_those_of_the_rotation():
    rng = np.random.default_rng(0)
    for number in range(500):
        degrees = rng.uniform(-180, 180, 3)
        if number % 10 == 0:
            degrees[1] = 90 * (-1) ** (number // 10)
        rotation = turning(degrees)
        np.testing.assert_allclose(turning(degrees_of(rotation)), rotation, atol=1e-12)
        axis = rng.standard_normal(3)
        axis /= np.linalg.norm(axis)
        expected = Rotation.from_rotvec(axis * np.radians(degrees[0])).as_matrix()
        np.testing.assert_allclose(rotation_about(axis, degrees[0]), expected, atol=1e-12)


@pytest.mark.slow
def test_uniform_rotations_are_alike():
    """Each entry of a uniform rotation is uniform from -1 to 1; its angle has 1 - cos (Haar)."""
    found = rotations(RandomRotation("uniform", p=1))
    for row, column in itertools.product(range(3), repeat=2):
        assert stats.kstest(found[:, row, column], "uniform", (-1, 2)).pvalue > 0.005
    angles = Rotation.from_matrix(found).magnitude()
    assert stats.kstest(angles, lambda t: (t - np.sin(t)) / np.pi).pvalue > 0.005
    by_angles = rotations(RandomRotation(180, p=1))
    assert stats.kstest(by_angles[:, 2, 0], "uniform", (-1, 2)).pvalue < 1e-6


@pytest.mark.slow
def test_a_random_axis_points_anywhere_and_its_angle_is_in_the_range():
    vectors = Rotation.from_matrix(rotations(RandomRotation((20, 50), axis="random", p=1)))
    vectors = vectors.as_rotvec(degrees=True)
    angles = np.linalg.norm(vectors, axis=1)
    assert stats.kstest(angles, "uniform", (20, 30)).pvalue > 0.005
    for axis in range(3):
        assert stats.kstest(vectors[:, axis] / angles, "uniform", (-1, 2)).pvalue > 0.005


def test_an_axis_is_a_direction_in_mm():
    found = rotations(RandomRotation((30, 30), axis=(0, 3, 4), p=1), count=1, spacing=(1, 2, 0.5))
    expected = Rotation.from_rotvec(np.radians(30) * np.array([0, 0.6, 0.8])).as_matrix()
    np.testing.assert_allclose(found[0], expected, atol=1e-12)
    assert degrees_of(rotation_about(np.array([0.0, 0, 1]), 40.0))[2] == pytest.approx(40.0)


@pytest.mark.parametrize("how", [{"degrees": "uniform"}, {"axis": "random"}])
def test_a_slice_turns_in_its_plane(how):
    warp = drawn([RandomRotation(**how, p=1)], (1, 22, 27)).warp
    assert warp.matrix[0].tolist() == [1, 0, 0]
    assert warp.matrix[:, 0].tolist() == [1, 0, 0]


WRONG = [
    ({"degrees": "even"}, TypeError, "degrees must be a number, got 'even'"),
    ({"axis": "any"}, ValueError, "axis must be one of 'random'|axis must be 'random'"),
    ({"axis": (0, 0, 0)}, ValueError, 'axis must be "random" or a direction of three numbers'),
    ({"axis": 2}, ValueError, 'axis must be "random" or a direction of three numbers, got 2'),
    ({"axis": (1, 2)}, ValueError, "axis must be a number, or one for each of three axes"),
    ({"axis": (1, "a", 2)}, TypeError, "axis must be a number, got 'a'"),
    ({"degrees": "uniform", "axis": "random"}, ValueError, "degrees must be one range for a rot"),
    ({"degrees": (1, 2, 3), "axis": "random"}, ValueError, "degrees must be one range for a rot"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG)
def test_what_is_no_rotation(arguments, error, message):
    with pytest.raises(error, match=message):
        RandomRotation(**arguments)


def numpy_symmetries(volume, reflections=True):
    """All symmetries of a cube, by numpy."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            parity = np.linalg.det(np.eye(3)[list(order)]) * np.prod(signs)
            if reflections or parity > 0:
                yield volume.transpose(order)[tuple(slice(None, None, s) for s in signs)]


@pytest.mark.parametrize(("reflections", "count"), [(True, 48), (False, 24)])
def test_a_cube_has_all_of_its_symmetries_to_the_bit(reflections, count):
    volume = random_volume((5, 5, 5))
    pipeline = Compose([RandomCubeSymmetry(reflections)], seed=0)
    seen = [pipeline(image=volume, index=i)["image"].tobytes() for i in range(20 * count)]
    wanted = {np.ascontiguousarray(v).tobytes() for v in numpy_symmetries(volume, reflections)}
    assert len(wanted) == count
    assert set(seen) == wanted
    counts = [seen.count(picture) for picture in wanted]
    assert stats.chisquare(counts).pvalue > 0.005


@pytest.mark.parametrize(
    ("shape", "spacing", "count"),
    [((5, 5, 7), None, 16), ((5, 6, 7), None, 8), ((5, 5, 5), (1, 2, 1), 16), ((1, 5, 5), None, 8)],
)
def test_axes_of_another_length_or_spacing_are_not_exchanged(shape, spacing, count):
    volume = random_volume(shape)
    pipeline = Compose([RandomCubeSymmetry()], seed=0)
    given = {"image": volume, "spacing": spacing}
    assert len({pipeline(**given, index=i)["image"].tobytes() for i in range(25 * count)}) == count


def test_a_symmetry_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"order must have the axes 0, 1 and 2, each once"):
        CubeSymmetry((0, 0, 1))
    record = Compose([], seed=0).draw((5, 6, 7), index=0)
    with pytest.raises(ValueError, match=r"the axes \(1, 0, 2\) of the shape .* differ in length"):
        replace(record, steps=(("a symmetry", CubeSymmetry((1, 0, 2))),))
