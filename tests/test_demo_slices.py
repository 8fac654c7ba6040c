"""The demo's slices follow their landmarks, and its comparison with scipy is fair."""

# ruff: noqa: E402 - what the demo needs may be missing

import numpy as np
import pytest
from scipy import ndimage

for needed in ("matplotlib", "nibabel", "nilearn", "rich", "typer"):
    pytest.importorskip(needed)

from scipy.spatial.transform import Rotation

from volaug import Warp
from volaug.cli.demo.brain import Brain
from volaug.cli.demo.run import augmented
from volaug.cli.demo.slices import VIEWS, slices_of
from volaug.cli.demo.strategies import demo_strategies
from volaug.cli.demo.timing import compare

STRATEGIES = {strategy.stem: strategy for strategy in demo_strategies()}


def test_slices_show_the_right_on_the_left_and_the_face_on_the_left():
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[3, 4, 5] = 1  # right, anterior, superior
    seen = [
        np.argwhere(view.plane(volume, index)) for view, index in zip(VIEWS, (3, 4, 5), strict=True)
    ]
    # rows run upwards, columns to the right
    np.testing.assert_array_equal(np.concatenate(seen), [(5, 0), (5, 0), (4, 0)])


def test_slices_follow_their_landmarks():
    rng = np.random.default_rng(3)
    shape = (24, 27, 22)
    turn = Rotation.from_euler("xyz", (9, -11, 14), degrees=True).as_matrix()
    warp = Warp(shape, turn, (1.5, 4.0, -2.0), rng.uniform(-1, 1, (3, 5, 6, 4)))
    places = np.array([(9.2, 11.7, 13.4), (14.1, 12.3, 8.8), (11.6, 15.2, 10.3)])
    affine = np.eye(4)
    affine[:3, 3] = (-5, -7, -11)
    image = rng.random(shape, np.float32)
    after = Brain(
        warp.apply(image), np.zeros(shape, np.uint8), warp.points_to_output(places), affine
    )
    for shown, before, now in zip(slices_of(after, warp), places, after.landmarks, strict=True):
        view = shown.view
        index = round(now[view.axis])
        assert shown.place == index + affine[view.axis, 3]
        np.testing.assert_array_equal(shown.image, view.plane(after.image, index))
        column, row = shown.landmark
        origins = [ndimage.map_coordinates(o, [[row], [column]], order=1) for o in shown.origins]
        expected = np.delete(before, view.axis)
        # the slice is the nearest, up to half a voxel beside the landmark
        np.testing.assert_allclose(np.ravel(origins), expected, atol=0.5)


def test_landmarks_move_along():
    rng = np.random.default_rng(4)
    volume, places = rng.random((14, 15, 16), np.float32), rng.uniform(4, 10, (3, 3))
    small = Brain(volume, volume.astype(np.uint8), places, np.eye(4))
    made, record = augmented(STRATEGIES["all-together"], small, 1)
    assert abs(made.landmarks - places).max() > 1
    np.testing.assert_allclose(record.warp.points_to_input(made.landmarks), places, atol=1e-6)


def test_comparison_with_scipy():
    rng = np.random.default_rng(5)
    volume = rng.random((20, 21, 22), np.float32)
    turn = Rotation.from_euler("xyz", (12, -5, 20), degrees=True).as_matrix()
    warp = Warp(volume.shape, turn, (1.3, 0.2, -2.1), rng.normal(size=(3, 4, 5, 6)))
    timing = compare("both", warp, volume, threads=1)
    assert timing.voxels == volume.size
    assert timing.volaug > 0
    assert timing.scipy > 0
    assert timing.difference < 1e-5
