"""Datasets in files of HDF5, read chunk by chunk."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .safety import FileError, naming, reading, state_of

SUFFIXES = (".h5", ".hdf5")
SEPARATOR = "::"  # of the file and the name of the dataset


def split(path: Path) -> tuple[Path, str]:
    """The file and the name of the dataset of ``file.h5::name``; the name may be empty."""
    file, _, name = str(path).partition(SEPARATOR)
    return Path(file), name


def is_hdf5(path: Path) -> bool:
    """Whether a path names a file of HDF5, or a dataset in one."""
    return split(path)[0].suffix.lower() in SUFFIXES


class Hdf5Dataset:
    """A dataset, sliced like an array: the chunks of the part are decompressed.

    The file is opened for each part: an open one can neither be pickled nor be used by a forked
    process. HDF5 has one lock for all files of a process, so that parts are read one by one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file, name = split(path)
        self._states = {self._file: state_of(self._file)}
        with naming(path), _opened(self._file) as file:
            self._name = name or self._only(file)
            voxels = self._found(file)
            self.shape, self.dtype = tuple(map(int, voxels.shape)), np.dtype(voxels.dtype)

    def __getitem__(self, window: Any) -> npt.NDArray[Any]:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        with reading(self._path, self._states), _opened(self._file) as file:
            return np.asarray(self._found(file)[window])

    def _found(self, file: Any) -> Any:
        import h5py

        found = file.get(self._name)
        if not isinstance(found, h5py.Dataset):
            raise FileError(
                str(self._path),
                f"must name a dataset, and {self._name!r} is none; the file has {_listed(file)}",
            )
        return found

    def _only(self, file: Any) -> str:
        names = _datasets(file)
        if len(names) != 1:
            raise FileError(
                str(self._path),
                f"must name a dataset, as {self._file.name}{SEPARATOR}image; the file has "
                f"{_listed(file)}",
            )
        return names[0]


def _opened(file: Path) -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise FileError(
            str(file), "needs h5py, which is not installed: pip install h5py"
        ) from error
    # another process may have the file open, for reading as well
    return h5py.File(file, "r", locking=False)


def _datasets(file: Any) -> list[str]:
    import h5py

    names: list[str] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            names.append(name)

    file.visititems(visit)
    return names


def _listed(file: Any) -> str:
    return ", ".join(_datasets(file)) or "none"
