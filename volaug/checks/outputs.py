"""Arrays that results are written to."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import _is_negated, as_array, refuse_masked


def check_memory(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an array that is larger than all memory of the machine, where that is known."""
    size = math.prod(shape) * dtype.itemsize
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return
    if size > memory:
        raise MemoryError(
            f"a result of shape {shape} and dtype {dtype} takes {size / 1e9:.0f} GB, and this "
            f"machine has {memory / 1e9:.0f} GB of memory"
        )


def as_output(
    out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], name: str = "out"
) -> npt.NDArray[Any]:
    """Return the memory of `out`, if a result of `shape` can be written to it."""
    written = memory_of(out, name)
    if written.shape != shape or written.dtype != dtype:
        raise ValueError(
            f"{name} must be {dtype} of shape {shape}, got {written.dtype} of shape {written.shape}"
        )
    if not written.flags.writeable:
        raise ValueError(f"{name} must be writeable, got a read-only array")
    if _overlaps_itself(written):
        raise ValueError(
            f"{name} must have a place for each voxel, got shape {shape} and strides "
            f"{written.strides}, of which some share their memory"
        )
    return written


def memory_of(out: Any, name: str = "out") -> npt.NDArray[Any]:
    """Return an array that shares the memory of `out`; never a copy, in which the result would be
    lost.
    """
    if type(out) is np.ndarray:
        return out
    refuse_masked(name, out)
    if _is_negated(out):
        raise ValueError(
            f"{name} must hold its values as they are, got a {type(out).__name__} that negates "
            "its memory: give an out of its own"
        )
    if isinstance(out, np.ndarray):
        return out
    if hasattr(out, "__array_interface__"):
        return as_array(name, out)
    if not hasattr(out, "__dlpack__"):
        raise TypeError(f"{name} must be an array that can be written to, got {type(out).__name__}")
    try:
        shared = np.from_dlpack(out)
    except Exception as error:  # every library has its own
        raise TypeError(
            f"{name} must be an array that shares its memory, got {type(out).__name__} ({error})"
        ) from error
    if not shared.flags.writeable and hasattr(out, "__array__"):
        # NumPy 2.0 takes all that comes by DLPack for read-only; torch's own way may share too
        array = np.asarray(out)
        if array.__array_interface__["data"][0] == shared.__array_interface__["data"][0]:
            return array
    return shared


def check_apart(name: str, written: npt.NDArray[Any], others: Sequence[npt.NDArray[Any]]) -> None:
    """Check that `written` does not share memory with arrays that are read, or also written."""
    for other in others:
        if np.may_share_memory(written, other) and _overlap(written, other):
            raise ValueError(
                f"{name} must not overlap a volume, of which voxels are read after others are "
                "written, or another out"
            )


def _overlaps_itself(array: npt.NDArray[Any]) -> bool:
    """Whether two voxels have, or may have, the same memory."""
    if array.flags.c_contiguous:
        return False
    axes = sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1)
    extent, nested = array.itemsize, True
    for stride, length in axes:
        nested &= stride >= extent
        extent += stride * (length - 1)
    if nested:  # each step of an axis goes beyond all that lies within
        return False
    # else two that differ along an axis, and not along those before it
    for axis in range(array.ndim):
        first = (slice(0, 1),) * axis
        if _overlap(array[(*first, slice(0, 1))], array[(*first, slice(1, None))]):
            return True
    return False


def _overlap(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    try:
        return bool(np.shares_memory(a, b, max_work=10_000))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True
