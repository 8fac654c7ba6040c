"""Open a file as a volume that is sliced like an array, by the library that reads its format."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ... import checks
from ...warping.geometry.bspline import Floats
from .b2nd import B2nd
from .blocks import SUFFIXES
from .hdf5 import Hdf5Dataset, is_hdf5
from .itk import ItkImage
from .nibabel_files import NibabelImage
from .npy import Npy
from .safety import FileError, naming
from .zarr_folder import ZarrFolder, is_zarr


def is_path(value: Any) -> bool:
    """Whether a value is a path."""
    return isinstance(value, str | os.PathLike)


def as_path(value: Any) -> Path:
    """The path of a string or any `os.PathLike`."""
    return Path(os.fsdecode(value))


def outline_of(value: Any) -> str:
    """The name of a file, or the shape and dtype of an array."""
    if is_path(value):
        return as_path(value).name
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{tuple(shape)} {value.dtype}"


def open_volume(path: Path) -> Any:
    """Open a file as a volume that is sliced like an array.

    Parameters
    ----------
    path : Path
        A ``.npy`` or ``.b2nd`` file, an array of Zarr in a folder, a dataset of HDF5
        (``file.h5::name``, or the file alone if it has only one), an image that nibabel reads
        (NIfTI, MGH, Analyze, AFNI, PAR/REC, MINC), or one that SimpleITK reads: NRRD, MetaImage,
        or a folder with one DICOM series.

    Returns
    -------
    object
        Has a shape (C, n0, n1, n2) or (n0, n1, n2) and a dtype.

    Raises
    ------
    FileError
        If it is damaged or cut short, not a regular file, or not a volume of numbers.
    """
    with naming(path):
        volume = _opened(path)
        checks.as_volume(np.broadcast_to(np.zeros((), volume.dtype), volume.shape), "it")
    return volume


def _opened(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        raise FileError(str(path), "must be one array in a .npy file, got a .npz of several")
    if suffix == ".npy":
        return Npy(path)
    if suffix == ".b2nd":
        return B2nd(path)
    if is_hdf5(path):
        return Hdf5Dataset(path)
    if is_zarr(path):
        return ZarrFolder(path)
    if suffix in (*SUFFIXES, ".dcm") or path.is_dir():
        return ItkImage(path)
    return NibabelImage(path)


def affine_of(volume: Any, path: Path) -> Floats | None:
    """The affine of a file (voxels to mm), or None if it has none."""
    if not hasattr(volume, "affine"):
        return None
    with naming(path):
        return checks.as_world(volume.affine)
