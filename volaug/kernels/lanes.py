"""Eight voxels at a time: small steps of LLVM vector code for the intrinsics.

Numba has no vector type, and a compiler does not turn a trilinear gather into vector
code by itself. These helpers emit portable LLVM IR (no instruction of any one machine),
which LLVM lowers to whatever the processor has. `b` is always the LLVM IR builder.
"""

from llvmlite import ir
from numba.core import cgutils

LANES = 8

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
F32, F64 = ir.FloatType(), ir.DoubleType()


def vector(kind, lanes=LANES):
    return ir.VectorType(kind, lanes)


def constant(kind, values):
    return ir.Constant(vector(kind, len(values)), list(values))


def data_of(context, b, array_type, array):
    """Pointer to the first element of a Numba array."""
    return context.make_array(array_type)(context, b, array).data


def pick(b, value, lanes):
    """The given lanes of a vector, in that order."""
    return b.shuffle_vector(value, value, constant(I32, lanes))


def join(b, parts):
    """Vectors of equal length end to end; a power of two of them."""
    while len(parts) > 1:
        every = constant(I32, range(2 * parts[0].type.count))
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [b.shuffle_vector(low, high, every) for low, high in pairs]
    return parts[0]


def splat(b, scalar):
    """One scalar in all lanes."""
    one = b.insert_element(ir.Constant(vector(scalar.type), ir.Undefined), scalar, I32(0))
    return pick(b, one, [0] * LANES)


def load(b, kind, pointer, at):
    """A vector of `kind` that begins at element `at`; unaligned."""
    place = b.bitcast(b.gep(pointer, [at]), vector(kind).as_pointer())
    value = b.load(place)
    value.align = 1
    return value


def store(b, value, pointer, at):
    """Write a vector from element `at` on; unaligned."""
    b.store(value, b.bitcast(b.gep(pointer, [at]), value.type.as_pointer())).align = 1


def call(b, name, kind, *arguments):
    """An LLVM intrinsic on vectors of `kind`, such as "fmuladd"."""
    whole = vector(kind)
    signature = ir.FunctionType(whole, [whole] * len(arguments))
    suffix = f"v{LANES}f{64 if kind == F64 else 32}"
    function = cgutils.get_or_insert_function(b.module, signature, f"llvm.{name}.{suffix}")
    return b.call(function, arguments)


def mix(b, p, q, weight):
    """`p` at weight 0, even where `q` is NaN, and `q` at weight 1."""
    flags = ("contract", "nsz")
    zero = ir.Constant(weight.type, None)
    difference = b.select(b.fcmp_unordered("!=", weight, zero), b.fsub(q, p, flags), zero)
    return b.fadd(p, b.fmul(weight, difference, flags), flags)


def prefetch(b, pointer):
    """Ask for the cache line of `pointer`, which may lie outside of any array."""
    signature = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(b.module, signature, "llvm.prefetch.p0")
    read, keep_in_all_caches, data = I32(0), I32(3), I32(1)
    b.call(function, [b.bitcast(pointer, I8.as_pointer()), read, keep_in_all_caches, data])
