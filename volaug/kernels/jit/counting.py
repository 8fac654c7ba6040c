"""Counters in memory that several processes share."""

from numba import types
from numba.extending import intrinsic

from .dtypes import pointer_to
from .lanes import I32
from .options import kernel


@intrinsic
def _fetch_and_add_one(typingctx, address, at):
    def codegen(context, b, signature, arguments):
        return b.atomic_rmw("add", pointer_to(b, types.int32, *arguments), I32(1), "seq_cst")

    return types.int32(address, at), codegen


@kernel
def count_up(address, at):
    """Add one to the int32 number `at` of a memory, at once; what it was before.

    A lock that processes share would stay taken if its holder were killed.
    """
    return _fetch_and_add_one(address, at)
