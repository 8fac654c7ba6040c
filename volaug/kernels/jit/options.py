"""Every Numba option volaug uses, set once."""

import functools
from collections.abc import Callable
from typing import Any

import numba

from .cache import KernelCache
from .inlined import InlinedCompiler, without_constants
from .undisturbed import undisturbed

# Fuse a multiply and an add, forget the sign of zero. `nnan` and `ninf` stay off: with
# them a NaN voxel may come out as anything. `reassoc` stays off: a coordinate is snapped
# to its grid by adding a large number (see cells.py), and that must not be reordered.
FASTMATH = {"contract", "nsz"}

# `nogil`, and never `parallel`: kernels are serial and volaug's own threads share out the
# tiles, since GNU OpenMP kills a forked worker and workqueue aborts on concurrent callers.
# `error_model="numpy"`: a division by zero gives inf, without a test at each division.
# `no_cfunc_wrapper`: nothing but Python, or a kernel by address, calls a kernel.
OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": FASTMATH,
    "no_cfunc_wrapper": True,
}


KERNELS: list[Any] = []  # those of the modules that are imported


def device(function: Callable) -> Any:
    """Compile a function that kernels call; it is cached as a part of them."""
    if numba.config.DISABLE_JIT:
        return function
    # without a wrapper for Python, which nobody calls, it compiles in 0.7 of the time
    inlined = {"forceinline": True, "no_cpython_wrapper": True, "pipeline_class": InlinedCompiler}
    return without_constants(numba.njit(**inlined, **OPTIONS)(function))


def kernel(function: Callable) -> Any:
    """Compile a function that Python calls, at its first call or from the disk cache."""
    if numba.config.DISABLE_JIT:
        return NoKernel(function)
    dispatcher = numba.njit(**OPTIONS)(function)
    dispatcher._cache = KernelCache(function)
    disturbed = dispatcher.compile
    dispatcher.compile = lambda signature: undisturbed(lambda: disturbed(signature))
    KERNELS.append(dispatcher)
    return dispatcher


class NoKernel:
    """What stands for a kernel where Numba compiles nothing, so that volaug can be imported."""

    def __init__(self, function: Callable) -> None:
        functools.update_wrapper(self, function)

    def compile(self, *arguments: object) -> None:
        raise RuntimeError(
            "volaug's kernels run only if Numba compiles them, and NUMBA_DISABLE_JIT="
            f"{numba.config.DISABLE_JIT} forbids it: unset it, or set it to 0"
        )

    __call__ = compile
