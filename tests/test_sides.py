"""Labels and landmarks change sides where a draw mirrors left and right, and nowhere else."""

import itertools
import json

import numpy as np
import pytest

import volaug
from support.volumes import random_volume
from volaug import (
    Compose,
    RandomAffine,
    RandomBrightness,
    RandomCubeSymmetry,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomRotation,
    Record,
    Stream,
    presets,
)
from volaug.transforms.label_values import exchange

SHAPE = (20, 21, 22)
LEFT, RIGHT = 17, 53


def head(dtype=np.int16):
    """A left and a right structure along axis 0, and something in the middle."""
    label = np.zeros(SHAPE, dtype)
    label[4:7, 8:12, 8:12], label[13:16, 8:12, 8:12], label[9:11, 9:11, 9:11] = LEFT, RIGHT, 1
    return label


def mirrored(axes, affine=None, swap=frozenset({(LEFT, RIGHT)}), **given):
    pipeline = Compose([RandomFlip(axes, p=1.0)], seed=0, swap=swap)
    return pipeline(**given, affine=affine, index=0)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "uint64", "float32"])
def test_a_mirrored_head_keeps_its_left_on_the_left(dtype):
    label = head(dtype)
    sample = mirrored("LR", np.eye(4), label=label)
    np.testing.assert_array_equal(sample["label"] == LEFT, label == LEFT)
    np.testing.assert_array_equal(sample["label"] == RIGHT, label == RIGHT)
    np.testing.assert_array_equal(sample.record.invert(label=sample["label"])["label"], label)


ALL_AXES = [axes for n in (1, 2, 3) for axes in itertools.combinations((0, 1, 2), n)]


@pytest.mark.parametrize("axes", ALL_AXES)
@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_the_affine_says_which_axis_is_left_to_right(axes, order):
    affine = np.eye(4)[:, [*order, 3]] @ np.diag([1.0, 2.0, 0.5, 1.0])
    left_right = int(np.abs(affine[0, :3]).argmax())
    label = head().transpose(np.random.default_rng(0).permutation(3))
    exchanged = (mirrored(axes, affine, label=label)["label"] == LEFT).sum()
    flipped = label[tuple(slice(None, None, -1 if a in axes else 1) for a in range(3))]
    is_mirrored = len(axes) % 2 == 1 and left_right in axes
    place = np.argwhere(flipped == (RIGHT if is_mirrored else LEFT))
    found = mirrored(axes, affine, label=label)["label"]
    assert exchanged == (label == LEFT).sum()
    np.testing.assert_array_equal(np.argwhere(found == LEFT), place)


def test_without_an_affine_the_determinant_decides():
    for axes in ALL_AXES:
        label = head()
        found = mirrored(axes, label=label)["label"]
        flipped = label[tuple(slice(None, None, -1 if a in axes else 1) for a in range(3))]
        side = RIGHT if len(axes) % 2 == 1 else LEFT
        np.testing.assert_array_equal(found == LEFT, flipped == side)


def test_any_warp_that_mirrors_counts_and_rotations_do_not():
    steps = [RandomCubeSymmetry(), RandomAffine(degrees=10, p=1.0), RandomElastic(2.0, p=0.5)]
    pipeline = Compose(steps, seed=0, swap={(LEFT, RIGHT)})
    seen = set()
    for index in range(40):
        sample = pipeline(label=random_volume((9, 9, 9), np.uint8), index=index)
        flips = np.linalg.det(sample.record.warp.matrix) < 0
        seen.add(flips)
    assert seen == {True, False}


def test_two_warps_that_mirror_undo_one_another():
    steps = [RandomFlip(0, p=1.0), RandomBrightness(p=1.0), RandomFlip(0, p=1.0, name="again")]
    label = head()
    sample = Compose(steps, seed=0, swap={(LEFT, RIGHT)})(
        label=label, image=random_volume(SHAPE), index=0
    )
    assert len(sample.record.warps) == 2
    np.testing.assert_array_equal(sample["label"], label)


def test_points_and_boxes_exchange_their_rows():
    points = np.array([[3.0, 10, 10], [16.0, 10, 10], [9.5, 4, 4]])
    boxes = np.stack([points[:2] - 1, points[:2] + 1], axis=1)
    swap = {"points": [(0, 1)], "boxes": [(0, 1)], "label": []}
    sample = mirrored("LR", np.eye(4), swap=swap, points=points, boxes=boxes, label=head())
    np.testing.assert_allclose(sample["points"], points)  # the head is symmetric
    np.testing.assert_allclose(sample["boxes"], boxes)
    back = sample.record.invert(points=sample["points"], boxes=sample["boxes"])
    np.testing.assert_allclose(back["points"], points)
    np.testing.assert_allclose(back["boxes"], boxes)
    plain = mirrored("LR", np.eye(4), swap=set(), points=points, label=head())
    np.testing.assert_allclose(plain["points"], points[[1, 0, 2]])


def test_a_step_for_some_targets_mirrors_these_alone():
    steps = [RandomFlip(0, p=1.0, include=["label"])]
    pipeline = Compose(steps, seed=0, targets={"parts": "label"}, swap={(LEFT, RIGHT)})
    label = head()
    sample = pipeline(label=label, parts=label, index=0)
    np.testing.assert_array_equal(sample["parts"], label)
    np.testing.assert_array_equal(sample["label"] == LEFT, label == LEFT)


@pytest.mark.parametrize("swap", [{(LEFT, RIGHT)}, {"label": [(53, 17), (2, 3)]}, set(), None])
def test_pairs_are_kept_in_files_and_records(swap):
    pipeline = Compose([RandomFlip(p=1.0)], seed=0, swap=swap)
    again = Compose.from_dict(json.loads(json.dumps(pipeline.to_dict())))
    assert again == pipeline
    record = pipeline.draw(SHAPE, index=0)
    assert Record.from_json(record.to_json()) == record
    np.testing.assert_array_equal(
        Record.from_json(record.to_json()).apply(label=head())["label"],
        record.apply(label=head())["label"],
    )


def test_streams_exchange_too():
    pipeline = Compose([RandomFlip(0, p=1.0)], swap={(LEFT, RIGHT)})
    cases = [{"image": random_volume(SHAPE), "label": head()}]
    with Stream(cases, pipeline, patch_shape=SHAPE, batch_size=1, seed=0, threads=1) as stream:
        batch = next(stream)
    np.testing.assert_array_equal(batch["label"][0, 0] == LEFT, head() == LEFT)


WRONG = [
    ({(1, 2), (2, 3)}, ValueError, "swap must have each label once, got 2 more than once"),
    ({(4, 4)}, ValueError, "swap must have each label once, got 4"),
    ({(1.5, 2)}, TypeError, "a label of swap must be a whole number, got 1.5"),
    ({("left", "right")}, TypeError, "a label of swap must be a whole number, got '(left|right)'"),
    ([(1, 2, 3)], TypeError, r"swap must be pairs of labels, such as \{\(17, 53\)\}"),
    (5, TypeError, "swap must be pairs of labels"),
    ({(1, 2), 5}, TypeError, "swap must be pairs of labels"),
    ({17: 53}, TypeError, r"or pairs by names of targets, got \{17: 53\}"),
    ({(0, 2**64)}, ValueError, "a label of swap must be from"),
    ({"lable": [(1, 2)]}, ValueError, "unknown target of swap 'lable'; did you mean 'label'"),
]


@pytest.mark.parametrize(("swap", "error", "message"), WRONG)
def test_pairs_that_are_none(swap, error, message):
    with pytest.raises(error, match=message):
        Compose([RandomFlip()], swap=swap)


def test_rows_and_labels_that_cannot_be():
    with pytest.raises(ValueError, match="swap of 'points' exchanges row 7, but there are 1 rows"):
        mirrored(0, swap={"points": [(0, 7)]}, points=[[1, 2, 3]], label=head())
    with pytest.raises(ValueError, match=r"labels of uint8 cannot hold both of the pair \(17"):
        mirrored(0, swap={(17, 300)}, label=head(np.uint8))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64", "float32"])
def test_many_pairs_in_any_memory_order(dtype):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 100, (33, 41, 37)).astype(dtype)
    pairs = rng.permutation(90).reshape(45, 2)
    table = np.arange(100)
    table[pairs[:, 0]], table[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    expected = table[labels.astype(int)].astype(dtype)
    for order in itertools.permutations(range(3)):
        for threads in (1, 3):
            given = labels.transpose(order).copy().transpose(np.argsort(order))
            exchange(given, pairs.tolist(), threads)
            np.testing.assert_array_equal(given, expected)


def test_labels_without_pairs_are_warned_of_once_where_names_say_left_and_right(recwarn):
    pipeline = Compose([RandomFlip("LR")], seed=0, targets={"parts": "label"})
    given = {"label": head(), "parts": head()}
    with pytest.warns(
        UserWarning, match="mirrors left and right, and the labels of 'label', 'parts' keep"
    ):
        pipeline(**given, index=0)
    recwarn.clear()
    pipeline(**given, index=1)
    for swap in (set(), {(LEFT, RIGHT)}):
        Compose([RandomFlip("LR")], seed=0, swap=swap)(label=head(), index=0)
    Compose([RandomFlip(0)], seed=0)(label=head(), index=0)
    Compose([RandomFlip("AP")], seed=0)(label=head(), index=0)
    Compose([RandomFlip("LR")], seed=0)(image=random_volume(SHAPE), index=0)
    assert len(recwarn) == 0
    with pytest.warns(UserWarning, match="mirrors left and right"):
        Stream([{"label": head()}], presets.mild_mri(), patch_shape=9, batch_size=1, seed=0)
    swap = {(LEFT, RIGHT)}
    Stream([{"label": head()}], presets.mild_mri(swap=swap), patch_shape=9, batch_size=1, seed=0)
    assert presets.strong_mri(swap=swap).swap == ((LEFT, RIGHT),)


GAMMA = RandomGamma(p=1.0)
TURNED = RandomRotation(((0, 0), (0, 0), (100, 130)), p=1.0)


@pytest.mark.parametrize("affine", [None, np.eye(4), np.diag([-1.0, 1, 1, 1])])
@pytest.mark.parametrize(
    "steps",
    [
        [RandomFlip("LR", p=1.0, name="a"), RandomFlip("AP", p=1.0, name="b")],
        [RandomFlip("LR", p=1.0), TURNED],
        [RandomFlip("LR", p=1.0), RandomAffine((0, 0, (60, 120)), scale=0.4, shear=0.1, p=1.0)],
    ],
)
def test_steps_between_do_not_change_who_swaps_and_an_inverse_undoes_it(steps, affine):
    image, label = random_volume(SHAPE), head()
    for index in range(8):
        pipelines = [Compose(s, seed=1, swap={(LEFT, RIGHT)}) for s in (steps, [*steps, GAMMA])]
        pipelines.append(Compose([steps[0], GAMMA, *steps[1:]], seed=1, swap={(LEFT, RIGHT)}))
        found = [p(image=image, label=label, affine=affine, index=index) for p in pipelines]
        counts = [[(s["label"] == side)[:10].sum() for side in (LEFT, RIGHT)] for s in found]
        assert np.ptp(counts, axis=0).max() <= 0.2 * np.max(counts)
        record = found[0].record
        back, seen = record.invert(label=found[0]["label"])["label"], record.seen("label")
        both = seen & (label > 1) & (back > 1)
        assert both.any()
        assert (back[both] == label[both]).all()


@volaug.register
class MirroredWave(volaug.SpatialTransform):
    """A map of points, which becomes a displacement: the matrix of its warp mirrors nothing."""

    def get_parameters(self, grid, stream):
        return {"height": stream.uniform(0.2, 0.4)}

    @staticmethod
    def points_to_input(points, grid, height):
        points[:, 0] = 2 * grid.center[0] - points[:, 0] + height * np.sin(points[:, 1] / 4)
        return points


@pytest.mark.filterwarnings("ignore:an elastic displacement folds")
@pytest.mark.parametrize("again", [False, True])
def test_a_map_of_points_that_mirrors_counts_too(again):
    steps = [MirroredWave(), RandomRotation(5, p=1.0)]
    if again:
        steps += [GAMMA, RandomFlip("LR", p=1.0)]
    label, points = head(), [[5.0, 10, 10], [14.0, 10, 10]]
    pipeline = Compose(steps, seed=0, swap={"label": {(LEFT, RIGHT)}, "points": [(0, 1)]})
    for affine in (None, np.eye(4), np.diag([-1.0, 1, 1, 1])):
        found = pipeline(
            image=random_volume(SHAPE), label=label, points=points, affine=affine, index=0
        )
        near = slice(0, 10) if found["points"][0, 0] < 10 else slice(10, None)
        assert near == slice(0, 10)
        assert (found["label"][near] == LEFT).sum() > 30
        assert not (found["label"][near] == RIGHT).any()


def test_sides_of_single_channels_and_of_what_has_none():
    steps = [RandomFlip("LR", p=1.0, channels=0)]
    found = Compose(steps, seed=0, swap={(LEFT, RIGHT)})(label=head(), index=0)["label"]
    np.testing.assert_array_equal(found == LEFT, head() == LEFT)
    with pytest.raises(ValueError, match="'label' must have one channel, as swap exchanges"):
        mirrored(0, label=np.stack([head(), head()]))
    with pytest.raises(ValueError, match="target 'image': swap is for labels, points and boxes"):
        Compose([], swap={"image": {(0, 1)}})
    with pytest.raises(ValueError, match="target 'points': swap must have rows from 0 on, got -9"):
        Compose([], swap={"points": {(-9, -8)}})
    assert Compose([], swap={}).swap == ()
