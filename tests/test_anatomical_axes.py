"""Names of anatomical axes mirror the same side of a head, in any storage order."""

import itertools
import json

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support import toml
from support.volumes import random_volume
from volaug import Compose, RandomFlip, Record, Stream
from volaug.warping.geometry.anatomy import closest_axes, directed_axes

SHAPE = (20, 24, 28)
ORIENTATIONS = [
    np.column_stack([axes, signs])
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def stored(volume, orientation, affine):
    """A volume with its axes in another order and direction, and its affine."""
    turned = nibabel.apply_orientation(volume, orientation)
    return turned, affine @ nibabel.orientations.inv_ornt_aff(orientation, volume.shape)


@pytest.mark.parametrize("size", [0.3, 2.0])
def test_anatomical_axes_are_nibabels(size):
    """Of oblique and sheared grids too, with voxels of any shape."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        turn = Rotation.from_rotvec(rng.normal(0, size, 3)).as_matrix()
        affine = np.eye(4)
        affine[:3, :3] = (
            turn
            @ np.diag(rng.uniform(0.2, 5, 3))
            @ (np.eye(3) + np.triu(rng.normal(0, 0.2, (3, 3)), 1))
        )
        affine = affine[:, [*rng.permutation(3).tolist(), 3]]
        affine[:3, 3] = rng.normal(0, 100, 3)
        found = nibabel.io_orientation(affine)
        axes, directions = directed_axes(affine)
        assert closest_axes(affine) == axes
        np.testing.assert_array_equal(found[[*axes], 0], [0, 1, 2])
        np.testing.assert_array_equal(found[[*axes], 1], directions)


@pytest.mark.parametrize("about", range(3))
def test_an_ambiguous_axis_is_not_left_to_rounding(about):
    """At 45 degrees, whatever the last bits are."""
    angles = np.where(np.arange(3) == about, 45, 0)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine, rng = np.eye(4), np.random.default_rng(0)
    affine[:3, :3] = turn * (1.0, 2.0, 3.0)
    for _ in range(100):
        noise = 1 + rng.uniform(-1e-12, 1e-12, (4, 4))
        assert closest_axes(affine * noise) == (0, 1, 2)


@pytest.mark.slow
def test_the_same_key_mirrors_the_same_head_in_any_storage_order():
    volume, affine = random_volume((5, 6, 7)), np.diag((2.0, 1.5, 1.0, 1.0))
    pipeline = Compose([RandomFlip(("LR", "SI"))], seed=5)
    for index in range(8):
        expected = pipeline(image=volume, affine=affine, index=index)["image"]
        for orientation in ORIENTATIONS:
            turned, world = stored(volume, orientation, affine)
            result = pipeline(image=turned, affine=world, index=index)["image"]
            again, _ = stored(expected, orientation, affine)
            np.testing.assert_array_equal(result, again)


@pytest.mark.parametrize(
    ("names", "axes"),
    [("LR", 0), ("AP", 1), ("SI", 2), (["SI", "LR"], (0, 2)), (("LR", "AP", "SI"), (0, 1, 2))],
)
def test_in_canonical_order_names_are_axes(names, axes):
    """The same bits, with an affine or without one."""
    named, numbered = (Compose([RandomFlip(given)], seed=3) for given in (names, axes))
    oblique = np.eye(4)
    oblique[:3, :3] = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix()
    units = [{}, {"spacing": (1, 2, 3)}, {"affine": np.diag((-1, -2, 3, 1))}, {"affine": oblique}]
    for index, given in itertools.product(range(40), units):
        record = named.draw(SHAPE, index=index, **given)
        assert record.steps == numbered.draw(SHAPE, index=index, **given).steps


def test_names_of_axes_are_kept_in_files_and_resolved_in_records():
    pipeline = Compose([RandomFlip("LR", p=1), RandomFlip(("SI", "AP"))], seed=3)
    plain = pipeline.to_dict()
    assert plain["transforms"][0]["axes"] == "LR"
    text = toml.dumps(plain)
    affine = np.eye(4)[[2, 1, 0, 3]]
    record = pipeline.draw(SHAPE, affine=affine, index=0)
    assert record.steps[0][1].axes == (2,)
    assert Record.from_json(record.to_json()) == record
    for again in (Compose.from_dict(json.loads(json.dumps(plain))), Compose.from_toml(text)):
        assert again == pipeline
        assert again.draw(SHAPE, affine=affine, index=0) == record


@pytest.mark.parametrize(
    "axes",
    [
        "RL",
        "lr",
        "Left",
        "",
        ("LR", "LR"),
        ("LR", 0),
        (0, "LR"),
        ("LR", "PA"),
        ("LR", None),
        "LRAP",
    ],
)
def test_names_of_axes_are_three_and_not_mixed_with_numbers(axes):
    """A name and a number may be the same axis of an array, or not."""
    with pytest.raises((TypeError, ValueError), match=r"axes must .*got"):
        RandomFlip(axes)


def test_a_stream_mirrors_by_the_affine_of_each_case():
    volume = random_volume((8, 9, 10))
    order = ([0, 1, 2], [2, 1, 0], [1, 2, 0])
    cases = [
        {"image": volume.transpose(axes), "affine": np.eye(4)[:, [*axes, 3]]} for axes in order
    ]
    pipeline = Compose([RandomFlip("LR", p=1)])
    with Stream(cases, pipeline, patch_shape=8, batch_size=3, seed=0, threads=1) as stream:
        for record in next(stream)["record"]:
            (flipped,) = record.steps[-1][1].axes
            assert record.affine[0, flipped] == 1
