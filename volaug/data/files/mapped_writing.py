"""Copies of files whose voxels are written where they lie in the file, and never all in memory."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .atomic import replacing
from .mapped import MappedNifti, MappedNpy, MappedZarr, map_new
from .nifti_writing import Start, nifti_head
from .scans import Scan
from .zarr_folder import replacing_folder

Array = npt.NDArray[Any]


@contextmanager
def mapped_copy(scan: Scan, shape: tuple[int, ...], start: Start, target: Path) -> Iterator[Array]:
    """Give the voxels of a copy of a file, which gets its name if the block succeeds.

    Parameters
    ----------
    scan : Scan
        The file that is copied, of a mapped volume.
    shape : tuple of ints
        Shape of the copy in the order of axes of the file, (n0, n1, n2) or (C, n0, n1, n2).
    start : (3,) ints
        The voxel of the file at which the copy begins.
    target : Path
        File to write.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left then.
    """
    if isinstance(scan.volume, MappedZarr):
        voxels = scan.volume.scratch.empty(shape, scan.volume.dtype)
        yield voxels
        with replacing_folder(target) as partial:
            scan.volume.write_copy(partial, voxels, start)
        return
    with replacing(target) as partial:
        with open(partial, "xb+", buffering=0) as stream:
            voxels = _mapped(stream, scan.volume, shape, start)
        yield voxels
        _flush(voxels)


def _mapped(stream: Any, volume: Any, shape: tuple[int, ...], start: Start) -> Array:
    """The voxels of a new file, after its header."""
    if isinstance(volume, MappedNpy):
        head, order = _npy_head(volume, shape), "F" if volume.is_fortran else "C"
        stream.write(head)
        return map_new(stream, len(head), shape, volume.dtype, order)
    assert isinstance(volume, MappedNifti)
    head = nifti_head(volume, shape, start)
    stream.write(head)
    last = (*shape[-3:], *shape[:-3])  # channels are the slowest axis
    voxels = map_new(stream, len(head), last, volume.dtype, "F")
    return np.moveaxis(voxels, -1, 0) if len(shape) == 4 else voxels


def _npy_head(volume: MappedNpy, shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    values = {
        "descr": np.lib.format.dtype_to_descr(volume.dtype),
        "fortran_order": volume.is_fortran,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(stream, values)
    return stream.getvalue()


def _flush(voxels: Array) -> None:
    """Let the voxels reach the file."""
    base: Any = voxels
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    if base is not None:
        base.flush()
