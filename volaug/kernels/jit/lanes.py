"""Eight voxels at a time: the types, loads and stores of LLVM vector code.

Numba has no vector type, and a compiler does not turn a trilinear gather into vector
code by itself. The intrinsics emit portable LLVM IR, which LLVM lowers to whatever the processor
has: memory is read and written by the functions here, and what happens in between is written with
the operators of `vec.py`. Only pairs.py and windows.py name instructions of a processor, each
beside portable code for the others. `b` is always the LLVM IR builder.
"""

from llvmlite import ir
from numba.core import cgutils

LANES = 8

CACHE_LINE = 64  # bytes

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
F32, F64 = ir.FloatType(), ir.DoubleType()


def vector(kind, lanes=LANES):
    return ir.VectorType(kind, lanes)


def constant(kind, values):
    return ir.Constant(vector(kind, len(values)), list(values))


def number(kind, value):
    """A number as a scalar, or in all lanes."""
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [value] * kind.count)
    return ir.Constant(kind, value)


def data_of(context, b, array_type, array):
    """Pointer to the first element of a Numba array."""
    return context.make_array(array_type)(context, b, array).data


def load(b, kind, pointer, at, lanes=LANES, align=1):
    """A vector of `kind` that begins at element `at`."""
    place = b.bitcast(b.gep(pointer, [at]), vector(kind, lanes).as_pointer())
    value = b.load(place)
    value.align = align
    return value


def load_each(b, pointer, at):
    """Eight scalars, from element `at` on: what scalar code goes on with."""
    return [b.load(b.gep(pointer, [b.add(at, I64(lane))])) for lane in range(LANES)]


def store(b, value, pointer, at):
    """Write a vector from element `at` on; unaligned."""
    b.store(value, b.bitcast(b.gep(pointer, [at]), value.type.as_pointer())).align = 1


def _suffix(kind):
    """How LLVM writes a type in the name of an intrinsic: f32, v8f64, i16."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_suffix(kind.element)}"
    if isinstance(kind, ir.IntType):
        return f"i{kind.width}"
    return {F32: "f32", F64: "f64"}[kind]


def call(b, name, *arguments):
    """An LLVM intrinsic on floats or vectors of them, such as "fmuladd"."""
    kind = arguments[0].type
    signature = ir.FunctionType(kind, [kind] * len(arguments))
    function = cgutils.get_or_insert_function(b.module, signature, f"llvm.{name}.{_suffix(kind)}")
    return b.call(function, arguments)


def saturate(b, value, kind, signed):
    """Floats to the nearest integers of `kind` towards zero that exist; NaN to 0."""
    name = f"llvm.fpto{'s' if signed else 'u'}i.sat.{_suffix(kind)}.{_suffix(value.type)}"
    signature = ir.FunctionType(kind, [value.type])
    return b.call(cgutils.get_or_insert_function(b.module, signature, name), [value])


def prefetch(b, pointer, to_write=False):
    """Ask for the cache line of `pointer`, which may lie outside of any array.

    What is to be read comes no further than the L2 cache: the L1 cache is full of what is read
    now. A rotated warp takes 0.86 to 1.0 of the time on an Intel Xeon.
    """
    signature = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(b.module, signature, "llvm.prefetch.p0")
    all_caches, all_but_the_first, data = I32(3), I32(2), I32(1)
    caches = all_caches if to_write else all_but_the_first
    place = b.bitcast(pointer, I8.as_pointer())
    b.call(function, [place, I32(int(to_write)), caches, data])
