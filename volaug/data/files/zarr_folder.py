"""Arrays of Zarr in a folder, read and written chunk by chunk."""

import copy
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...warping.geometry.bspline import Floats
from .atomic import partial_path, sync_folder
from .ome_zarr import Level, first_level, of_one_level
from .safety import FileError, naming, reading, state_of

Array = npt.NDArray[Any]

# Files that make a folder an array or a group: of Zarr 3, and of Zarr 2.
MARKS = ("zarr.json", ".zarray", ".zgroup")


def is_zarr(path: Path) -> bool:
    """Whether a path is a folder of Zarr."""
    return path.suffix.lower() == ".zarr" or any((path / mark).is_file() for mark in MARKS)


class ZarrFolder:
    """An array of Zarr in a folder, or an OME-Zarr image, sliced like an array.

    Of an image, it is the level of full resolution. The chunks of a part are read. It is opened for
    each part, so that no handle is shared by threads and processes.

    Attributes
    ----------
    shape : tuple of ints
        ``(n0, n1, n2)`` or ``(C, n0, n1, n2)``.
    dtype : numpy.dtype
    level : Level or None
        What OME-Zarr says of the array.
    """

    level: Level | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        voxels = self._open()
        mark = next(path / mark for mark in MARKS if (path / mark).is_file())
        self._states = {mark: state_of(mark)}
        # images have axes of time and channels, often of length 1
        drop = 0 if self.level is None else max(0, len(voxels.shape) - 3)
        self._ones = tuple(i for i in range(drop) if voxels.shape[i] == 1)
        self.shape = tuple(int(n) for i, n in enumerate(voxels.shape) if i not in self._ones)
        self.dtype = np.dtype(voxels.dtype)
        if self.level is not None:
            self.affine: Floats = self.level.affine

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        slices = [part for part in (window if isinstance(window, tuple) else ()) if part != ...]
        before = [slice(None)] * (len(self.shape) - len(slices))
        box = [*before, *slices]
        for axis in self._ones:
            box.insert(axis, slice(None))
        with reading(self._path, self._states):
            return np.asarray(self._open()[tuple(box)]).squeeze(self._ones)

    def chunks(self) -> Iterator[tuple[slice, ...]]:
        """Boxes of whole chunks, or of whole shards, which cover the array."""
        voxels = self._open()
        lengths = voxels.shards or voxels.chunks
        return boxes(self.shape, [n for i, n in enumerate(lengths) if i not in self._ones])

    def write_copy(self, path: Path, voxels: Array, start: tuple[int, int, int]) -> None:
        """Write an array or an image of other voxels, with the chunks and attributes of this one.

        Parameters
        ----------
        path : Path
            A folder that does not exist.
        voxels : array
            Of any shape of as many axes, and of this dtype.
        start : (3,) ints
            The voxel of this array at which they begin.
        """
        import zarr

        given = self._open()
        like = {
            "shape": self._with_ones(voxels.shape),
            "chunks": given.chunks,
            "shards": given.shards,
            "dtype": given.dtype,
            "fill_value": given.fill_value,
            "attributes": given.attrs.asdict(),
            "dimension_names": getattr(given.metadata, "dimension_names", None),
        }
        if self.level is None:
            target = zarr.create_array(str(path), **like)
        else:
            attributes = of_one_level(copy.deepcopy(self._attributes), start)
            group = zarr.create_group(str(path), attributes=attributes)
            target = group.create_array(self.level.path, **like)
        lengths = given.shards or given.chunks
        for box in boxes(target.shape, lengths):
            target[box] = voxels.reshape(target.shape)[box]

    def _with_ones(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        lengths = list(shape)
        for axis in self._ones:
            lengths.insert(axis, 1)
        return tuple(lengths)

    def _open(self) -> Any:
        try:
            import zarr
        except ModuleNotFoundError as error:
            raise FileError(
                str(self._path), "needs zarr, which is not installed: pip install 'volaug[zarr]'"
            ) from error
        with naming(self._path):
            found = zarr.open(str(self._path), mode="r")
            if not isinstance(found, zarr.Array):
                self._attributes = found.attrs.asdict()
                self.level = first_level(self._attributes)
                if self.level is not None:
                    found = found[self.level.path]
        if not isinstance(found, zarr.Array):
            names = ", ".join(sorted(name for name, _ in found.arrays())) or "none"
            raise FileError(
                str(self._path),
                f"must be an array, got a group: give the path of one of its arrays ({names})",
            )
        return found


def boxes(shape: tuple[int, ...], lengths: Any) -> Iterator[tuple[slice, ...]]:
    """Boxes of some lengths that cover a shape."""
    axes = [
        [slice(first, min(first + n, stop)) for first in range(0, stop, n)]
        for stop, n in zip(shape, lengths, strict=True)
    ]
    return itertools.product(*axes)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a path for a folder, which gets the name `path` if the block succeeds.

    Its bytes are on the disk before it gets its name.
    """
    partial = partial_path(path)
    try:
        yield partial
        for folder, _, files in os.walk(partial):
            for name in files:
                with open(Path(folder, name), "rb+") as stream:
                    os.fsync(stream.fileno())
            sync_folder(Path(folder))
        if path.is_dir():  # of a run that was interrupted before its manifest told of it
            shutil.rmtree(path)
        os.rename(partial, path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
