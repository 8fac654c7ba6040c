"""Number, sums and range of the finite voxels of a block of memory, or of those in its mask.

A plain loop stays scalar: LLVM may not reorder a sum, nor take the minimum of floats that could be
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
from ..jit.lanes import F64, I8, I64, number
from ..jit.options import kernel
from ..jit.vec import Vec, select, splat, vecs

WIDTH = 32
NEUTRAL = (0.0, 0.0, 0.0, math.inf, -math.inf)
FOUND = len(NEUTRAL)  # how many, sum and sum of squares about `shift`, minimum, maximum


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

    def add(self, value, shift, chosen):
        """Take in floats, or those that are chosen."""
        count, total, squares, minimum, maximum = self.load()
        difference = as_double(value) - shift
        low = high = value
        if chosen is not None:
            difference = select(chosen, difference, 0.0)
            count = count + select(chosen, count.number(1.0), 0.0)
            low = select(chosen, value, math.inf)
            high = select(chosen, value, -math.inf)
        found = (
            count,
            total + difference,
            difference.call("fma", difference, squares),
            low.min(minimum),
            high.max(maximum),
        )
        for place, value in zip(self.places, found, strict=True):
            self.b.store(value.value, place)

    def load(self):
        return vecs(self.b, [self.b.load(place) for place in self.places])

    def found(self):
        """What was found, as scalars: one half of the lanes is added to the other, and so on."""
        found, count = self.load(), self.lanes_of
        while count > 1:
            count //= 2
            halves = range(count), range(count, 2 * count)
            found = _together(*([x.pick(half) for x in found] for half in halves))
        if self.lanes_of > 1:
            found = [value.lane(0) for value in found]
        return found


def as_double(value):
    return value if value.element == F64 else value.convert("fpext", F64)


def _together(some, others):
    """What was found in two parts, of both."""
    sums = [x + y for x, y in zip(some[:3], others[:3], strict=True)]
    return [*sums, some[3].min(others[3]), some[4].max(others[4])]


def _store_doubles(b, values, address):
    target = b.inttoptr(address, F64.as_pointer())
    for k, value in enumerate(values):
        b.store(as_double(value).value, b.gep(target, [I64(k)]))


def _add_up(finite_only, masked):
    """The intrinsic that writes what is FOUND of voxels first..stop to the address `found`."""

    def add_up(typingctx, dtype, address, mask, first, stop, shift, found):
        signature = types.void(dtype, address, mask, first, stop, shift, found)

        def codegen(context, b, signature, arguments):
            of = signature.args[0].dtype
            _, address, mask, first, stop, shift, found = arguments
            voxel, size = elements.storage(of), elements.size_of(of)
            source = b.inttoptr(address, voxel.as_pointer())
            inside = b.inttoptr(mask, I8.as_pointer())
            real = elements.storage(elements.arithmetic(of))
            many, one = _Sums(b, real, WIDTH), _Sums(b, real, 1)

            def chosen(value, at):
                """Which of some voxels, from `at` on, are taken in; None for all."""
                if not finite_only:
                    return None
                finite = value.call("fabs") < math.inf
                if not masked:
                    return finite
                bits = lanes.load(b, I8, inside, at.value, value.count or 1)
                bits = Vec(b, bits) if value.count else Vec(b, bits).lane(0)
                return finite & (bits != 0)

            first, stop, shift = vecs(b, (first, stop, shift), signed=True)
            blocks = (stop - first).divide(WIDTH)
            with cgutils.for_range(b, blocks.value) as loop:
                at = first + Vec(b, loop.index) * WIDTH
                voxels = Vec(b, lanes.load(b, voxel, source, at.value, WIDTH, size))
                values = elements.to_float(of, voxels)
                many.add(values, splat(shift, WIDTH), chosen(values, at))
            after = first + blocks * WIDTH
            with cgutils.for_range(b, (stop - after).value) as loop:
                at = after + Vec(b, loop.index)
                value = Vec(b, b.load(b.gep(source, [at.value])))
                value = elements.to_float(of, value)
                one.add(value, shift, chosen(value, at))

            count, *rest = _together(one.found(), many.found())
            if not finite_only:
                count = (stop - first).convert("sitofp", F64)
            _store_doubles(b, (count, *rest), found)
            return context.get_dummy_value()

        return signature, codegen

    return add_up


add_up_all = intrinsic(_add_up(finite_only=False, masked=False))
add_up_finite = intrinsic(_add_up(finite_only=True, masked=False))
add_up_inside = intrinsic(_add_up(finite_only=True, masked=True))


@kernel
def block_statistics(dtype, memory, shift, block, found, first, stop):
    """What is FOUND in blocks first..stop of a memory, each to its own row."""
    address, extent, mask = memory
    for k in range(first, stop):
        begin, end = k * block, min((k + 1) * block, extent)
        target = found + 8 * FOUND * k
        if mask != 0:
            add_up_inside(dtype, address, mask, begin, end, shift, target)
            continue
        add_up_all(dtype, address, mask, begin, end, shift, target)
        if not math.isfinite(elements.voxel(float64, target, 1)):
            add_up_finite(dtype, address, mask, begin, end, shift, target)
