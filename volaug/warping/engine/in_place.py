"""Voxels of an array, side by side in the order of its memory, to be changed in place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt

from .allocation import empty

Array = npt.NDArray[Any]


def slowest_first(array: Array) -> list[int]:
    """The axes of an array, from that along which its memory goes on the furthest."""
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


@contextmanager
def in_memory_order(array: Array) -> Iterator[Array]:
    """The array in C order, with its axes `slowest_first`.

    It shares the memory; or, if that has gaps or is walked backwards, what becomes of it is
    written back.
    """
    ordered = array.transpose(slowest_first(array))
    if ordered.flags.c_contiguous and ordered.flags.aligned:
        yield ordered
        return
    voxels = empty(ordered.shape, ordered.dtype)
    voxels[...] = ordered
    yield voxels
    ordered[...] = voxels
