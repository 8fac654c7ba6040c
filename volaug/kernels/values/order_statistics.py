"""How many voxels lie below two values, and which between: to find percentiles without a sort."""

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import dtypes as elements, lanes
from ..jit.lanes import I8, I64
from ..jit.options import device, kernel
from ..jit.vec import Vec, splat, vecs
from .pointwise import ROW, copy_mask

COUNTED = 4  # below the lower value, up to it, below the upper value, up to it
WIDTH = 32


@intrinsic
def count_lanes(typingctx, dtype, address, begin, inside, at, minimum, low, high):
    """What is COUNTED of WIDTH voxels from the minimum on, where bytes at `inside` are set.

    The voxels begin at `begin`, the bytes at `at`. Sums of booleans in a plain loop stay scalar:
    1.0 ns a voxel on a Zen 5 core, and so 0.2.
    """
    counts = types.UniTuple(types.int64, COUNTED)
    signature = counts(dtype, address, begin, inside, at, minimum, low, high)

    def codegen(context, b, signature, arguments):
        of = signature.args[0].dtype
        _, address, begin, inside, at, *numbers = arguments
        voxel = elements.storage(of)
        source = b.inttoptr(address, voxel.as_pointer())
        x = elements.to_float(
            of, Vec(b, lanes.load(b, voxel, source, begin, WIDTH, elements.size_of(of)))
        )
        minimum, low, high = (splat(number, WIDTH) for number in vecs(b, numbers))
        bytes_inside = lanes.load(b, I8, b.inttoptr(inside, I8.as_pointer()), at, WIDTH)
        chosen = (Vec(b, bytes_inside) != 0) & (x >= minimum)
        found = [(test & chosen).bits() for test in (x < low, x <= low, x < high, x <= high)]
        sums = [b.zext(lanes.call(b, "ctpop", bits.value), I64) for bits in found]
        return cgutils.pack_array(b, sums)

    return signature, codegen


@device
def collect(dtype, address, begin, inside, at, stop, low, high, values, place):
    """Write the voxels between two values from a place on; return the place after them."""
    for i in range(at, stop):
        x = elements.read(dtype, address, begin + i)
        if (x > low) & (x < high) & (inside[i] != 0):
            values[place] = x
            place += 1
    return place


@device
def bracket_row(dtype, address, begin, inside, minimum, low, high, counts, values, place):
    """Add what is COUNTED of a row, and collect what lies between; return the next place."""
    whole = inside.shape[0] // WIDTH * WIDTH
    flags = np.int64(inside.ctypes.data)
    for at in range(0, whole, WIDTH):
        found = count_lanes(dtype, address, begin + at, flags, at, minimum, low, high)
        for n in range(COUNTED):
            counts[n] += found[n]
        if found[2] > found[1]:
            stop = at + WIDTH
            place = collect(dtype, address, begin, inside, at, stop, low, high, values, place)
    for i in range(whole, inside.shape[0]):
        x = elements.read(dtype, address, begin + i)
        if (inside[i] != 0) & (x >= minimum):
            counts[0] += x < low
            counts[1] += x <= low
            counts[2] += x < high
            counts[3] += x <= high
    return collect(dtype, address, begin, inside, whole, inside.shape[0], low, high, values, place)


@kernel
def bracket_voxels(dtype, memory, minimum, lows, highs, block, counts, values, first, stop):
    """What is COUNTED for each pair of values in blocks first..stop, and the voxels between.

    counts  (pairs, blocks, COUNTED) int64
    values  (pairs, extent) those of a block from where the block begins
    """
    address, extent, mask = memory
    inside = np.empty(ROW, np.uint8)
    for k in range(first, stop):
        end = min((k + 1) * block, extent)
        for pair in range(lows.shape[0]):
            low, high, place = lows[pair], highs[pair], k * block
            for begin in range(k * block, end, ROW):
                row = inside[: min(ROW, end - begin)]
                copy_mask(mask, begin, row)
                found, kept = counts[pair, k], values[pair]
                place = bracket_row(
                    dtype, address, begin, row, minimum, low, high, found, kept, place
                )
