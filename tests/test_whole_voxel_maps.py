"""Which affine maps move whole voxels, so that they are copies."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.volumes import affine_of, nan_filled, random_volume
from volaug.warping.engine import copies


def about_the_center(matrix, shape):
    center = (np.array(shape) - 1) / 2
    return np.column_stack([matrix, center - matrix @ center])


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("degrees", [-270, -90, 0, 90, 180, 360])
def test_a_quarter_turn_by_cosines_is_whole(axis, degrees):
    shape = (256, 256, 256)
    matrix = Rotation.from_euler("xyz"[axis], degrees, degrees=True).as_matrix()
    angle = np.deg2rad(degrees)
    plane = [k for k in range(3) if k != axis]
    plain = np.eye(3)
    plain[np.ix_(plane, plane)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    for turn in (matrix, plain, plain.T):
        order, signs, shifts = copies.whole_voxel_map(about_the_center(turn, shape), shape)
        np.testing.assert_array_equal(affine_of(order, signs, shifts)[:, :3], np.rint(turn))
        assert shifts == tuple(255 if sign < 0 else 0 for sign in signs)


def test_a_turn_maps_as_numpy_does():
    volume = random_volume((1, 20, 20, 20))
    for axes in ((0, 1), (0, 2), (1, 2)):
        angle = np.pi / 2
        matrix = np.eye(3)
        matrix[np.ix_(axes, axes)] = [
            [np.cos(angle), np.sin(angle)],
            [-np.sin(angle), np.cos(angle)],
        ]
        voxel_map = copies.whole_voxel_map(about_the_center(matrix, (20, 20, 20)), (20, 20, 20))
        out = nan_filled(volume.shape, volume.dtype)
        copies.copy_voxels(volume, out, voxel_map, "constant", np.zeros(1, np.float32), 1)
        np.testing.assert_array_equal(out[0], np.rot90(volume[0], axes=axes))


NOT_WHOLE = {
    "half a voxel": (np.eye(3), (0, 0.5, 0)),
    "a thousandth of a voxel": (np.eye(3), (0, 0, 1e-3)),
    "2^-33 of a voxel": (np.eye(3), (2.0**-33, 0, 0)),
    "shear": ([[1, 1, 0], [0, 1, 0], [0, 0, 1]], (0, 0, 0)),
    "column of two": ([[1, 0, 0], [1, 0, 0], [0, 0, 1]], (0, 0, 0)),
    "scale by 2": (np.diag([1, 2, 1]), (0, 0, 0)),
    "scale by 1/2": (np.diag([1, 1, 0.5]), (0, 0, 0)),
    "scale by 0": (np.diag([1, 1, 0]), (0, 0, 0)),
    "turn by 45 degrees": (Rotation.from_euler("x", 45, degrees=True).as_matrix(), (0, 0, 0)),
    "turn by a hair": (Rotation.from_euler("y", 1e-6, degrees=True).as_matrix(), (0, 0, 0)),
    "too far for fractions": (np.eye(3), (2.0**60, 0, 0)),
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_not_whole(name):
    matrix, offset = NOT_WHOLE[name]
    affine = np.column_stack([np.array(matrix, float), offset])
    assert copies.whole_voxel_map(affine, (20, 30, 40)) is None


def test_what_deviates_on_the_grid_counts():
    """Rounding is to 2^-32 voxel: less than half of that at the last voxel is none."""
    affine = affine_of((0, 1, 2), (1, 1, 1), (0, 0, 0))
    affine[1, 1] += 2.0**-40
    assert copies.whole_voxel_map(affine, (5, 128, 5)) is not None
    assert copies.whole_voxel_map(affine, (5, 129, 5)) is None
    affine[1, 3] -= 2.0**-35
    assert copies.whole_voxel_map(affine, (5, 129, 5)) is not None
    affine[1, 2] = 2.0**-36  # two columns deviate at once
    assert copies.whole_voxel_map(affine, (5, 129, 5)) is None
    assert copies.whole_voxel_map(affine, (5, 65, 5)) is not None


@pytest.mark.parametrize("column", [(0, 0.3, 0.7), (5, 5, 5), (0, 0, 0), (0, -1, 0)])
def test_an_axis_of_one_voxel_needs_no_column(column):
    affine = affine_of((1, 2, 0), (1, -1, 1), (1, 7, 2))  # source axis 2 reads output axis 0
    affine[:, 0] = column
    volume = random_volume((1, 4, 8, 5))
    voxel_map = copies.whole_voxel_map(affine, (1, 3, 9))
    out = nan_filled((1, 1, 3, 9), np.float32)
    copies.copy_voxels(volume, out, voxel_map, "constant", np.full(1, 4, np.float32), 1)
    expected = np.full((3, 9), 4, np.float32)
    expected[:, :8] = volume[0, 1:4, ::-1, 2]
    np.testing.assert_array_equal(out[0, 0], expected)
    assert copies.whole_voxel_map(np.zeros((3, 4)), (1, 1, 1)) is not None
