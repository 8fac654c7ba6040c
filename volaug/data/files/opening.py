"""From a path to what is sliced like an array, whichever library reads it."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ... import checks
from ...warping.geometry.bspline import Floats
from .blocks import SUFFIXES
from .itk import ItkImage
from .nibabel_files import NibabelImage
from .npy import Npy
from .safety import FileError, naming


def is_path(value: Any) -> bool:
    """Whether it names a file."""
    return isinstance(value, str | os.PathLike)


def as_path(value: Any) -> Path:
    """The path that a string or any `os.PathLike` says."""
    return Path(os.fsdecode(value))


def open_volume(path: Path) -> Any:
    """What has a shape (C, n0, n1, n2) or (n0, n1, n2) and a dtype, and is sliced like an array.

    Parameters
    ----------
    path : Path
        Of a ``.npy`` file; of an image that nibabel reads (NIfTI, MGH, Analyze, AFNI, PAR/REC,
        MINC); or of one that SimpleITK reads: NRRD, MetaImage, or a folder with one DICOM series.

    Raises
    ------
    FileError
        If it is damaged or cut short, not a regular file, or no volume of numbers.
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
    if suffix in (*SUFFIXES, ".dcm") or path.is_dir():
        return ItkImage(path)
    return NibabelImage(path)


def affine_of(volume: Any, path: Path) -> Floats | None:
    """The matrix from voxels to mm that a file has, if it has one."""
    if not hasattr(volume, "affine"):
        return None
    with naming(path):
        return checks.as_world(volume.affine)
