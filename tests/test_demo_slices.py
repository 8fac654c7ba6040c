"""The demo's slices follow their landmark, and its comparison with scipy is fair."""

# ruff: noqa: E402 - what the demo needs may be missing

import numpy as np
import pytest

for needed in ("matplotlib", "nibabel", "nilearn", "rich", "typer"):
    pytest.importorskip(needed)

from scipy.spatial.transform import Rotation

from volaug import Warp
from volaug.cli.demo.brain import LANDMARKS, Brain
from volaug.cli.demo.run import augmented
from volaug.cli.demo.sheet import LANDMARK, tile
from volaug.cli.demo.strategies import demo_strategies
from volaug.cli.demo.timing import compare

STRATEGIES = {strategy.stem: strategy for strategy in demo_strategies()}


def small_brain():
    rng = np.random.default_rng(4)
    volume, places = rng.random((14, 15, 16), np.float32), rng.uniform(4, 10, (3, 3))
    return Brain(volume, (4 * volume).astype(np.uint8), places, np.eye(4))


def test_slices_follow_their_landmark():
    brain = small_brain()
    made, record = augmented(STRATEGIES["rotation"], brain, 1)
    for each in (brain, made):
        shown = tile("A title", ["one", "two"], each)
        place = each.landmarks[[*LANDMARKS].index(LANDMARK)]
        assert np.abs(np.array(shown.at) - place).max() <= 0.5
        assert (shown.heading, shown.words) == ("A title", "one\ntwo")
        np.testing.assert_array_equal(shown.volume, each.image)
        np.testing.assert_array_equal(shown.points, each.landmarks)
    assert abs(made.landmarks - brain.landmarks).max() > 0.3
    back = record.warp.points_to_input(made.landmarks)
    np.testing.assert_allclose(back, brain.landmarks, atol=1e-6)


def test_a_landmark_outside_is_shown_at_the_edge():
    brain = small_brain()
    far = brain._replace(landmarks=np.full((3, 3), (-5.0, 7.0, 99.0)))
    assert tile("", [], far).at == (0, 7, 15)


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
