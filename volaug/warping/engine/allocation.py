"""Where arrays of the size of a volume come from: memory, or what a caller gives instead."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

Allocate = Callable[[tuple[int, ...], Any], npt.NDArray[Any]]

_allocate: ContextVar[Allocate] = ContextVar("allocate", default=np.empty)


def empty(shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """A new array in C order of any values, as `np.empty` or the caller's function returns it."""
    return _allocate.get()(shape, dtype)


@contextmanager
def allocated_by(allocate: Allocate) -> Iterator[None]:
    """Let a function give the arrays of the size of a volume, such as arrays in a file.

    It holds for the calling thread.
    """
    token = _allocate.set(allocate)
    try:
        yield
    finally:
        _allocate.reset(token)
