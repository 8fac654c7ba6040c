"""The experiment with one training case: heads, moves, scores, table, figure."""

import numpy as np
import pytest

from volaug.cli.demo.brain import load_brain

pytestmark = pytest.mark.oracle("torch", "SimpleITK", "nilearn", "matplotlib")

pytest.importorskip("torch")
pytest.importorskip("SimpleITK")

from benchmarks.small_dataset import experiment, figure, heads, moves, results  # noqa: E402
from benchmarks.small_dataset.arms import ARMS  # noqa: E402
from benchmarks.small_dataset.experiment import STRENGTHS, Outcome, Run  # noqa: E402

SPACING = 10.0


@pytest.fixture(scope="module")
def head():
    """A head in the grid of ch2, with its tissues as classes."""
    loaded = load_brain()
    window = (slice(8, 189), slice(9, 226), slice(1, 182))
    affine = np.array([[1, 0, 0, -90], [0, 1, 0, -125], [0, 0, 1, -71], [0, 0, 0, 1.0]])
    return heads.Head(
        "MNI152",
        loaded.image[window].astype(np.float32),
        loaded.labels[window].astype(np.uint8),
        affine,
    )


def test_the_classes_of_the_atlas():
    atlas = np.array([0, 1, 28, 29, 42, 43, 55, 57, 71, 78, 79, 90, 91, 116])
    assert heads.grouped(atlas).tolist() == [0, 1, 1, 0, 0, 3, 2, 3, 4, 4, 2, 2, 5, 5]


def test_a_folder_without_the_heads(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ch2bet\.nii\.gz and aal\.nii\.gz of it"):
        heads.load_heads(tmp_path)


def test_a_head_at_rest_is_where_it_was(head):
    image, label = moves.at_rest(head, SPACING)
    assert image.shape == label.shape == (32, 32, 32)
    # the middle of both grids is the same: 90 mm from the first voxel is that of index 15.5
    place = tuple(int((n - 1) / 2 + SPACING / 2) for n in head.image.shape)
    found, wanted = image[16, 16, 16], head.image[tuple(slice(p - 4, p + 5) for p in place)].mean()
    assert abs(found - wanted) < 0.15 * head.image.max()


def test_moves_grow_with_strength_and_repeat(head):
    still, _ = moves.moved(head, SPACING, 0.0, 3)
    apart = []
    for strength in (0.5, 1.0, 2.0):
        image, label = moves.moved(head, SPACING, strength, 3)
        again, _ = moves.moved(head, SPACING, strength, 3)
        np.testing.assert_array_equal(image, again)
        assert set(np.unique(label)) <= set(range(4))
        apart.append(np.abs(moves.normalized(image) - moves.normalized(still)).mean())
    assert apart == sorted(apart)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.slow
def test_a_run_gives_scores(head, arm):
    setting = experiment.Setting(spacing=SPACING, steps=2, features=(4, 8))
    pair = moves.at_rest(head, SPACING)
    run = Run(arm, "ch2", "MNI152", 0)
    outcome = experiment.carry_out(run, setting, pair, {0.0: [pair], 1.0: [pair, pair]})
    assert {strength: len(scores) for strength, scores in outcome.dice.items()} == {0.0: 1, 1.0: 2}
    assert all(0 <= score <= 1 for scores in outcome.dice[1.0] for score in scores)
    assert outcome.loss > 0


def test_dice():
    found, wanted = np.array([1, 1, 0, 2], np.uint8), np.array([1, 0, 1, 2], np.uint8)
    assert experiment.dice_of(found, wanted)[:3] == [0.5, 1.0, 0.0]


def outcomes():
    return [
        Outcome(
            Run(arm, one, other, seed),
            {strength: [[0.5 + 0.1 * seed] * 5] * 2 for strength in STRENGTHS},
            1.0,
            2.0,
        )
        for arm in ARMS
        for one, other in (("ch2", "MNI152"), ("MNI152", "ch2"))
        for seed in range(3)
    ]


def test_results_are_a_table_and_can_be_read_back():
    content = results.as_json(outcomes(), {})
    assert results.from_json(content) == outcomes()
    lines = results.table(outcomes()).splitlines()
    assert len(lines) == 2 + 2 * len(ARMS)
    assert lines[2].startswith("| ch2 | MNI152 | no augmentation | 0.60 ± 0.10 |")


@pytest.mark.slow
def test_the_figure_is_a_picture(head, tmp_path):
    figure.draw(outcomes(), head, SPACING, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
