"""Arrays of Zarr in a folder, read chunk by chunk."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .safety import FileError, check_unchanged, naming, state_of

# Files that make a folder an array or a group: of Zarr 3, and of Zarr 2.
MARKS = ("zarr.json", ".zarray", ".zgroup")


def is_zarr(path: Path) -> bool:
    """Whether a path is a folder of Zarr."""
    return path.suffix.lower() == ".zarr" or any((path / mark).is_file() for mark in MARKS)


class ZarrFolder:
    """An array of Zarr in a folder, sliced like an array: the chunks of the part are read.

    It is opened for each part, so that no handle is shared by threads and processes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        voxels = self._open()
        self._mark = next(path / mark for mark in MARKS if (path / mark).is_file())
        self._state = state_of(self._mark)
        self.shape, self.dtype = tuple(map(int, voxels.shape)), np.dtype(voxels.dtype)

    def __getitem__(self, window: Any) -> npt.NDArray[Any]:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        check_unchanged(self._path, state_of(self._mark), self._state)
        with naming(self._path):
            return np.asarray(self._open()[window])

    def _open(self) -> Any:
        try:
            import zarr
        except ModuleNotFoundError as error:
            raise FileError(
                str(self._path), "needs zarr, which is not installed: pip install zarr"
            ) from error
        with naming(self._path):
            found = zarr.open(str(self._path), mode="r")
        if not isinstance(found, zarr.Array):
            names = ", ".join(sorted(name for name, _ in found.arrays())) or "none"
            raise FileError(
                str(self._path),
                f"must be an array, got a group: give the path of one of its arrays ({names})",
            )
        return found
