"""Arrays in NumPy's own files, read box by box."""

import io
import math
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .encoding import stored_voxels
from .safety import FileError, check_length, naming, opened, reading

Array = npt.NDArray[Any]


class Npy:
    """A ``.npy`` file, sliced like an array.

    It is not mapped into memory: if a mapped file becomes shorter, the operating system kills the
    process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with naming(path), opened(path) as (stream, self._state):
            shape, fortran, dtype = _header(stream)
            self._offset = stream.tell()
        if dtype.hasobject:
            raise FileError(str(path), "must hold numbers, got Python objects")
        if min(shape, default=1) < 0:
            raise FileError(str(path), f"must have lengths of its axes over 0, got {shape}")
        declared = self._offset + math.prod(shape) * dtype.itemsize
        check_length(path, declared, self._state.size)
        self.shape, self.dtype, self.is_fortran = shape, dtype, fortran

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        slices = window[1:] if isinstance(window, tuple) else ()
        before = len(self.shape) - len(slices)
        box = [(0, n) for n in self.shape[:before]]
        box += [(s.start, s.stop) for s in slices]
        states = {self._path: self._state}
        with reading(self._path, states), opened(self._path) as (stream, _):
            # a file in Fortran order is one in C order with its axes reversed
            order = -1 if self.is_fortran else 1
            part = read_box(stream, self._offset, self.shape[::order], self.dtype, box[::order])
        return part.T if self.is_fortran else part


def npy_content(source: Npy, voxels: Array) -> memoryview:
    """Return what a ``.npy`` file holds that is a copy of one with other voxels."""
    stream = io.BytesIO()
    np.lib.format.write_array(
        stream, stored_voxels(voxels, source.dtype).voxels.astype(source.dtype), allow_pickle=False
    )
    return stream.getbuffer()


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"must be a .npy file of version 1.0 or 2.0, got {version}")
    return readers[version](stream)


def read_box(
    stream: IO[bytes],
    offset: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    box: list[tuple[int, int]],
) -> Array:
    """Read a box of an array in C order from a file without a buffer.

    Whole rows are read, since a part of a row costs the disk no less.

    Parameters
    ----------
    shape : tuple of two ints or more
    box : list of (start, stop)
        One for each axis.
    """
    *outer, (first, last), (left, right) = box
    length = shape[-1]
    part = np.empty([stop - start for start, stop in box], dtype)
    rows = np.empty((last - first, length), dtype)
    for index in np.ndindex(*part.shape[:-2]):
        place = 0
        for i, (start, _), n in zip(index, outer, shape, strict=False):
            place = place * n + start + i
        begin = offset + (place * shape[-2] + first) * length * dtype.itemsize
        if right - left == length:
            _read_into(stream, begin, part[index])
        else:
            _read_into(stream, begin, rows)
            part[index] = rows[:, left:right]
    return part


def _read_into(stream: Any, place: int, array: Array) -> None:
    """Fill an array with the bytes of a file from `place` on."""
    view = memoryview(array.reshape(-1).view(np.uint8).data)
    stream.seek(place)
    while view:
        count = stream.readinto(view)
        if not count:
            raise EOFError(f"is cut short: {len(view)} bytes are missing")
        view = view[count:]
