"""Functions that are a part of the kernels that call them, and never run by themselves.

Numba optimizes every function and turns it into machine code before it is compiled into its
callers, which are then optimized as a whole. Nothing runs that first code, so it is not made:
`warmup` takes 0.85 of the time. A constant argument has a type of its own in Numba, and for each
the function would be compiled again; here it is a number as any other: 0.9 of the time.
"""

from collections.abc import Callable
from typing import Any

from numba import _dynfunc, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


def without_constants(dispatcher: Any) -> Any:
    """Let a function be compiled for types alone, and not for each constant it is called with."""
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda arguments, named: template(
        tuple(map(_plain, arguments)), {name: _plain(kind) for name, kind in named.items()}
    )
    return dispatcher


class InlinedLibrary(JITCodeLibrary):
    """Code that is only linked into other code.

    Numba's passes over single functions stay: without them a rotated warp takes 1.04 to 1.1 of the
    time, and compilation is no faster.
    """

    def _optimize_final_module(self) -> None:
        pass  # it is done once, in the kernel

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class InlinedCompiler(Compiler):
    """Numba's compiler, up to machine code."""

    def compile_extra(self, function: Callable) -> Any:
        target = self.state.targetctx  # a copy of Numba's, for this compilation alone
        target.get_executable = _no_executable
        self.state.library = InlinedLibrary(target.codegen(), function.__qualname__)
        return super().compile_extra(function)


def _no_executable(library: Any, description: Any, environment: Any) -> Any:
    """What stands for machine code in Numba's tables, and cannot be called."""
    module, name = description.lookup_module(), description.qualname.split(".")[-1]
    return _dynfunc.make_function(module, name, "", 0, environment, (library,))


def _plain(kind: Any) -> Any:
    """The type of a constant without its value, and of a tuple without those of its items."""
    if isinstance(kind, types.Tuple):
        return types.Tuple([_plain(item) for item in kind])
    return types.unliteral(kind)
