"""Number, sums and range of the finite voxels of a block of memory.

A plain loop stays scalar: LLVM may not reorder a sum, nor take the least of floats that could be
NaN, without options that would break other things (see options.py). So sixteen sums run
side by side, which hides the four cycles that an addition takes.
"""

import math

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import elements, lanes
from .lanes import F64, I64, number
from .options import kernel

WIDTH = 16
NEUTRAL = (0.0, 0.0, 0.0, math.inf, -math.inf)
FOUND = len(NEUTRAL)  # how many, sum and sum of squares about `shift`, least, greatest


class _Sums:
    """Accumulators of one width, in registers once LLVM has seen them."""

    def __init__(self, b, kind):
        self.b, self.kind = b, kind
        self.places = [cgutils.alloca_once_value(b, number(kind, value)) for value in NEUTRAL]

    def add(self, value, shift):
        """Take in floats of the kind, of which those count that are finite."""
        b, kind = self.b, self.kind
        zero, one, infinity = (number(kind, value) for value in (0.0, 1.0, math.inf))
        finite = b.fcmp_ordered("<", lanes.call(b, "fabs", value), infinity)
        beyond = b.select(finite, b.fsub(value, shift), zero)
        count, total, squares, least, greatest = (b.load(place) for place in self.places)
        low = b.select(finite, value, infinity)
        high = b.select(finite, value, number(kind, -math.inf))
        found = (
            b.fadd(count, b.select(finite, one, zero)),
            b.fadd(total, beyond),
            lanes.call(b, "fma", beyond, beyond, squares),
            b.select(b.fcmp_ordered("<", low, least), low, least),
            b.select(b.fcmp_ordered(">", high, greatest), high, greatest),
        )
        for place, value in zip(self.places, found, strict=True):
            b.store(value, place)

    def lanes_of(self):
        """What was found, as a list of scalars for each lane."""
        b = self.b
        found = [b.load(place) for place in self.places]
        if not isinstance(self.kind, ir.VectorType):
            return [found]
        lanes_of = range(self.kind.count)
        return [[b.extract_element(value, ir.IntType(32)(k)) for value in found] for k in lanes_of]


@intrinsic
def add_up(typingctx, dtype, address, first, stop, shift, found):
    """Write what is FOUND of voxels first..stop of the memory to the address `found`."""
    signature = types.void(dtype, address, first, stop, shift, found)

    def codegen(context, b, signature, arguments):
        of = signature.args[0].dtype
        _, address, first, stop, shift, found = arguments
        source = b.inttoptr(address, elements.storage(of).as_pointer())
        many, one = _Sums(b, lanes.vector(F64, WIDTH)), _Sums(b, F64)

        def as_double(value):
            real = elements.to_float(b, of, value)
            wanted = lanes.vector(F64, WIDTH) if isinstance(real.type, ir.VectorType) else F64
            return real if real.type == wanted else b.fpext(real, wanted)

        blocks = b.sdiv(b.sub(stop, first), I64(WIDTH))
        with cgutils.for_range(b, blocks) as loop:
            at = b.add(first, b.mul(loop.index, I64(WIDTH)))
            voxels = lanes.load(b, elements.storage(of), source, at, WIDTH, elements.size_of(of))
            many.add(as_double(voxels), lanes.splat(b, shift, WIDTH))
        after = b.add(first, b.mul(blocks, I64(WIDTH)))
        with cgutils.for_range(b, b.sub(stop, after)) as loop:
            one.add(as_double(b.load(b.gep(source, [b.add(after, loop.index)]))), shift)

        total, *others = [*one.lanes_of(), *many.lanes_of()]
        for other in others:
            sums = [b.fadd(x, y) for x, y in zip(total[:3], other[:3], strict=True)]
            least = b.select(b.fcmp_ordered("<", other[3], total[3]), other[3], total[3])
            greatest = b.select(b.fcmp_ordered(">", other[4], total[4]), other[4], total[4])
            total = [*sums, least, greatest]
        target = b.inttoptr(found, F64.as_pointer())
        for k, value in enumerate(total):
            b.store(value, b.gep(target, [I64(k)]))
        return context.get_dummy_value()

    return signature, codegen


@kernel
def block_statistics(dtype, memory, shift, block, found, first, stop):
    """What is FOUND in blocks first..stop of a memory (address, extent), each to its own row."""
    address, extent = memory
    for k in range(first, stop):
        begin, end = k * block, min((k + 1) * block, extent)
        add_up(dtype, address, begin, end, shift, found + 8 * FOUND * k)
