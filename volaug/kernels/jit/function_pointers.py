"""Kernels that call other kernels by their address.

The walk over rows does not depend on what is sampled, nor a sampler on where rows come from.
So each is compiled by itself, for few types, and the walk calls a sampler through a pointer
once a row: 9 ns on a Zen 4 core. Compiled into one another they would be a kernel for every
pair, of some 2.5 s each.
"""

from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import TypingError
from numba.extending import intrinsic

from .lanes import I8
from .row_arguments import ROW
from .undisturbed import undisturbed

DTYPES = (types.voidptr,) * 3  # of source, target and fractions


def address_of(sampler, source, target, fraction):
    """The address of a sampler compiled for three dtypes, which are Numba types."""
    dtypes = (types.NumberClass(dtype) for dtype in (source, target, fraction))
    signature = (*dtypes, *ROW)

    def find():
        with global_compiler_lock:
            sampler.compile(signature)
            compiled = sampler.overloads[signature]
            return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)

    return undisturbed(find)


@intrinsic
def call_sampler(typingctx, address, row):
    """Call the sampler at `address` with a tuple of what a ROW is."""
    if row.types != ROW:
        raise TypingError(f"a sampler takes {ROW}, not {row.types}")

    def codegen(context, b, signature, arguments):
        address, row = arguments
        # a dtype has no value: any pointer does
        kinds = (*DTYPES, *ROW)
        nothing = I8.as_pointer()(None)
        values = (*[nothing] * len(DTYPES), *cgutils.unpack_tuple(b, row, len(ROW)))
        function_type = context.call_conv.get_function_type(types.none, kinds)
        function = b.inttoptr(address, function_type.as_pointer())
        status, _ = context.call_conv.call_function(b, function, types.none, kinds, values)
        with cgutils.if_unlikely(b, status.is_error):
            context.call_conv.return_status_propagate(b, status)
        return context.get_dummy_value()

    return types.void(address, row), codegen
