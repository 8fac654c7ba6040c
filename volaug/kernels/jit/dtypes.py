"""Voxels of any dtype in memory, and the floats that are calculated with.

A sampler is compiled for a dtype, given as a Numba type, and reads memory by its address.
Up to 16 bits, and float32, are calculated in float32; 32- and 64-bit integers and float64 in
float64. A float becomes an integer by rounding half away from zero, and saturates.
"""

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .half import float_to_half, half_to_float
from .lanes import F32, F64, I8, I32, I64
from .options import device
from .row_arguments import tuple_of
from .vec import Vec, call_apart, vecs

CHECKED = bool(numba.config.BOUNDSCHECK)

as_type = numba.from_dtype  # the Numba type of a dtype of numpy, which kernels take


def storage(dtype):
    """The LLVM type of one voxel; of float16, its bits."""
    if dtype in (types.float32, types.float64):
        return F32 if dtype == types.float32 else F64
    return ir.IntType(8 if isinstance(dtype, types.Boolean) else dtype.bitwidth)


def size_of(dtype):
    """Bytes of one voxel."""
    return dtype.bitwidth // 8 if isinstance(dtype, types.Number) else 1


def limits(dtype):
    """Of integers, the minimum and the maximum, and whether there are negative ones."""
    if isinstance(dtype, types.Boolean):
        return 0, 1, False
    return dtype.minval, dtype.maxval, dtype.signed


def arithmetic(dtype):
    """The Numba type that a dtype is calculated in."""
    small = size_of(dtype) <= 2 or dtype == types.float32
    return types.float32 if small else types.float64


def to_float(dtype, value):
    """A voxel, or lanes of voxels, as floats."""
    if dtype == types.float16:
        return half_to_float(value)
    if isinstance(dtype, types.Float):
        return value
    return value.convert("sitofp" if limits(dtype)[2] else "uitofp", storage(arithmetic(dtype)))


def from_float(dtype, value):
    """Floats as voxels: rounded half away from zero and saturated, for integers."""
    if dtype == types.float16:
        return float_to_half(value)
    if isinstance(dtype, types.Float):
        return value
    minimum, maximum, signed = limits(dtype)
    rounded = value.call("round")
    if size_of(dtype) == 8:
        return rounded.saturate(storage(dtype), signed)
    # with limits that are exact as floats: LLVM's own takes 0.3 ns a voxel longer, one by one
    bounded = rounded.max(float(minimum)).min(float(maximum))
    wider = I32 if size_of(dtype) < 4 else I64
    return bounded.convert("fptosi", wider).convert("trunc", storage(dtype))


def pointer_to(b, dtype, address, at):
    """The voxel `at` of the memory at `address`."""
    return b.gep(b.inttoptr(address, storage(dtype).as_pointer()), [at])


@intrinsic
def read(typingctx, dtype, address, at):
    """The voxel `at` as a float."""

    def codegen(context, b, signature, arguments):
        of = signature.args[0].dtype
        return to_float(of, Vec(b, b.load(pointer_to(b, of, *arguments[1:])))).value

    return arithmetic(dtype.dtype)(dtype, address, at), codegen


@intrinsic
def write(typingctx, dtype, address, at, value):
    """Make the voxel `at` the float `value`, rounded."""

    def codegen(context, b, signature, arguments):
        of = signature.args[0].dtype
        value = context.cast(b, arguments[3], signature.args[3], arithmetic(of))
        b.store(from_float(of, Vec(b, value)).value, pointer_to(b, of, *arguments[1:3]))
        return context.get_dummy_value()

    return types.void(dtype, address, at, value), codegen


@intrinsic
def write_inside(typingctx, dtype, address, at, value, inside):
    """Make the voxel `at` the float `value`, rounded, where `inside` is not 0: else it stays."""

    def codegen(context, b, signature, arguments):
        of = signature.args[0].dtype
        value = context.cast(b, arguments[3], signature.args[3], arithmetic(of))
        place = pointer_to(b, of, *arguments[1:3])
        chosen = b.icmp_unsigned("!=", arguments[4], I8(0))
        b.store(b.select(chosen, from_float(of, Vec(b, value)).value, b.load(place)), place)
        return context.get_dummy_value()

    return types.void(dtype, address, at, value, types.uint8), codegen


def held_as(dtype):
    """The Numba type that the bits of a voxel are held as: on a processor it has no float16."""
    return {types.float16: types.uint16, types.boolean: types.uint8}.get(dtype, dtype)


@intrinsic
def voxel(typingctx, dtype, address, at):
    """The voxel `at` as it is."""

    def codegen(context, b, signature, arguments):
        return b.load(pointer_to(b, signature.args[0].dtype, *arguments[1:]))

    return held_as(dtype.dtype)(dtype, address, at), codegen


@intrinsic
def set_voxel(typingctx, dtype, address, at, value):
    """Make the voxel `at` equal to `value`, of the same dtype."""

    def codegen(context, b, signature, arguments):
        b.store(arguments[3], pointer_to(b, signature.args[0].dtype, *arguments[1:3]))
        return context.get_dummy_value()

    return types.void(dtype, address, at, dtype.dtype), codegen


@intrinsic
def integers(typingctx, address, at, kind):
    """Int64 from the one at `at` on, as a named tuple of the class `kind`."""
    result = tuple_of(kind.instance_class)
    signature = result(address, at, kind)

    def codegen(context, b, signature, arguments):
        first = pointer_to(b, types.int64, *arguments[:2])
        values = [b.load(b.gep(first, [I64(k)])) for k in range(result.count)]
        return cgutils.pack_array(b, values)

    return signature, codegen


@intrinsic
def set_integers(typingctx, address, at, values):
    """Write a tuple of int64 from the one at `at` on."""
    signature = types.void(address, at, values)

    def codegen(context, b, signature, arguments):
        address, at, values = arguments
        first = pointer_to(b, types.int64, address, at)
        for k, value in enumerate(cgutils.unpack_tuple(b, values, signature.args[2].count)):
            b.store(value, b.gep(first, [I64(k)]))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _fill(typingctx, dtype, fill, target, place, count):
    signature = types.void(dtype, fill, target, place, count)

    def codegen(context, b, signature, arguments):
        of = signature.args[0].dtype
        fill, target, place, count = arguments[1:]
        value = b.load(pointer_to(b, of, fill, I64(0)))
        with cgutils.for_range(b, count) as loop:  # LLVM makes vector stores of it
            b.store(value, pointer_to(b, of, target, b.add(place, loop.index)))
        return context.get_dummy_value()

    return signature, codegen


@device
def fill(dtype, value, target, first, stop):
    """Make voxels first..stop of a target the one at the address `value`."""
    if first < stop:
        begin = target.first + first
        check(begin, target.extent)
        check(target.first + stop - 1, target.extent)
        _fill(dtype, value, target.address, begin, stop - first)


@intrinsic
def copy_bytes(typingctx, source, target, count):
    """Copy bytes from one address to another: a loop over them is not vectorized."""

    def codegen(context, b, signature, arguments):
        source, target = (b.inttoptr(address, I8.as_pointer()) for address in arguments[:2])
        cgutils.raw_memcpy(b, target, source, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(source, target, count), codegen


@intrinsic
def spread(typingctx, itemsize, source, target, place, step, count):
    """Copy `count` voxels of `itemsize` bytes to every `step`-th place of a target.

    A function by itself, as few warps need it: within a kernel it takes 0.1 s longer to compile,
    and makes others slower by 1 %.
    """

    def copy(itemsize, source, target, place, step, count):
        b = itemsize.b
        for dtype in (types.uint8, types.uint16, types.uint32, types.uint64):
            is_size = (itemsize == size_of(dtype)).value
            with b.if_then(is_size), cgutils.for_range(b, count.value) as loop:
                to = (place + step * Vec(b, loop.index)).value
                value = b.load(pointer_to(b, dtype, source.value, loop.index))
                b.store(value, pointer_to(b, dtype, target.value, to))
        return count

    def codegen(context, b, signature, arguments):
        call_apart("volaug_spread", copy, vecs(b, arguments))
        return context.get_dummy_value()

    return types.void(itemsize, source, target, place, step, count), codegen


@device
def copy_row(row, target):
    """Copy numbers one by one.

    `target[:] = row` compiles Numba's formatting of text along, for the error of lengths that
    differ: the two kernels of the blur took 5.4 s to compile, and 1.7 s without.
    """
    for i in range(target.shape[0]):
        target[i] = row[i]


@device
def check(at, extent):
    """In a build with bounds checks, see that voxel `at` lies in the memory."""
    if CHECKED and not 0 <= at < extent:
        raise IndexError("a kernel reached out of a volume's memory")
