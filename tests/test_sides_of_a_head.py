"""The left and the right of a head after random draws, as a person finds them in the result.

A person looks for the front and the top of the head, and then knows which side is its right. So
does `seen_right`, by numpy alone: it never asks a record what was drawn.
"""

# ruff: noqa: E402 - what the head needs may be missing

from typing import NamedTuple

import numpy as np
import pytest

for needed in ("nibabel", "nilearn"):
    pytest.importorskip(needed)

import nibabel
from nibabel.affines import apply_affine
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from nilearn import datasets
from scipy.spatial.transform import Rotation

from volaug import (
    CenterCrop,
    Compose,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomRotation,
    RandomScaling,
    Record,
)
from volaug.cli.demo.brain import LANDMARKS

pytestmark = [pytest.mark.oracle("nilearn"), pytest.mark.slow]

DRAWS, FEW_DRAWS = 100, 25  # of the head in RAS, and in other orders of its axes

# The head is symmetric, so that each landmark has a partner. The order is left, right; left, right.
PAIRS = np.array([(sign * abs(x), y, z) for x, y, z in LANDMARKS.values() for sign in (-1, 1)])
LEFT, RIGHT = 1, 2  # the halves of the brain
OF_PAIRS = np.array([11, 12, 13, 14, 15, 16])  # a ball around each landmark
FRONT, BACK, TOP, BOTTOM = 21, 22, 23, 24  # balls in the middle plane, which has no side
MIDDLE = {FRONT: (0, 52, 8), BACK: (0, -88, 8), TOP: (0, -20, 66), BOTTOM: (0, -20, -36)}
SCAR = (32.0, 20.0, 30.0)  # bright, and in the right half alone: it shows which draws mirror
RADIUS = 8.0  # of a ball, in mm

SWAP = {
    "label": {(LEFT, RIGHT), *((a, a + 1) for a in (11, 13, 15))},
    "points": [(0, 1), (2, 3), (4, 5)],
    "boxes": [(0, 1), (2, 3), (4, 5)],
}


class Head(NamedTuple):
    image: np.ndarray
    label: np.ndarray
    points: np.ndarray  # (6, 3), in voxels
    boxes: np.ndarray  # (6, 2, 3), around them
    affine: np.ndarray

    @property
    def targets(self):
        return self._asdict()


@pytest.fixture(scope="module")
def template():
    """The MNI152 head, 4 mm, in RAS."""
    return datasets.load_mni152_template(resolution=4)


def head(template, codes, tilt=None):
    """The head with its axes stored in an order, such as LAS; or tilted in the scanner."""
    stored = ornt_transform(io_orientation(template.affine), axcodes2ornt(codes))
    nifti = template.as_reoriented(stored)
    assert "".join(nibabel.aff2axcodes(nifti.affine)) == codes
    image, affine = np.array(nifti.dataobj, np.float32), nifti.affine
    places = apply_affine(affine, np.moveaxis(np.indices(image.shape), 0, -1))  # mm of the brain

    def ball(center):
        return np.linalg.norm(places - center, axis=-1) < RADIUS

    label = np.where(places[..., 0] < 0, np.uint8(LEFT), np.uint8(RIGHT)) * (image > 0.05)
    for number, center in [*zip(OF_PAIRS, PAIRS, strict=True), *MIDDLE.items()]:
        label[ball(center)] = number
    image[ball(SCAR)] = 2 * image.max()
    points = apply_affine(np.linalg.inv(affine), PAIRS)
    boxes = np.stack([points - 2, points + 2], axis=1)
    if tilt is not None:
        affine = affine.copy()
        affine[:3] = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ affine[:3]
    return Head(image, label.astype(np.uint8), points, boxes, affine)


HEADS = {
    "RAS": {"codes": "RAS"},
    "LAS": {"codes": "LAS"},
    "PSR": {"codes": "PSR"},
    "SLA": {"codes": "SLA"},
    "tilted": {"codes": "LPS", "tilt": (12, -8, 15)},
}


@pytest.fixture(scope="module", params=HEADS.values(), ids=HEADS)
def stored_head(request, template):
    return head(template, **request.param)


def pipeline_of(shape, swap=SWAP):
    """Value steps between two warps, so that sides must follow from both."""
    steps = [
        RandomFlip("LR", p=0.5),
        RandomRotation(12, p=1.0),
        RandomGamma(p=0.5),
        RandomScaling(0.15, p=1.0),
        RandomElastic(6.0, num_control_points=7, p=1.0),
        CenterCrop(np.subtract(shape, (3, 5, 4)).tolist()),
    ]
    return Compose(steps, seed=11, swap=swap)


def places_in_mm(mask, affine):
    return apply_affine(affine, np.argwhere(mask))


def seen_right(label, affine):
    """The direction to the right side of the head in a picture, and a point of its middle plane.

    A head that faces forward has its right at front x up, whatever its labels say.
    """
    centers = {n: places_in_mm(label == n, affine).mean(axis=0) for n in MIDDLE}
    front, top = centers[FRONT] - centers[BACK], centers[TOP] - centers[BOTTOM]
    right = np.cross(front, top)
    return right / np.linalg.norm(right), np.mean([*centers.values()], axis=0)


def is_scar_on_the_left(sample):
    image, affine = sample["image"], sample["affine"]
    right, middle = seen_right(sample["label"], affine)
    return bool((places_in_mm(image == image.max(), affine).mean(axis=0) - middle) @ right < 0)


def check_sides(sample):
    """What is named left lies on the left of the head that one sees, and right on the right."""
    label, affine = sample["label"], sample["affine"]
    right, middle = seen_right(label, affine)
    assert right[0] > 0.8  # its right is where the affine says that right is
    for number, side in [(LEFT, -1), (RIGHT, 1), *zip(OF_PAIRS, (-1, 1) * 3, strict=True)]:
        beyond = (places_in_mm(label == number, affine) - middle) @ right * side
        assert beyond.size > 0
        # elastic steps bend the middle plane by at most 6 mm
        assert beyond.min() > -8.0
        assert (beyond > 0).mean() > 0.9
    for places in (sample["points"], sample["boxes"].mean(axis=1)):
        beyond = (apply_affine(affine, places) - middle) @ right
        assert (np.sign(beyond) == (-1, 1, -1, 1, -1, 1)).all()
    # each landmark lies in its own ball, and each box around it
    voxels = np.rint(sample["points"]).astype(int)
    np.testing.assert_array_equal(label[tuple(voxels.T)], OF_PAIRS)
    assert (sample["boxes"][:, 0] <= sample["points"]).all()
    assert (sample["points"] <= sample["boxes"][:, 1]).all()


def exchanged(label):
    table = np.arange(256, dtype=np.uint8)
    for a, b in SWAP["label"]:
        table[[a, b]] = b, a
    return table[label]


def test_left_stays_on_the_left_and_right_on_the_right(stored_head):
    pipeline, plain = (pipeline_of(stored_head.image.shape, s) for s in (SWAP, {"label": []}))
    marked = {name: value for name, value in stored_head.targets.items() if name != "image"}
    draws = DRAWS if "".join(nibabel.aff2axcodes(stored_head.affine)) == "RAS" else FEW_DRAWS
    mirrored = 0
    for index in range(draws):
        sample = pipeline(**stored_head.targets, index=index)
        check_sides(sample)
        as_it_was = plain(**marked, index=index)
        if is_scar_on_the_left(sample):
            mirrored += 1
            wanted = exchanged(as_it_was["label"]), [1, 0, 3, 2, 5, 4]
        else:
            wanted = as_it_was["label"], range(6)
        np.testing.assert_array_equal(sample["label"], wanted[0])
        np.testing.assert_array_equal(sample["points"], as_it_was["points"][wanted[1]])
        np.testing.assert_array_equal(sample["boxes"], as_it_was["boxes"][wanted[1]])
    assert 0.3 < mirrored / draws < 0.7


def test_replays_and_inverses_keep_the_sides(stored_head):
    pipeline, mirrored = pipeline_of(stored_head.image.shape), set()
    halves = np.isin(stored_head.label, (LEFT, RIGHT))
    for index in range(10):
        sample = pipeline(**stored_head.targets, index=index)
        mirrored.add(is_scar_on_the_left(sample))
        record = Record.from_json(sample.record.to_json())
        given = {k: v for k, v in stored_head.targets.items() if k != "affine"}
        again = record.apply(**given)
        check_sides(again)
        for name, value in sample.items():
            np.testing.assert_array_equal(again[name], value)
        results = {name: again[name] for name in ("label", "points", "boxes")}
        back, seen = record.invert(**results), record.seen("label")
        both = seen & halves & np.isin(back["label"], (LEFT, RIGHT))
        assert both.sum() > 0.5 * halves.sum()
        assert (back["label"][both] == stored_head.label[both]).mean() > 0.99
        for number in OF_PAIRS:
            ball = back["label"][(stored_head.label == number) & seen]
            # votes make a small ball smaller; none gives it to the other side
            assert {number} <= set(ball.tolist()) <= {number, LEFT, RIGHT}
        np.testing.assert_allclose(back["points"], stored_head.points, atol=1e-5)
    assert mirrored == {True, False}


def test_every_order_of_axes_shows_the_same_head(template):
    """A key mirrors the head, not the array."""
    heads = [head(template, codes) for codes in ("RAS", "LAS", "PSR", "SLA")]
    seen = [
        [
            is_scar_on_the_left(pipeline_of(one.image.shape)(**one.targets, index=index))
            for index in range(12)
        ]
        for one in heads
    ]
    assert seen == [seen[0]] * 4
