"""Two grids in the world: one grid up to the order and direction of axes, or by how much not."""

import itertools

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from volaug.warping.geometry.orientation import reorientation

SHAPE = (5, 6, 7)
VOXELS = np.arange(np.prod(SHAPE)).reshape(SHAPE)
TURNED = np.eye(4)
TURNED[:3, :3] = Rotation.from_euler("xyz", (8, -5, 20), degrees=True).as_matrix()
TURNED = TURNED @ np.diag((1.0, 1.5, 3.0, 1.0))
TURNED[:3, 3] = (-90.0, 126.0, -72.0)
ORIENTATIONS = [
    np.array(list(zip(axes, flips, strict=True)))
    for axes in itertools.permutations(range(3))
    for flips in itertools.product((1, -1), repeat=3)
]


def oriented(orientation, affine=TURNED):
    """The same picture with its axes in another order and direction, by nibabel."""
    image = nibabel.Nifti1Image(VOXELS.astype(np.int32), affine).as_reoriented(orientation)
    return np.asarray(image.dataobj), image.affine


@pytest.mark.parametrize("affine", [np.eye(4), TURNED, TURNED @ np.diag((-1.0, 1.0, 1.0, 1.0))])
def test_all_orders_and_directions_are_brought_back(affine):
    found = set()
    for orientation in ORIENTATIONS:
        other, other_affine = oriented(orientation, affine)
        back = reorientation(SHAPE, affine, other.shape, other_affine)
        found.add((back.axes, back.flipped))
        np.testing.assert_array_equal(back.apply(other), VOXELS)
        channels = np.stack([other, -other])
        np.testing.assert_array_equal(back.apply(channels), np.stack([VOXELS, -VOXELS]))
        assert np.shares_memory(back.apply(other), other)
        assert back.is_identity == (back.axes == (0, 1, 2) and back.flipped == (False,) * 3)
    assert len(found) == 48


def test_a_part_is_read_from_the_right_box():
    box = ((1, 4), (0, 2), (3, 7))
    window = tuple(slice(start, stop) for start, stop in box)
    for orientation in ORIENTATIONS:
        other, affine = oriented(orientation)
        back = reorientation(SHAPE, TURNED, other.shape, affine)
        part = other[tuple(slice(start, stop) for start, stop in back.box(box))]
        np.testing.assert_array_equal(back.apply(part), VOXELS[window])


@pytest.mark.parametrize("base", [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)])
@pytest.mark.slow
def test_what_files_round_passes(base):
    """Matrices as float32, and most quaternions as float32."""
    rng, shape = np.random.default_rng(0), (256, 256, 180)
    refused = 0
    for _ in range(200):
        affine = np.eye(4)
        turn = Rotation.from_euler("xyz", rng.normal(0, 5, 3), degrees=True).as_matrix()
        affine[:3, :3] = turn @ np.diag((*base, 1.0)) * rng.uniform(0.5, 1.0, 3)
        affine[:3, 3] = rng.normal(0, 100, 3)
        header = nibabel.Nifti1Header()
        header.set_data_shape(shape)
        header.set_sform(affine, 1)
        header.set_qform(affine, 1)
        assert reorientation(shape, affine, shape, header.get_sform()).is_identity
        shifted = affine.copy()
        shifted[:3, 3] += rng.uniform(-5e-4, 5e-4, 3)
        assert reorientation(shape, affine, shape, shifted).is_identity
        try:
            assert reorientation(shape, affine, shape, header.get_qform()).is_identity
        except ValueError:
            refused += 1
    assert refused <= 20


def changed(linear=None, shift=(0.0, 0.0, 0.0)):
    affine = TURNED.copy()
    if linear is not None:
        affine[:3, :3] = linear @ affine[:3, :3]
    affine[:3, 3] += shift
    return affine


@pytest.mark.parametrize(
    ("shape", "affine", "message"),
    [
        (SHAPE, changed(shift=(0, 10, 0)), "centers are 10 mm apart, voxels lie up to 10 mm apart"),
        (SHAPE, changed(shift=(0.01, 0, 0)), "voxels lie up to 0.01 mm apart"),
        (SHAPE, TURNED @ np.diag((1, 1, 1.1, 1)), r"voxels are \(1, 1.5, 3\) and \(1, 1.5, 3.3\)"),
        (
            SHAPE,
            changed(Rotation.from_euler("z", 5, True).as_matrix()),
            "axes differ in direction by up to 4.98 degrees",
        ),
        ((5, 6, 8), TURNED, r"shapes are \(5, 6, 7\) and \(5, 6, 8\)"),
        ((7, 6, 5), TURNED, r"shapes are \(5, 6, 7\) and \(7, 6, 5\)"),
        (SHAPE, np.eye(4), r"voxels are .* direction by .* apart"),
    ],
)
def test_other_grids_are_refused_with_the_difference(shape, affine, message):
    with pytest.raises(ValueError, match=message):
        reorientation(SHAPE, TURNED, shape, affine)


def test_a_mirrored_file_in_its_own_place_is_refused():
    """The direction of an axis is turned about the world's origin, not about the picture."""
    with pytest.raises(ValueError, match="centers are"):
        reorientation(SHAPE, TURNED, SHAPE, np.diag((-1.0, 1.0, 1.0, 1.0)) @ TURNED)


def test_small_voxels_have_a_small_tolerance():
    microscope = np.diag((1e-3, 1e-3, 1e-3, 1.0))
    shifted = microscope.copy()
    shifted[0, 3] += 1e-3
    with pytest.raises(ValueError, match=r"centers are 0\.001 mm apart"):
        reorientation(SHAPE, microscope, SHAPE, shifted)


def test_the_size_of_a_single_slice_does_not_matter():
    flat = (5, 6, 1)
    assert reorientation(flat, TURNED, flat, TURNED @ np.diag((1, 1, 2, 1))).is_identity
