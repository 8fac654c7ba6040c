"""NRRD, MetaImage and DICOM folders, read by SimpleITK, with the places that ITK gives them."""

import locale
import subprocess
import sys
import textwrap

import nibabel
import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from support.volumes import random_volume
from volaug import CaseError, Compose, Stream
from volaug.data.files.itk_warnings import without_itk_warnings
from volaug.data.files.opening import open_volume
from volaug.data.files.safety import FileError

SHAPE = (12, 10, 8)
VOXELS = (1000 * random_volume(SHAPE)).astype(np.int16)
BOX = (..., slice(2, 9), slice(0, 10), slice(5, 6))


def placed(image):
    """An image of ITK with a tilted place in the world."""
    image.SetSpacing((0.7, 1.2, 3.0))
    image.SetOrigin((-80.0, 30.0, 12.5))
    turn = Rotation.from_euler("xyz", (8, -5, 20), degrees=True).as_matrix()
    image.SetDirection((turn @ np.diag((1, -1, -1))).ravel().tolist())
    return image


PICTURE = placed(SimpleITK.GetImageFromArray(VOXELS.transpose(2, 1, 0)))


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_voxels_and_places_are_those_of_nifti(tmp_path, suffix, compressed):
    SimpleITK.WriteImage(PICTURE, str(tmp_path / f"image{suffix}"), compressed)
    SimpleITK.WriteImage(PICTURE, str(tmp_path / "image.nii"))
    found, expected = open_volume(tmp_path / f"image{suffix}"), open_volume(tmp_path / "image.nii")
    assert (found.shape, found.dtype) == (SHAPE, np.int16)
    np.testing.assert_array_equal(found[...], VOXELS)
    np.testing.assert_array_equal(found[BOX], expected[BOX])
    np.testing.assert_allclose(found.affine, nibabel.load(tmp_path / "image.nii").affine, atol=1e-4)


def test_channels(tmp_path):
    voxels = np.stack([VOXELS, VOXELS + 1, VOXELS + 2])
    vectors = SimpleITK.GetImageFromArray(np.moveaxis(voxels, 0, -1).transpose(2, 1, 0, 3), True)
    SimpleITK.WriteImage(vectors, str(tmp_path / "vectors.nrrd"))
    times = SimpleITK.JoinSeries([PICTURE, PICTURE + 1, PICTURE + 2])
    SimpleITK.WriteImage(times, str(tmp_path / "times.nrrd"))
    for name in ("vectors", "times"):
        volume = open_volume(tmp_path / f"{name}.nrrd")
        assert volume.shape == (3, *SHAPE)
        np.testing.assert_array_equal(volume[...], voxels)
        np.testing.assert_array_equal(volume[BOX], voxels[BOX])


def test_what_is_no_volume_of_real_numbers(tmp_path):
    flat = SimpleITK.GetImageFromArray(VOXELS[0])
    waves = SimpleITK.GetImageFromArray(VOXELS.astype(np.complex64))
    for name, image, message in (
        ("flat.nrrd", flat, "must have three axes"),
        ("waves.nrrd", waves, "must hold real numbers, got complex"),
    ):
        SimpleITK.WriteImage(image, str(tmp_path / name))
        with pytest.raises(FileError, match=message):
            open_volume(tmp_path / name)


def write_series(folder, series="1.2.3", skip=(), first=0):
    """A DICOM file for each slice."""
    folder.mkdir(exist_ok=True)
    before = locale.setlocale(locale.LC_ALL)
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    directions = PICTURE.GetDirection()
    for number in set(range(SHAPE[2])) - set(skip):
        part = PICTURE[:, :, number]
        place = PICTURE.TransformIndexToPhysicalPoint((0, 0, number))
        values = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0060": "MR",
            "0020|000d": "1.2",
            "0020|000e": series,
            "0008|0018": f"{series}.{number + 1}",
            "0020|0013": str(number),
            "0020|0032": "\\".join(map(str, place)),
            "0020|0037": "\\".join(str(directions[i]) for i in (0, 3, 6, 1, 4, 7)),
        }
        for key, value in values.items():
            part.SetMetaData(key, value)
        # names in another order than slices
        writer.SetFileName(str(folder / f"{(7 * number) % 31 + first:03d}.dcm"))
        writer.Execute(part)
    locale.setlocale(locale.LC_ALL, before)  # ITK's writer resets it, and with it the encoding


def test_a_folder_of_dicom_files(tmp_path):
    write_series(tmp_path / "series")
    volume = open_volume(tmp_path / "series")
    SimpleITK.WriteImage(PICTURE, str(tmp_path / "image.nii"))
    case = {"image": tmp_path / "image.nii", "label": tmp_path / "series"}
    with Stream([case], Compose([]), patch_shape=8, batch_size=2, seed=1) as made:
        batch = next(made)
    np.testing.assert_array_equal(batch["image"], batch["label"])
    assert volume.shape == SHAPE
    np.testing.assert_allclose(
        volume.affine[:3, :3] @ np.diag(1 / np.array(PICTURE.GetSpacing())),
        np.diag((-1, -1, 1)) @ np.reshape(PICTURE.GetDirection(), (3, 3)),
        atol=1e-5,
    )


def test_folders_that_are_no_one_series(tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    write_series(tmp_path / "two")
    write_series(tmp_path / "two", "1.2.4", first=100)
    write_series(tmp_path / "gap", skip=[3])
    for name, message in (
        ("empty", "must be a folder of DICOM files, got none"),
        ("two", r"must hold one DICOM series, got 2: 1\.2\..* \(8 files\), 1\.2\..* \(8 files\)"),
        ("gap", r"must have slices at even distances, got 3 to 6 mm: is one missing\?"),
    ):
        case = {"image": tmp_path / name}
        with pytest.raises(CaseError, match=message) as caught:
            Stream([case], Compose([]), patch_shape=8, batch_size=2, seed=1)
        assert caught.value.file == str(tmp_path / name)
    assert "No Series were found" not in capfd.readouterr().err  # ITK prints that


@pytest.mark.parametrize("library", ["SimpleITK", "nibabel"])
@pytest.mark.slow
def test_a_library_that_is_not_installed(tmp_path, library):
    file = tmp_path / ("image.nrrd" if library == "SimpleITK" else "image.nii")
    SimpleITK.WriteImage(PICTURE, str(file))
    script = f"""
        import sys
        sys.modules[{library!r}] = None
        from volaug import CaseError, Compose, Stream
        try:
            Stream([{{"image": {str(file)!r}}}], Compose([]), patch_shape=8, batch_size=1, seed=1)
        except CaseError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"is read by {library}, which is not installed: pip install 'volaug[files]'" in found
    assert str(file) in found


def test_warnings_are_as_before_when_threads_that_want_them_off_overlap():
    display = SimpleITK.ProcessObject
    assert display.GetGlobalWarningDisplay()
    first, second = (without_itk_warnings(SimpleITK) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not display.GetGlobalWarningDisplay()
    second.__exit__(None, None, None)
    assert display.GetGlobalWarningDisplay()
