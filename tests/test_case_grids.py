"""Images and labels of one case: brought into one grid by where their files lie, or refused."""

import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from support.volumes import random_volume
from volaug import CaseError, Compose, RandomAffine, RandomElastic, RandomFlip, Stream
from volaug.data.cases import Case

SHAPE = (24, 20, 28)
IMAGE = random_volume(SHAPE)
LABEL = (4 * random_volume(SHAPE, seed=1)).astype(np.uint8)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", (8, -5, 20), degrees=True).as_matrix()
AFFINE = AFFINE @ np.diag((1.0, 1.5, 3.0, 1.0))
AFFINE[:3, 3] = (-90.0, 126.0, -72.0)
STEPS = [RandomFlip(), RandomAffine(p=1), RandomElastic(2.0, p=0.5)]


def batches(case, steps=STEPS):
    pipeline = Compose(steps, targets={"t2": "image"})
    with Stream([case], pipeline, patch_shape=12, batch_size=2, seed=3) as made:
        return [next(made) for _ in range(3)]


def same(case, expected=None):
    """That the labels are those of arrays in one grid, to the last bit."""
    expected = expected or {"image": IMAGE, "label": LABEL, "affine": AFFINE}
    for found, right in zip(batches(case), batches(expected), strict=True):
        np.testing.assert_array_equal(found["label"], right["label"])
        np.testing.assert_allclose(found["image"], right["image"], atol=1e-5)
        np.testing.assert_allclose(found["affine"], right["affine"], atol=1e-4)


def saved(file, voxels, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(voxels, affine), file)
    return file


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.slow
def test_labels_in_another_order_and_direction_of_axes(tmp_path, axes):
    image = saved(tmp_path / "image.nii", IMAGE)
    for number, flips in enumerate(itertools.product((1, -1), repeat=3)):
        turned = nibabel.Nifti1Image(LABEL, AFFINE).as_reoriented(np.transpose([axes, flips]))
        nibabel.save(turned, tmp_path / f"label{number}.nii.gz")
        same({"image": image, "label": tmp_path / f"label{number}.nii.gz"})


@pytest.mark.slow
def test_any_file_beside_any_other(tmp_path):
    turned = nibabel.Nifti1Image(LABEL, AFFINE).as_reoriented([[2, -1], [0, 1], [1, -1]])
    nibabel.save(turned, tmp_path / "label.nii.gz")
    picture = SimpleITK.ReadImage(str(tmp_path / "label.nii.gz"))
    SimpleITK.WriteImage(picture, str(tmp_path / "label.nrrd"), True)
    picture = SimpleITK.DICOMOrient(picture, "RSP")
    SimpleITK.WriteImage(picture, str(tmp_path / "label.mha"), True)
    image = saved(tmp_path / "image.nii", IMAGE)
    for name in ("label.nrrd", "label.mha"):
        same({"image": image, "label": tmp_path / name})
        # the first image says which grid it is, also where the label comes first
        same({"label": tmp_path / name, "image": image})
        # an array lies where the case says
        same({"image": IMAGE, "label": tmp_path / name, "affine": AFFINE})


def test_several_images(tmp_path):
    t2 = nibabel.Nifti1Image(2 * IMAGE, AFFINE).as_reoriented([[0, -1], [2, 1], [1, 1]])
    nibabel.save(t2, tmp_path / "t2.nii")
    case = {"t2": tmp_path / "t2.nii", "image": saved(tmp_path / "image.nii", IMAGE)}
    for batch in batches(case):
        np.testing.assert_allclose(batch["t2"], 2 * batch["image"], atol=1e-6)
        codes = nibabel.aff2axcodes(batch["affine"][0])
        assert codes == nibabel.aff2axcodes(t2.affine)  # of the first one in the case


def test_what_a_file_rounds_passes(tmp_path):
    image = saved(tmp_path / "image.nii", IMAGE)
    label = nibabel.Nifti1Image(LABEL, AFFINE)
    label.set_qform(AFFINE, 1)
    label.set_sform(None, 0)
    nibabel.save(label, tmp_path / "quaternion.nii")
    same({"image": image, "label": tmp_path / "quaternion.nii"})
    shifted = AFFINE.copy()
    shifted[:3, 3] += (3e-4, -3e-4, 3e-4)
    same({"image": image, "label": saved(tmp_path / "label.nii", LABEL, shifted)})


def moved(*shift):
    affine = AFFINE.copy()
    affine[:3, 3] += shift
    return affine


@pytest.mark.parametrize(
    ("voxels", "affine", "message"),
    [
        (LABEL, moved(10, 0, 0), "centers are 10 mm apart"),
        (LABEL, moved(0, 0.05, 0), "centers are 0.05 mm apart"),
        (LABEL, AFFINE @ np.diag((1, 1, 1.2, 1)), r"voxels are \(1, 1.5, 3\) and \(1, 1.5, 3.6\)"),
        (LABEL, np.diag((-1.0, 1.0, 1.0, 1.0)) @ AFFINE, "centers are"),
        (LABEL, np.diag((1, 1.5, 3, 1)), "axes differ in direction by up to"),
        (LABEL[:, :-1], AFFINE, r"shapes are \(24, 20, 28\) and \(24, 19, 28\)"),
        (np.ascontiguousarray(LABEL.T), AFFINE, r"shapes are .* and \(28, 20, 24\)"),
    ],
)
def test_other_places_are_refused_with_both_files(tmp_path, voxels, affine, message):
    image = saved(tmp_path / "image.nii", IMAGE)
    label = saved(tmp_path / "label.nii.gz", voxels, affine)
    for given in (image, IMAGE):
        case = {"image": given, "label": label, **({} if given is image else {"affine": AFFINE})}
        with pytest.raises(CaseError, match=message) as caught:
            batches(case)
        assert caught.value.file == str(label)
        assert str(label) in str(caught.value)
        assert given is IMAGE or f"in the grid of image ({image})" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_files_that_say_no_place_need_the_same_shape(tmp_path):
    np.save(tmp_path / "label.npy", LABEL)
    image = saved(tmp_path / "image.nii", IMAGE)
    same({"image": image, "label": tmp_path / "label.npy"})
    same({"image": image, "label": LABEL})
    np.save(tmp_path / "label.npy", LABEL[1:])
    with pytest.raises(CaseError, match="must have one shape") as caught:
        batches({"image": image, "label": tmp_path / "label.npy"})
    assert str(image) in str(caught.value)
    assert "label.npy" in str(caught.value)


def test_a_size_that_the_case_says_does_not_hide_a_difference(tmp_path):
    image = saved(tmp_path / "image.nii", IMAGE)
    label = saved(tmp_path / "label.nii", LABEL, moved(10, 0, 0))
    for said in ({"spacing": (1, 1, 1)}, {"affine": np.eye(4)}):
        with pytest.raises(CaseError, match="10 mm apart"):
            batches({"image": image, "label": label, **said})
        units = {"spacing", "affine"} & set(batches({"image": image, **said}, [])[0])
        assert units == set(said)


def test_a_file_beside_an_array_is_brought_to_the_affine_of_the_case(tmp_path):
    """An array lies where the case says, and so must files."""
    image, label = random_volume((10, 12, 8)), np.zeros((10, 12, 8), np.int16)
    label[2:5, 3:6, 4:7] = 1
    turned = np.diag([-1.0, 1, 1, 1])
    turned[0, 3] = 9
    nibabel.save(nibabel.Nifti1Image(image[::-1], turned), tmp_path / "las.nii")
    nibabel.save(nibabel.Nifti1Image(label[::-1], turned), tmp_path / "label.nii")
    table = Compose([]).table
    for case in (
        {"image": tmp_path / "las.nii", "label": label, "affine": np.eye(4)},
        {"image": image, "label": tmp_path / "label.nii", "affine": np.eye(4)},
    ):
        opened = Case(case, table).open()
        np.testing.assert_array_equal(np.asarray(opened.volumes["image"][...]), image)
        np.testing.assert_array_equal(np.asarray(opened.volumes["label"][...]), label)
        np.testing.assert_array_equal(opened.affine, np.eye(4))
    elsewhere = np.eye(4)
    elsewhere[1, 3] = 5
    with pytest.raises(ValueError, match="must lie in the grid of the case's affine"):
        Case({"image": tmp_path / "las.nii", "label": label, "affine": elsewhere}, table).open()


def test_a_header_that_says_no_place_is_of_the_grid_of_the_others(tmp_path):
    image, label = random_volume((10, 12, 8)), np.zeros((10, 12, 8), np.int16)
    label[2:5, 3:6, 4:7] = 1
    for number, affine in enumerate((np.eye(4), np.diag([-2.0, 3, 1, 1]))):
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(image.shape) - 1) / 2)
        nibabel.save(nibabel.Nifti1Image(image, affine), tmp_path / f"{number}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(label, None), tmp_path / "nowhere.nii.gz")
    for number in range(2):
        case = {"image": tmp_path / f"{number}.nii.gz", "label": tmp_path / "nowhere.nii.gz"}
        opened = Case(case, Compose([]).table).open()
        np.testing.assert_array_equal(np.asarray(opened.volumes["label"][...]), label)
        np.testing.assert_array_equal(np.asarray(opened.volumes["image"][...]), image)
