"""Cases that are decoded whole and kept in memory, as many as fit."""

import itertools
import math
import os
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from .cases import OpenCase
from .sources import is_array

Array = npt.NDArray[Any]


class Decoded:
    """A volume in memory in place of one that was read part by part, and as such."""

    def __init__(self, voxels: Array) -> None:
        self._voxels = voxels.view()
        self._voxels.flags.writeable = False  # samples read it side by side
        self.shape, self.dtype = voxels.shape, voxels.dtype

    def __getitem__(self, window: Any) -> Array:
        part: Array = self._voxels[window]
        return part


class DecodedCases:
    """The cases that were used last, decoded: up to so many bytes.

    Parameters
    ----------
    max_bytes : int
        A case that takes more is not kept, and read part by part.

    Notes
    -----
    No lock is held while a case is decoded. Who needs the same case waits for it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: dict[int, OpenCase] = {}
        self._turns = itertools.count()
        self._used: dict[int, int] = {}  # by case, the turn in which it was used last
        # by process as well, as a forked child has no thread that would end it
        self._under_way: dict[tuple[int, int], tuple[int, threading.Event]] = {}

    def __reduce__(self) -> tuple[type["DecodedCases"], tuple[int]]:
        """Go to another process without what is kept."""
        return DecodedCases, (self._max_bytes,)

    def kept(self, number: int, opened: OpenCase) -> OpenCase:
        """Return a case with its volumes in memory, or as it is if it is too large."""
        size = size_of(opened)
        if not 0 < size <= self._max_bytes:
            return opened
        key, mine = (os.getpid(), number), (size, threading.Event())
        while True:
            self._used[number] = next(self._turns)
            found = self._kept.get(number)
            if found is not None:
                return found
            other = self._under_way.setdefault(key, mine)
            if other is mine:
                break
            other[1].wait()
        try:
            found = self._kept.get(number)  # it may have been decoded between two lines above
            if found is None:
                self._make_room()
                found = self._kept[number] = decoded(opened)
            self._end(key, mine)
            return found
        finally:  # again, if an exception came before the end
            self._end(key, mine)

    def _end(self, key: tuple[int, int], mine: tuple[int, threading.Event]) -> None:
        if self._under_way.get(key) is mine:
            del self._under_way[key]
        mine[1].set()

    def _make_room(self) -> None:
        """Drop the cases that were not used for the longest time, until all under way fit."""
        here = os.getpid()
        coming = [size for (pid, _), (size, _) in list(self._under_way.items()) if pid == here]
        kept = {number: size_of(case) for number, case in list(self._kept.items())}
        total = sum(coming) + sum(kept.values())
        for number in sorted(kept, key=lambda number: self._used.get(number, 0)):
            if total > self._max_bytes:
                self._kept.pop(number, None)
                total -= kept[number]


def size_of(case: OpenCase) -> int:
    """The bytes that the volumes of a case take in memory, but for those that were there."""
    read = [volume for volume in case.volumes.values() if not is_array(volume)]
    return sum(math.prod(volume.shape) * np.dtype(volume.dtype).itemsize for volume in read)


def decoded(case: OpenCase) -> OpenCase:
    """A case with its volumes in memory."""
    volumes = {
        name: volume if is_array(volume) else Decoded(np.asarray(volume[...]))
        for name, volume in case.volumes.items()
    }
    return case._replace(volumes=volumes)
