"""Points and boxes follow what they mark in the picture."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.volumes import blob, centroid, drawn
from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
)

SHAPE, SPACING = (48, 40, 30), (0.8, 1.1, 2.0)
TURN, BEND = RandomRotation(20.0, p=1), RandomElastic(4.0, p=1)
STRONGER = RandomContrast((1.0, 1.3), p=1)  # leaves the background at 0
PIPELINES = {
    "flip": [RandomFlip(p=1)],
    "translation": [RandomTranslation(4.0, p=1)],
    "rotation": [TURN],
    "scaling": [RandomScaling(0.3, p=1)],
    "shear": [RandomShear(0.3, p=1)],
    "affine": [RandomAffine(translation=4.0, p=1)],
    "elastic": [BEND],
    "elastic on two lattices": [
        RandomElastic(3.0, num_control_points=5, p=1),
        RandomElastic(2.0, num_control_points=7, p=1),
    ],
    "elastic in the plane": [RandomElastic((0, 3, 3), num_control_points=(1, 7, 7), p=1)],
    "elastic with locked borders": [
        RandomElastic(4.0, num_control_points=8, locked_borders=3, p=1)
    ],
    "random crop": [RandomCrop((40, 32, 24))],
    "center crop": [CenterCrop((39, 33, 25))],
    "larger window": [CenterCrop((60, 41, 35))],
    "all": [RandomFlip(), RandomAffine(translation=4.0, p=1), BEND, RandomCrop((44, 36, 28))],
    "crop, then the rest": [RandomCrop((40, 32, 24)), TURN, RandomScaling(0.2, p=1), BEND],
    "one of": [OneOf([TURN, BEND, RandomFlip(p=1)]), RandomTranslation(2.0, p=1)],
    "two warps": [
        TURN,
        BEND,
        STRONGER,
        RandomElastic(3.0, num_control_points=6, p=1),
        RandomShear(p=1),
    ],
    "nested": [Compose([TURN, Compose([BEND])]), RandomFlip()],
}


def landmarks():
    """The middle, and the corners of a box around it of half the picture's size."""
    signs = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T
    middle = (np.array(SHAPE) - 1) / 2
    return np.concatenate([[middle], middle + signs * np.array(SHAPE) * 0.22])


def is_straight(record):
    """Whether it has affine steps alone."""
    return all(warp.control_points is None for warp in record.warps)


def affine_of_spacing():
    """Oblique and left-handed."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", (20, -30, 70), degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag((-1, 1, 1)) @ np.diag(SPACING)
    return affine


SIZES = {"voxels": {}, "spacing": {"spacing": SPACING}, "affine": {"affine": affine_of_spacing()}}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
@pytest.mark.slow
def test_landmarks_follow_the_picture(steps, size):
    """One channel for each, with a blob around it."""
    points = landmarks()
    image = np.stack([blob(SHAPE, point, 1.0) for point in points])
    seen = 0
    for index in range(3):
        record = drawn(steps, SHAPE, index, **size)
        sample = record.apply(image=image, points=points)
        last = np.subtract(record.output_shape, 1)
        nearness = 0.1 if is_straight(record) else 0.5  # where it bends, so does the blob
        for channel, place in zip(sample["image"], sample["points"], strict=True):
            if ((place > 4) & (place < last - 4)).all():
                assert np.abs(centroid(channel) - place).max() < nearness
                seen += 1
    assert seen >= 5


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
def test_points_come_back(steps, size):
    """Also those that the result does not show."""
    points = np.random.default_rng(0).uniform(-10, 10 + np.array(SHAPE), (200, 3))
    for index in range(3):
        record = drawn(steps, SHAPE, index, **size)
        there = record.apply(points=points)["points"]
        assert there.shape == points.shape
        np.testing.assert_allclose(record.invert(points=there)["points"], points, atol=1e-6)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
@pytest.mark.slow
def test_boxes_hold_what_they_held(steps, size):
    """No voxel of a block leaves its box, which is no more than half a voxel too large.

    The latter by places near its faces, four times as dense as the voxels. After a second warp,
    which is asked for the box of a box, it may be larger.
    """
    box = np.array([[14.5, 11.5, 8.5], [30.5, 26.5, 19.5]])
    block = np.zeros(SHAPE, np.uint8)
    block[15:31, 12:27, 9:20] = 1
    for index in range(2):
        record = drawn(steps, SHAPE, index, **size)
        sample = record.apply(label=block, boxes=[box])
        low, high = sample["boxes"][0]
        slack = 1e-6 if is_straight(record) else 0.2
        marked = np.argwhere(sample["label"])
        assert len(marked) > 1000
        assert (marked >= low - slack).all()
        assert (marked <= high + slack).all()
        back = record.invert(boxes=sample["boxes"])["boxes"][0]
        assert (back[0] <= box[0] + slack).all()
        assert (back[1] >= box[1] - slack).all()
        if len(record.warps) == 1:
            axes = [np.arange(a, b, 0.25) for a, b in zip(low - 2, high + 2, strict=True)]
            ends = zip(axes, low, high, strict=True)
            near = [(axis < start + 1) | (axis > stop - 1) for axis, start, stop in ends]
            shell = np.nonzero(near[0][:, None, None] | near[1][:, None] | near[2])
            places = np.stack([axis[i] for axis, i in zip(axes, shell, strict=True)], axis=1)
            read = record.warp.points_to_input(places)
            held = places[((read >= box[0]) & (read <= box[1])).all(axis=1)]
            np.testing.assert_allclose(held.min(axis=0), low, atol=0.5)
            np.testing.assert_allclose(held.max(axis=0), high, atol=0.5)


def test_places_outside_of_the_window_are_kept():
    points = np.array([[0, 0, 0], [47, 39, 29], [24, 20, 15], [-7.5, 50, 3]])
    boxes = np.stack([points[[0, 3]].min(axis=0), points[[0, 3]].max(axis=0)])[np.newaxis]
    record = drawn([CenterCrop((8, 10, 6))], SHAPE)
    sample = record.apply(points=points, boxes=boxes)
    np.testing.assert_array_equal(sample["points"], points - (20, 15, 12))
    np.testing.assert_array_equal(sample["boxes"], boxes - (20, 15, 12))
    assert record.invert(**sample)["points"].tolist() == points.tolist()


@pytest.mark.parametrize("steps", [[], [TURN], [BEND], [TURN, STRONGER, BEND]])
def test_no_places_are_no_places(steps):
    record = drawn(steps, SHAPE)
    empty = {"points": np.empty((0, 3)), "boxes": np.empty((0, 2, 3))}
    for result in (record.apply(**empty), record.invert(**empty)):
        for name, value in empty.items():
            assert result[name].shape == value.shape
            assert result[name].dtype == np.float64


def test_boxes_of_no_size_are_points():
    """One for each corner of another, in the same order."""
    points = landmarks()
    record = drawn(PIPELINES["all"], SHAPE)
    sample = record.apply(points=points, boxes=np.stack([points, points], axis=1))
    for corner in range(2):
        np.testing.assert_allclose(sample["boxes"][:, corner], sample["points"], atol=1e-9)
