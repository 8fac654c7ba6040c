"""Copies of NRRD and MetaImage files, with all that the header carries."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .blocks import voxels_of
from .encoding import stored_voxels
from .itk import ItkImage

Array = npt.NDArray[Any]

# What ITK says of the file that it read; it says anew what it writes.
READ_FROM = ("ITK_", "NRRD_encoding", "NRRD_endian", "NRRD_space", "NRRD_kinds", "NRRD_thicknesses")


def write_itk(
    source: ItkImage, voxels: Array, start: tuple[int, int, int], target: Path, level: int = 6
) -> None:
    """Write a copy of a file with other voxels.

    Parameters
    ----------
    source : ItkImage
        The file that is copied.
    voxels : (n0, n1, n2) or (C, n0, n1, n2) array
        New voxels, in the order of axes of the source.
    start : (3,) ints
        The voxel of the source at which the new voxels begin.
    target : Path
        A ``.nrrd`` or ``.mha`` file. It is compressed if the source is.
    level : int
        Level of the compression.
    """
    import SimpleITK as sitk

    given = source.read()
    values = stored_voxels(voxels, source.dtype).voxels
    turned = np.ascontiguousarray(np.swapaxes(values, -1, -3))
    is_vector = given.GetNumberOfComponentsPerPixel() > 1
    if is_vector:
        turned = np.ascontiguousarray(np.moveaxis(turned, 0, -1))
    image = sitk.GetImageFromArray(turned, isVector=is_vector)
    n = given.GetDimension()
    directions = np.reshape(given.GetDirection(), (n, n))
    shift = np.zeros(n)
    shift[:3] = start
    image.SetSpacing(given.GetSpacing())
    image.SetDirection(given.GetDirection())
    origin = np.add(given.GetOrigin(), directions @ (shift * given.GetSpacing()))
    image.SetOrigin(origin.tolist())
    for key in given.GetMetaDataKeys():
        if not key.startswith(READ_FROM):
            image.SetMetaData(key, given.GetMetaData(key))
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(target))
    writer.SetUseCompression(bool(voxels_of(source.path).encoding))
    writer.SetCompressionLevel(level)
    writer.Execute(image)
