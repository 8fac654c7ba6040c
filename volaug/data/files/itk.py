"""Images that SimpleITK reads: NRRD, MetaImage and folders of DICOM files."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .blocks import SUFFIXES, voxels_of
from .itk_warnings import without_itk_warnings
from .safety import FileError, naming, reading, state_of, words_of

Array = npt.NDArray[Any]

# ITK's axes point to the left and posterior, nibabel's to the right and anterior.
LPS_TO_RAS = np.diag((-1.0, -1.0, 1.0, 1.0))

# How much distances between slices may differ, as a share of their median.
UNEVEN = 0.05
POSITION = "0020|0032"

ADDRESS = re.compile(r"\(0x[0-9a-f]+\)")


class ItkImage:
    """An image that SimpleITK reads, channels first, sliced like an array.

    The whole image is read for each part of it. Its attributes have the meaning of those of a
    `NibabelImage`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[str] = []
        with naming(path):
            parts = {path}
            if path.is_dir():
                self._files = _series(path)
                parts = {Path(name) for name in self._files}
            elif path.suffix.lower() in SUFFIXES:
                parts |= {voxels_of(path).file}
            self.states = {part: state_of(part) for part in parts}
            image = self.read()
            if image.GetDimension() not in (3, 4):
                raise FileError(
                    str(path), f"must have three axes, or a fourth for channels, got "
                    f"{image.GetSize()}"
                )  # fmt: skip
            if "complex" in image.GetPixelIDTypeAsString():
                raise FileError(str(path), "must hold real numbers, got complex ones")
            voxels = _voxels(image)
            self.shape, self.dtype, self.affine = voxels.shape, voxels.dtype, _affine(image)

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        with reading(self.path, self.states):
            part: Array = _voxels(self.read())[window]
            return part

    def read(self) -> Any:
        """The image, as SimpleITK has it."""
        sitk = _simpleitk(self.path)
        try:
            return sitk.ReadImage(self._files or str(self.path))
        except RuntimeError as error:  # of its many lines the last says what is wrong
            reason = ADDRESS.sub("", words_of(error).rpartition("ERROR: ")[2])
            raise FileError(str(self.path), f"cannot be read: {reason}") from error


def _simpleitk(path: Path) -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise FileError(
            str(path), "is read by SimpleITK, which is not installed: pip install 'volaug[files]'"
        ) from error
    return SimpleITK


def _voxels(image: Any) -> Array:
    """The voxels of an image as (n0, n1, n2) or (C, n0, n1, n2)."""
    import SimpleITK as sitk

    voxels: Array = sitk.GetArrayFromImage(image)  # (t, z, y, x, components)
    if image.GetNumberOfComponentsPerPixel() > 1:
        voxels = np.moveaxis(voxels, -1, 0)
    if voxels.ndim > 4:
        raise ValueError(f"must have channels or times, got both in {voxels.shape}")
    turned: Array = np.swapaxes(voxels, -1, -3)
    return turned


def _affine(image: Any) -> npt.NDArray[np.float64]:
    """The affine from voxels to mm, with axes to the right, anterior and superior."""
    n = image.GetDimension()
    directions = np.reshape(image.GetDirection(), (n, n))[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = directions * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    world: npt.NDArray[np.float64] = LPS_TO_RAS @ affine
    return world


def _series(folder: Path) -> list[str]:
    """The files of the one series in a folder, in the order of their slices."""
    sitk = _simpleitk(folder)
    for entry in folder.iterdir():
        if not entry.is_dir():
            state_of(entry)  # refuses a pipe, for which ITK would wait
    with without_itk_warnings(sitk):  # the error says if there is no series
        found = {
            series: list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series))
            for series in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        }
    if not found:
        raise FileError(str(folder), "must be a folder of DICOM files, got none of these in it")
    if len(found) > 1:
        listed = ", ".join(f"{series} ({len(files)} files)" for series, files in found.items())
        raise FileError(
            str(folder), f"must hold one DICOM series, got {len(found)}: {listed}; give each a "
            "folder"
        )  # fmt: skip
    (files,) = found.values()
    _check_slices(folder, files, sitk)
    return files


def _check_slices(folder: Path, files: list[str], sitk: Any) -> None:
    """Check that no slice is missing: ITK only prints that."""
    reader = sitk.ImageFileReader()
    places = []
    for file in files:
        reader.SetFileName(file)
        reader.ReadImageInformation()
        if reader.HasMetaDataKey(POSITION):
            places.append([float(x) for x in reader.GetMetaData(POSITION).split("\\")])
    steps = np.linalg.norm(np.diff(np.array(places), axis=0), axis=1) if len(places) > 2 else ()
    if len(steps) and np.ptp(steps) > UNEVEN * np.median(steps):
        raise FileError(
            str(folder), f"must have slices at even distances, got {min(steps):.4g} to "
            f"{max(steps):.4g} mm: is one missing?"
        )  # fmt: skip
