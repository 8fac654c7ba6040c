"""Arrays in files of Blosc2, such as those of nnU-Net's preprocessed data.

Python's blosc2 keeps Python's lock (the GIL) while it decompresses, so that threads wait for each
other, and the training for them. Its wheels carry the C library, which is called here for the parts
themselves, without that lock: two threads read 2.0 times as much as one, where they read no more.
"""

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .safety import FileError, reading, state_of

# Where a wheel has it, by system.
LIBRARIES = ("lib/libblosc2.so", "lib/libblosc2.dylib", "lib/libblosc2.dll", "bin/libblosc2.dll")


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
            library = c_library()
            if library is None:
                part: npt.NDArray[Any] = self._open()[window]
                return part
            slices = [each for each in np.index_exp[window] if each is not Ellipsis]
            box = [(0, n) for n in self.shape[: len(self.shape) - len(slices)]]
            box += [each.indices(n)[:2] for each, n in zip(slices, self.shape[-3:], strict=False)]
            return self._decompressed(library, box)

    def _decompressed(self, library: Any, box: list[tuple[int, int]]) -> npt.NDArray[Any]:
        shape = [stop - start for start, stop in box]
        result = np.empty(shape, self.dtype)
        array = ctypes.c_void_p()
        _check(library.b2nd_open(bytes(self._path), ctypes.byref(array)))
        try:
            numbers = ctypes.c_int64 * len(box)
            starts, stops = (numbers(*ends) for ends in zip(*box, strict=True))
            code = library.b2nd_get_slice_cbuffer(
                array, starts, stops, result.ctypes.data, numbers(*shape), result.nbytes
            )
            _check(code)
        finally:
            library.b2nd_free(array)
        return result

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


@functools.cache
def c_library() -> Any | None:
    """Blosc2's C library, for one thread a call; None if this installation has none of its own."""
    import blosc2

    folder = Path(blosc2.__file__).parent
    file = next((folder / name for name in LIBRARIES if (folder / name).is_file()), None)
    if file is None:
        return None
    library = ctypes.CDLL(str(file))
    array, numbers = ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64)
    library.b2nd_open.argtypes = [ctypes.c_char_p, ctypes.POINTER(array)]
    library.b2nd_get_slice_cbuffer.argtypes = [
        array, numbers, numbers, ctypes.c_void_p, numbers, ctypes.c_int64,
    ]  # fmt: skip
    library.b2nd_free.argtypes = [array]
    library.blosc2_init()
    library.blosc2_set_nthreads(1)
    return library


def _check(code: int) -> None:
    """Raise the error that a call returned, if it is one."""
    if code < 0:
        raise ValueError(f"cannot be read by Blosc2, whose error is {code}: it may be damaged")
