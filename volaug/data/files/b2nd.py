"""Arrays in files of Blosc2, such as those of nnU-Net's preprocessed data."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .safety import FileError, reading, state_of


class B2nd:
    """A ``.b2nd`` file, sliced like an array: the blocks of the part are decompressed.

    It is opened for each part, since threads cannot share an open one, and by one thread, since a
    stream has its own. It is not mapped into memory: if a mapped file becomes shorter, the
    operating system kills the process.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._states = path, {path: state_of(path)}
        voxels = self._open()
        self.shape, self.dtype = tuple(map(int, voxels.shape)), np.dtype(voxels.dtype)

    def __getitem__(self, window: Any) -> npt.NDArray[Any]:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        with reading(self._path, self._states):
            part: npt.NDArray[Any] = self._open()[window]
        return part

    def _open(self) -> Any:
        try:
            import blosc2
        except ModuleNotFoundError as error:
            raise FileError(
                str(self._path), "needs blosc2, which is not installed: pip install blosc2"
            ) from error
        voxels = blosc2.open(str(self._path), mode="r", dparams={"nthreads": 1})
        if not isinstance(voxels, blosc2.NDArray):
            raise FileError(str(self._path), f"must be an array, got a {type(voxels).__name__}")
        return voxels
