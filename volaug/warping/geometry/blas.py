"""Linear algebra of NumPy's, such that no fork comes in between.

OpenBLAS holds locks while it works, without the GIL. A child that another thread forks meanwhile
finds them taken for ever: of 10 forks beside three threads that invert records, 7 children hung in
their first product. So a fork waits until no product of this package is under way. Products of a
few small matrices keep the GIL, and need no lock.
"""

import os
import threading
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from ...kernels.jit import undisturbed  # noqa: F401 - so that a fork takes its locks after ours
from ...threads.workers import holding

Array = npt.NDArray[Any]

_lock = threading.RLock()


def matmul(a: Array, b: Array) -> Array:
    """``a @ b``."""
    result: Array = holding(_lock, np.matmul, a, b)
    return result


def tensordot(a: Array, b: Array, axes: Any) -> Array:
    """``numpy.tensordot``."""
    result: Array = holding(_lock, np.tensordot, a, b, axes)
    return result


def inv(matrix: Array) -> Array:
    """``numpy.linalg.inv``."""
    result: Array = holding(_lock, np.linalg.inv, matrix)
    return result


def solve(a: Array, b: Array) -> Array:
    """``numpy.linalg.solve``."""
    result: Array = holding(_lock, np.linalg.solve, a, b)
    return result


def _release() -> None:
    with suppress(RuntimeError):  # the fork was interrupted before it had the lock
        _lock.release()


def _renew() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _lock.acquire(), after_in_parent=_release, after_in_child=_renew
    )
