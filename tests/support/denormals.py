"""The flags of a processor, which show that a kernel meets or makes a denormal number.

A denormal number is so near to zero that it has lost digits: below 1.2e-38 in float32. On an Intel
processor each one that an instruction meets or makes takes some 150 cycles. It cannot be seen in a
time on other processors, nor in a result where it is an intermediate one. But every x86 processor
keeps a flag for each of the two; so these are cleared before a kernel runs, and read after it.
"""

import contextlib
import functools
import platform
import sys

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

from support.volumes import blob

needs_flags = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or numba.config.DISABLE_JIT,
    reason="reads the flags of an x86 processor around compiled kernels",
)

# Bits of the register MXCSR: an operand was denormal; a result was too small, and rounded.
OPERAND, UNDERFLOW, ALL_FLAGS = 2, 16, 63

DTYPES = ["uint8", "int16", "float16", "float32", "float64"]


def _of_register(b, name, place):
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte])
    function = cgutils.get_or_insert_function(b.module, kind, f"llvm.x86.sse.{name}")
    b.call(function, [b.bitcast(place, byte)])


@intrinsic
def _register(typingctx):
    def codegen(context, b, signature, arguments):
        place = cgutils.alloca_once(b, ir.IntType(32))
        _of_register(b, "stmxcsr", place)
        return b.load(place)

    return types.int32(), codegen


@intrinsic
def _set_register(typingctx, value):
    def codegen(context, b, signature, arguments):
        place = cgutils.alloca_once_value(b, arguments[0])
        _of_register(b, "ldmxcsr", place)
        return context.get_dummy_value()

    return types.void(types.int32), codegen


@njit
def clear_flags():
    _set_register(np.int32(_register() & ~ALL_FLAGS))


@njit
def flags():
    return _register() & (OPERAND | UNDERFLOW)


@contextlib.contextmanager
def watched():
    """What each kernel that is called, in this thread, did: its name, and the flags it set."""
    found = {}

    def watching(kernel):
        name = kernel.py_func.__name__

        def call(*arguments):
            clear_flags()
            result = kernel(*arguments)
            found[name] = found.get(name, 0) | flags()
            return result

        return call

    clear_flags(), flags()  # compiles them
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("volaug.") and not name.startswith("volaug.kernels"):
                for attribute, value in list(vars(module).items()):
                    if isinstance(value, CPUDispatcher):
                        patch.setattr(module, attribute, watching(value))
        yield found


def assert_no_denormals(array):
    """float16 apart, whose subnormal numbers are normal ones of float32."""
    if array.dtype in (np.float32, np.float64):
        size = np.abs(array)
        assert not ((size > 0) & (size < np.finfo(array.dtype).tiny)).any()


def assert_clean(change, *kernels):
    """That a call's kernels meet and make no denormal number, and that it returns none."""
    with watched() as found:
        result = change()
    assert set(kernels) <= set(found)
    assert not any(found.values()), found
    assert_no_denormals(result)
    return result


def on_zeros(dtype, shape=(90, 84, 99)):
    """A head, two spikes and a smooth spot in a wide background of zeros."""
    volume = _on_zeros(shape)
    return volume.astype(dtype) if np.dtype(dtype).kind == "f" else (volume * 200).astype(dtype)


@functools.cache
def _on_zeros(shape):
    place = [0.3 * n for n in shape]
    inside = sum(((x - p) / 9) ** 2 for x, p in zip(np.indices(shape), place, strict=True)) < 1
    volume = np.random.default_rng(0).uniform(0.3, 1.0, shape) * inside
    volume += np.where(blob(shape, [0.35 * n for n in shape], 2) > 1e-5, 0.5, 0.0)
    volume[shape[0] - 2, shape[1] // 2, shape[2] // 2] = 0.25
    volume[0, 0, shape[2] - 1] = 1.0
    return volume


def spikes(rng, dtype):
    """A few voxels somewhere in zeros, in a random shape of which one axis is long."""
    shape = rng.integers(1, 20, 3)
    shape[rng.integers(3)] = rng.integers(90, 200)
    volume = np.zeros(shape)
    for _ in range(rng.integers(1, 5)):
        volume[tuple(rng.integers(shape))] = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 4)
    return volume.astype(dtype)
