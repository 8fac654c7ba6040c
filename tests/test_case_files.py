"""Cases from files have the voxels, labels and affines that the formats say."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from support.cases import AFFINE, IMAGE, LABEL, SHAPE, batch_of, same
from support.volumes import random_volume
from volaug import CaseError, Compose, Stream
from volaug.data.cases import Case
from volaug.data.files import npy
from volaug.data.files.opening import open_volume


def test_npy_files_are_read_and_not_mapped(tmp_path):
    np.save(tmp_path / "image.npy", IMAGE)
    np.save(tmp_path / "label.npy", np.asfortranarray(LABEL))
    case = {"image": tmp_path / "image.npy", "label": str(tmp_path / "label.npy")}
    opened = Case(case, Compose([]).table).open()
    assert opened.shape == SHAPE
    same(batch_of(case), batch_of({"image": IMAGE, "label": LABEL}))
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(9, 8, 7), (3, 9, 8, 7)])
def test_boxes_of_npy_files(tmp_path, monkeypatch, order, shape):
    """Of the rows that a box touches, and no others, is anything read."""
    voxels = np.asarray(random_volume(shape), order=order)
    np.save(tmp_path / "image.npy", voxels)
    volume, read = open_volume(tmp_path / "image.npy"), []
    into = npy._read_into
    monkeypatch.setattr(
        npy, "_read_into", lambda *given: read.append(given[2].size) or into(*given)
    )
    rng = np.random.default_rng(0)
    for _ in range(30):
        ends = [sorted(rng.choice(n + 1, 2, replace=False).tolist()) for n in shape[-3:]]
        window = (..., *(slice(*each) for each in ends))
        read.clear()
        np.testing.assert_array_equal(volume[window], voxels[window])
        row, length = (-1, shape[-1]) if order == "C" else (-voxels.ndim, shape[0])
        assert sum(read) == voxels[window].size // voxels[window].shape[row] * length
    np.testing.assert_array_equal(volume[...], voxels)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_files_bring_their_affine_along(tmp_path, suffix):
    case = {"image": tmp_path / f"image{suffix}", "label": tmp_path / f"label{suffix}"}
    nibabel.save(nibabel.Nifti1Image(IMAGE, AFFINE), case["image"])
    nibabel.save(nibabel.Nifti1Image(LABEL, AFFINE), case["label"])
    expected = batch_of({"image": IMAGE, "label": LABEL, "affine": AFFINE})
    found = batch_of(case)
    assert found["label"].dtype == np.int16
    for name in ("image", "label"):  # other memory orders differ in the last bits
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    np.testing.assert_array_equal(found["affine"], expected["affine"])
    other = batch_of({**case, "spacing": (1.0, 1.0, 1.0)})
    assert "affine" not in other


def test_scaled_and_four_dimensional_files(tmp_path):
    scaled = nibabel.Nifti1Image(LABEL, AFFINE)
    scaled.header.set_slope_inter(0.5, 3.0)
    nibabel.save(scaled, tmp_path / "scaled.nii")
    scan = open_volume(tmp_path / "scaled.nii")
    assert scan.dtype == np.float32
    np.testing.assert_allclose(scan[...], nibabel.load(tmp_path / "scaled.nii").get_fdata())

    channels = random_volume((*SHAPE, 3))
    nibabel.save(nibabel.Nifti1Image(channels, AFFINE), tmp_path / "channels.nii")
    scan = open_volume(tmp_path / "channels.nii")
    assert scan.shape == (3, *SHAPE)
    np.testing.assert_array_equal(scan[...], np.moveaxis(channels, 3, 0))
    part = scan[..., 3:9, 1:2, 40:]
    np.testing.assert_array_equal(part, np.moveaxis(channels, 3, 0)[..., 3:9, 1:2, 40:])


def test_the_data_of_an_image_of_nibabel_is_what_it_scales(tmp_path):
    scaled = nibabel.Nifti1Image(LABEL.astype(">i2"), AFFINE)
    scaled.header.set_slope_inter(0.5, 3.0)
    nibabel.save(scaled, tmp_path / "scaled.nii")
    image = nibabel.load(tmp_path / "scaled.nii")
    found = batch_of({"image": image.dataobj})["image"]
    expected = batch_of({"image": np.asarray(image.dataobj)})["image"]
    assert found.dtype == expected.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-12)


DATA = Path(nibabel.__file__).parent / "tests" / "data"


@pytest.mark.parametrize(
    "name",
    [
        "scaled+tlrc.HEAD", "phantom_varscale.PAR", "phantom_EPI_asc_CLEAR_2_1.PAR",
        "example4d+orig.HEAD", "functional.nii", "anatomical.nii", "reoriented_anat_moved.nii",
        "example_nifti2.nii.gz", "standard.nii.gz", "test.mgz", "minc1_1_scale.mnc", "tiny.mnc",
    ],
)  # fmt: skip
def test_voxels_mean_what_nibabel_says(name):
    """Whatever a format calls its scaling, and wherever it keeps it."""
    expected = np.asarray(nibabel.load(DATA / name).dataobj)
    if expected.ndim == 4:
        expected = np.moveaxis(expected, 3, 0)
    scan = open_volume(DATA / name)
    whole = scan[...]
    assert whole.dtype == scan.dtype
    assert scan.dtype.isnative
    assert (scan.dtype.kind == "f") == (expected.dtype.kind == "f")
    np.testing.assert_allclose(whole, expected.reshape(scan.shape), rtol=1e-6)
    assert np.ptp(whole) > 0
    part = scan[..., 1:3, 2:4, 0:3]
    np.testing.assert_array_equal(part, whole[..., 1:3, 2:4, 0:3])


def labels_of(file):
    case = {"image": IMAGE, "label": file}
    pipeline = Compose([])
    with Stream([case], pipeline, patch_shape=SHAPE, batch_size=1, seed=1) as made:
        return next(made)["label"][0, 0]


@pytest.mark.parametrize("slope", [1.000015, 0.999985, 0.1, 1 / 3])
def test_labels_that_are_stored_scaled_are_whole_numbers(tmp_path, slope):
    """2 is 2.00003 there, or 1.99997, of which a cast makes 1."""
    stored = np.round(np.arange(40) / slope).astype(np.int16)
    steps = stored * np.float32(slope)
    expected = np.arange(40)[np.abs(steps - np.arange(40)) < 1e-3]
    voxels = np.resize(stored[expected], SHAPE)
    image = nibabel.Nifti1Image(voxels, AFFINE)
    image.header.set_slope_inter(slope, 0.0)
    nibabel.save(image, tmp_path / "label.nii.gz")
    found = labels_of(tmp_path / "label.nii.gz")
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, np.resize(expected, SHAPE))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".npy", ".nrrd"])
@pytest.mark.parametrize(
    ("stored", "highest", "dtype"),
    [
        (np.float32, 3, np.int16), (np.float64, 14175, np.int16), (np.float32, 40000, np.int32),
        (np.float64, 2**40, np.int64), (np.uint8, 255, np.uint8), (np.int16, 999, np.int16),
        (np.int32, 3, np.int32),
    ],
)  # fmt: skip
def test_labels_of_files_are_integers(tmp_path, suffix, stored, highest, dtype):
    """Those that are integers keep their dtype; others take int16 if that holds them."""
    file, voxels = tmp_path / f"label{suffix}", LABEL.astype(stored)
    voxels[5, 6, 7] = highest
    if suffix == ".npy":
        np.save(file, voxels)
    elif suffix == ".nrrd":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels.transpose(2, 1, 0)), str(file))
    else:
        nibabel.save(nibabel.Nifti1Image(voxels, AFFINE, dtype=stored), file)
    found = labels_of(file)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, voxels)


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, -np.inf, 1.01, 1e300])
def test_labels_that_are_no_whole_numbers(tmp_path, value):
    voxels = LABEL.astype(np.float64)
    voxels[1, 2, 3] = value
    np.save(tmp_path / "label.npy", voxels)
    message = "labels must fit" if value == 1e300 else "labels must be whole numbers, got 1 voxels"
    with pytest.raises(CaseError, match=message) as caught:
        labels_of(tmp_path / "label.npy")
    assert caught.value.file == str(tmp_path / "label.npy")


class Named:
    """A path that is no `Path`."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


def test_any_path_is_one(tmp_path):
    file = tmp_path / "image.npy"
    np.save(file, IMAGE)
    expected = batch_of({"image": IMAGE})
    for path in (str(file), file, Named(str(file)), Named(bytes(file))):
        np.testing.assert_array_equal(batch_of({"image": path})["image"], expected["image"])
