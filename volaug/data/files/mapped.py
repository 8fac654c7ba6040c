"""Volumes that stay on the disk: files mapped into memory, and files for what is computed.

The operating system reads and writes their pages, and takes the memory back whenever it is needed.
"""

import math
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .nibabel_files import NibabelImage
from .npy import Npy
from .safety import FileError, check_unchanged, naming, opened
from .zarr_folder import ZarrFolder, is_zarr

Array = npt.NDArray[Any]


class Scratch:
    """Files for arrays of the size of a volume, without a name: they go when the arrays go.

    Parameters
    ----------
    folder : Path
        Where the disk has room for them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """A new array in C order, of zeros."""
        with tempfile.TemporaryFile(dir=self._folder) as stream:
            return map_new(stream, 0, shape, np.dtype(dtype), "C")

    def empty_like(self, voxels: Array, shape: tuple[int, ...]) -> Array:
        """A new array of another shape, with the dtype and the memory order of some voxels."""
        first = voxels.ndim - 3  # channels come first
        axes = sorted(range(first, voxels.ndim), key=lambda axis: -abs(voxels.strides[axis]))
        order = [*range(first), *axes]
        ordered = self.empty(tuple(shape[axis] for axis in order), voxels.dtype)
        result: Array = ordered.transpose(np.argsort(order))
        return result


def map_new(
    stream: BinaryIO | Any, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], order: Any
) -> Array:
    """Map voxels that are to be written to a file, from `offset` on.

    The disk keeps room for them, so that a full one is an error here. Later, it would be a signal
    that ends the process.
    """
    size = offset + math.prod(shape) * dtype.itemsize
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(stream.fileno(), 0, size)
    else:
        stream.truncate(size)
    return np.asarray(np.memmap(stream, dtype, "r+", offset, shape, order))


class MappedNifti(NibabelImage):
    """A NIfTI file that is not compressed, whose parts are views of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        proxy = self._proxy
        with naming(path), opened(path) as (stream, _):
            if proxy is None or (proxy.slope, proxy.inter) != (1.0, 0.0):
                raise ValueError(
                    "its voxels are scaled, so that they cannot be read in parts: raise --memory, "
                    "or store them without a scale"
                )
            check_mappable(proxy.dtype, proxy.offset)
            self.content = stream.read(proxy.offset)  # the header and its extensions
            voxels = np.memmap(stream, proxy.dtype, "r", proxy.offset, proxy.shape, order="F")
            voxels = voxels.reshape(*voxels.shape[:3], *self._channels, order="F")
            self._voxels = np.asarray(np.moveaxis(voxels, -1, 0) if self._channels else voxels)

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``: a view."""
        check_unchanged(self.states)
        part: Array = self._voxels[window]
        return part


class MappedNpy(Npy):
    """A ``.npy`` file whose parts are views of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with naming(path), opened(path) as (stream, _):
            check_mappable(self.dtype, self._offset)
            order: Any = "F" if self.is_fortran else "C"
            self._voxels = np.asarray(
                np.memmap(stream, self.dtype, "r", self._offset, self.shape, order)
            )

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``: a view."""
        check_unchanged({self._path: self._state})
        part: Array = self._voxels[window]
        return part


class MappedZarr(ZarrFolder):
    """An array of Zarr whose chunks are decompressed to a file, each once."""

    def __init__(self, path: Path, scratch: Scratch) -> None:
        super().__init__(path)
        self.scratch = scratch
        self._voxels = scratch.empty(self.shape, self.dtype)
        for box in self.chunks():
            self._voxels[box] = super().__getitem__((..., *box))

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``: a view."""
        part: Array = self._voxels[window]
        return part


def check_mappable(dtype: np.dtype[Any], offset: int) -> None:
    """Check that voxels can be used where they lie in a file."""
    if not dtype.isnative or offset % dtype.itemsize:
        raise ValueError(
            "its voxels are in the byte order of other processors or not aligned, so that they "
            "cannot be read in parts: raise --memory, or store them anew"
        )


def open_mapped(path: Path, scratch: Scratch) -> Any:
    """Open a volume whose parts are views of its file, or of one that it is decompressed to.

    Raises
    ------
    FileError
        If it is damaged, or its format has no such parts.
    """
    name = path.name.lower()
    if name.endswith(".nii"):
        return MappedNifti(path)
    if name.endswith(".npy"):
        return MappedNpy(path)
    if is_zarr(path):
        return MappedZarr(path, scratch)
    raise FileError(
        str(path),
        "does not fit into --memory, and only .nii, .npy and .zarr are read in parts: raise "
        "--memory, take fewer --threads, or convert it",
    )
