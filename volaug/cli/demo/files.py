"""The files of the demo: images, labels and texts."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from ...data.files.atomic import partial_path, replacing

# The code of NIfTI for "aligned to another scan", as in nilearn's template.
ALIGNED = 2


def make_folder(folder: Path) -> None:
    """Make a folder if it is missing, and check that files can be written to it."""
    if folder.is_file():
        raise NotADirectoryError(f"{folder} is a file, a folder is wanted")
    probe = partial_path(folder / "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(f"cannot write to {folder}: {error.strerror}") from None


def write_nifti(
    path: Path, voxels: npt.NDArray[Any], affine: npt.NDArray[np.float64], description: str
) -> None:
    """Write voxels as they are, without a scale, in a space measured in mm."""
    nifti = nibabel.Nifti1Image(voxels, affine, dtype=voxels.dtype)
    nifti.set_sform(affine, code=ALIGNED)
    nifti.set_qform(affine, code=ALIGNED)
    nifti.header.set_xyzt_units("mm")
    nifti.header["descrip"] = description
    with replacing(path) as partial:
        nibabel.save(nifti, partial)
