"""Number, sums and range of the finite voxels of a block of memory, or of those in its mask.

A plain loop stays scalar: LLVM may not reorder a sum, nor take the minimum of floats that could be
NaN, without options that would break other things (see options.py). So WIDTH sums run
side by side, which hides the four cycles that an addition takes.

Sums are first made as if all were finite, in half the time that it takes to look at each: 0.07
and 0.13 ns a voxel on a Zen 5 core. If anything is not, then no sum is.
"""

import math

import numpy as np
from numba import float64, types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import dtypes as elements, lanes
from ..jit.lanes import F32, F64, I8, I64, number
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


def _add_up(masked, finite_only):
    """The intrinsic that writes what is FOUND of voxels first..stop to the address `found`."""

    def add_up(typingctx, dtype, address, mask, first, stop, shift, found):
        signature = types.void(dtype, address, mask, first, stop, shift, found)

        def codegen(context, b, signature, arguments):
            of = signature.args[0].dtype
            _, address, mask, first, stop, shift, found = arguments
            voxel, size = elements.storage(of), elements.size_of(of)
            source = b.inttoptr(address, voxel.as_pointer())
            mask_bytes = b.inttoptr(mask, I8.as_pointer())
            real = elements.storage(elements.arithmetic(of))
            many, one = _Sums(b, real, WIDTH), _Sums(b, real, 1)
            counted = cgutils.alloca_once_value(b, I64(0))
            first, stop, shift = vecs(b, (first, stop, shift), signed=True)
            neutral = shift if real == F64 else shift.convert("fptrunc", F32)

            def take_in(sums, value, at):
                """Add voxels from `at` on, of which those outside of the mask count for nothing."""
                count = sums.lanes_of
                if not masked:
                    sums.add(value, splat(shift, count) if count > 1 else shift, None)
                    return
                inside = Vec(b, lanes.load(b, I8, mask_bytes, at.value, count)) != 0
                if count == 1:
                    inside = inside.lane(0)
                origin = splat(shift, count) if count > 1 else shift
                if finite_only:
                    sums.add(value, origin, inside & (value.call("fabs") < math.inf))
                    return
                bits = inside.bits().value if count > 1 else b.zext(inside.value, I64)
                found = b.zext(lanes.call(b, "ctpop", bits), I64) if count > 1 else bits
                b.store(b.add(b.load(counted), found), counted)
                # a voxel within the mask changes neither the sums about it nor the range
                other = splat(neutral, count) if count > 1 else neutral
                sums.add(select(inside, value, other), origin, None)

            blocks = (stop - first).divide(WIDTH)
            with cgutils.for_range(b, blocks.value) as loop:
                at = first + Vec(b, loop.index) * WIDTH
                voxels = Vec(b, lanes.load(b, voxel, source, at.value, WIDTH, size))
                values = elements.to_float(of, voxels)
                take_in(many, values, at)
            after = first + blocks * WIDTH
            with cgutils.for_range(b, (stop - after).value) as loop:
                at = after + Vec(b, loop.index)
                value = Vec(b, b.load(b.gep(source, [at.value])))
                value = elements.to_float(of, value)
                take_in(one, value, at)

            count, *rest = _together(one.found(), many.found())
            if not finite_only:
                whole = Vec(b, b.load(counted), signed=True) if masked else stop - first
                count = whole.convert("sitofp", F64)
            _store_doubles(b, (count, *rest), found)
            return context.get_dummy_value()

        return signature, codegen

    return add_up


add_up_all = intrinsic(_add_up(masked=False, finite_only=False))
add_up_inside = intrinsic(_add_up(masked=True, finite_only=False))
add_up_finite = intrinsic(_add_up(masked=True, finite_only=True))


@kernel
def block_statistics(dtype, memory, shift, block, found, first, stop):
    """What is FOUND in blocks first..stop of a memory, each to its own row.

    `shift` is near the mean. With a mask it is a voxel inside.
    """
    address, extent, mask = memory
    ones = np.ones(0, np.uint8)  # a mask where there is none
    for k in range(first, stop):
        begin, end = k * block, min((k + 1) * block, extent)
        target = found + 8 * FOUND * k
        if mask == 0:
            add_up_all(dtype, address, mask, begin, end, shift, target)
        else:
            add_up_inside(dtype, address, mask, begin, end, shift, target)
        if not math.isfinite(elements.voxel(float64, target, 1)):
            known = mask
            if mask == 0:
                if ones.shape[0] == 0:
                    ones = np.ones(block, np.uint8)
                known = np.int64(ones.ctypes.data) - begin
            add_up_finite(dtype, address, known, begin, end, shift, target)
