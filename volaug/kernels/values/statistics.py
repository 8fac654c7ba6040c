"""Number, sums and range of the finite voxels of a block of memory.

A plain loop stays scalar: LLVM may not reorder a sum, nor take the least of floats that could be
NaN, without options that would break other things (see options.py). So WIDTH sums run
side by side, which hides the four cycles that an addition takes.

Sums are first made as if all were finite, in half the time that it takes to look at each: 0.07
and 0.13 ns a voxel on a Zen 5 core. If anything is not, then no sum is.
"""

import math

from numba import float64, types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import dtypes as elements, lanes
from ..jit.lanes import F64, I32, I64, number
from ..jit.options import kernel

WIDTH = 32
NEUTRAL = (0.0, 0.0, 0.0, math.inf, -math.inf)
FOUND = len(NEUTRAL)  # how many, sum and sum of squares about `shift`, least, greatest


class _Sums:
    """Accumulators of one width, in registers once LLVM has seen them.

    Sums are float64; the range is in the floats that voxels are calculated in, which are half as
    long.
    """

    def __init__(self, b, real, lanes_of):
        self.b, self.lanes_of = b, lanes_of
        kinds = map(self.like, (F64, F64, F64, real, real))
        values = (number(*pair) for pair in zip(kinds, NEUTRAL, strict=True))
        self.places = [cgutils.alloca_once_value(b, value) for value in values]

    def like(self, kind):
        """`kind` in as many lanes."""
        return kind if self.lanes_of == 1 else lanes.vector(kind, self.lanes_of)

    def add(self, value, shift, finite_only):
        """Take in floats; with `finite_only`, as if there were no others."""
        b, kind, double = self.b, value.type, self.like(F64)
        count, total, squares, minimum, maximum = (b.load(place) for place in self.places)
        beyond = b.fsub(value if kind == double else b.fpext(value, double), shift)
        low = high = value
        if finite_only:
            zero, one = (number(double, value) for value in (0.0, 1.0))
            infinity = number(kind, math.inf)
            finite = b.fcmp_ordered("<", lanes.call(b, "fabs", value), infinity)
            beyond = b.select(finite, beyond, zero)
            count = b.fadd(count, b.select(finite, one, zero))
            low = b.select(finite, value, infinity)
            high = b.select(finite, value, number(kind, -math.inf))
        found = (
            count,
            b.fadd(total, beyond),
            lanes.call(b, "fma", beyond, beyond, squares),
            _min(b, low, minimum),
            _max(b, high, maximum),
        )
        for place, value in zip(self.places, found, strict=True):
            b.store(value, place)

    def found(self):
        """What was found, as scalars: one half of the lanes is added to the other, and so on."""
        b = self.b
        found, count = [b.load(place) for place in self.places], self.lanes_of
        while count > 1:
            count //= 2
            halves = range(count), range(count, 2 * count)
            found = _together(b, *([lanes.pick(b, x, half) for x in found] for half in halves))
        if self.lanes_of > 1:
            found = [b.extract_element(value, I32(0)) for value in found]
        return found


def _min(b, x, y):
    return b.select(b.fcmp_ordered("<", x, y), x, y)


def _max(b, x, y):
    return b.select(b.fcmp_ordered(">", x, y), x, y)


def _together(b, some, others):
    """What was found in two parts, of both."""
    sums = [b.fadd(x, y) for x, y in zip(some[:3], others[:3], strict=True)]
    return [*sums, _min(b, some[3], others[3]), _max(b, some[4], others[4])]


def _add_up(finite_only):
    """The intrinsic that writes what is FOUND of voxels first..stop to the address `found`."""

    def add_up(typingctx, dtype, address, first, stop, shift, found):
        signature = types.void(dtype, address, first, stop, shift, found)

        def codegen(context, b, signature, arguments):
            of = signature.args[0].dtype
            _, address, first, stop, shift, found = arguments
            voxel, size = elements.storage(of), elements.size_of(of)
            source = b.inttoptr(address, voxel.as_pointer())
            real = elements.storage(elements.arithmetic(of))
            many, one = _Sums(b, real, WIDTH), _Sums(b, real, 1)

            blocks = b.sdiv(b.sub(stop, first), I64(WIDTH))
            with cgutils.for_range(b, blocks) as loop:
                at = b.add(first, b.mul(loop.index, I64(WIDTH)))
                voxels = lanes.load(b, voxel, source, at, WIDTH, size)
                values = elements.to_float(b, of, voxels)
                many.add(values, lanes.splat(b, shift, WIDTH), finite_only)
            after = b.add(first, b.mul(blocks, I64(WIDTH)))
            with cgutils.for_range(b, b.sub(stop, after)) as loop:
                value = b.load(b.gep(source, [b.add(after, loop.index)]))
                one.add(elements.to_float(b, of, value), shift, finite_only)

            count, *total = _together(b, one.found(), many.found())
            if not finite_only:
                count = b.sitofp(b.sub(stop, first), F64)
            target = b.inttoptr(found, F64.as_pointer())
            for k, value in enumerate((count, *total)):
                double = value if value.type == F64 else b.fpext(value, F64)
                b.store(double, b.gep(target, [I64(k)]))
            return context.get_dummy_value()

        return signature, codegen

    return add_up


add_up_all = intrinsic(_add_up(finite_only=False))
add_up_finite = intrinsic(_add_up(finite_only=True))


@kernel
def block_statistics(dtype, memory, shift, block, found, first, stop):
    """What is FOUND in blocks first..stop of a memory (address, extent), each to its own row."""
    address, extent = memory
    for k in range(first, stop):
        begin, end = k * block, min((k + 1) * block, extent)
        target = found + 8 * FOUND * k
        add_up_all(dtype, address, begin, end, shift, target)
        if not math.isfinite(elements.voxel(float64, target, 1)):
            add_up_finite(dtype, address, begin, end, shift, target)
