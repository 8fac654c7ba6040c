"""Copies that numpy is slow at: rows that run backwards, and axes that change places.

Bits are copied, of any type: an element is an unsigned integer of its size, so that there
are four compilations of a kernel at most. Arrays are the flat memory that holds them; places
and steps are in elements, and a step may be negative. Rows and columns are counted in the
target, whose elements lie side by side along a row.

Measured on a Zen 4 core at 256^3, float32 to uint8, as multiples of a plain copy: np.copyto
takes 6 to 10 for reversed rows and 4 to 97 for transposed axes, these kernels 1 to 1.7 and 1.7
to 6. Tried and no faster: prefetching; stores that bypass the cache, but for a target that
begins with a cache line, which numpy seldom allocates (there 0.5 to 0.9 of the time).
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..jit import lanes
from ..jit.lanes import I32
from ..jit.options import kernel
from ..jit.vec import vecs

# Rows and columns of the block that is transposed at once, by bytes of an element: a cache
# line, where that many rows fit into the registers (32 rows of int16 take 1.3 times as long).
BLOCK_WIDTH = {1: 32, 2: 16, 4: 16, 8: 8}


@kernel
def reverse_planes(source, at, steps, target, place, target_steps, shape, first, stop):
    """``target[z, y, x] = source[z, y, -x]`` for planes first..stop.

    at, place            where z = y = x = 0 is in the source and in the target
    steps, target_steps  along z and y
    shape                rows of a plane, and voxels of a row
    """
    height, width = shape
    for z in range(first, stop):
        for y in range(height):
            last = at + z * steps[0] + y * steps[1]
            begin = place + z * target_steps[0] + y * target_steps[1]
            read = source[last - width + 1 : last + 1]
            written = target[begin : begin + width]
            for x in range(width):
                # unsigned, so that no index might be negative: only then does this vectorize
                written[x] = read[np.uint64(width - 1 - x)]


@intrinsic
def transpose_block(typingctx, source, at, step, target, place, target_step):
    """``target[place + y * target_step + x] = source[at + x * step + y]`` in a square block.

    Each line of the source is one vector. A round interleaves the vectors of the first half
    with those of the second; when each has met all others, lines have become columns.
    """
    signature = types.void(source, at, step, target, place, target_step)

    def codegen(context, b, signature, arguments):
        source, at, step, target, place, target_step = arguments
        source_type, target_type = signature.args[0], signature.args[3]
        itemsize = source_type.dtype.bitwidth // 8
        width = BLOCK_WIDTH[itemsize]
        half = width // 2
        line = lanes.vector(ir.IntType(8 * itemsize), width)

        step, place, target_step = vecs(b, (step, place, target_step))
        start = b.gep(lanes.data_of(context, b, source_type, source), [at])
        block = []
        for x in range(width):
            pointer = b.gep(start, [(step * x).value])
            block.append(b.load(b.bitcast(pointer, line.as_pointer())))
            block[-1].align = itemsize
        low = [lane // 2 + lane % 2 * width for lane in range(width)]
        high = [half + lane for lane in low]
        for _ in range(width.bit_length() - 1):
            block = [
                b.shuffle_vector(block[k], block[k + half], lanes.constant(I32, part))
                for k in range(half)
                for part in (low, high)
            ]
        data = lanes.data_of(context, b, target_type, target)
        for y, row in enumerate(block):
            lanes.store(b, row, data, (place + target_step * y).value)
        return context.get_dummy_value()

    return signature, codegen


@kernel
def transpose_planes(source, at, steps, target, place, target_steps, shape, block, first, stop):
    """``target[z, y, x] = source[z, x, y]`` for planes first..stop.

    at, place     where z = y = x = 0 is in the source and in the target
    steps         of the source along z and x; along y it is 1
    target_steps  of the target along z and y; along x it is 1
    shape         of a plane of the target, each at least `block`
    block         BLOCK_WIDTH of the elements
    """
    height, width = shape
    down, across = (height + block - 1) // block, (width + block - 1) // block
    # Go along the lines of that array whose lines are farther apart: the processor fetches
    # on along a line, but not from one page to the next. The other way takes twice as long.
    along_source = abs(steps[1]) >= abs(target_steps[1])
    for z in range(first, stop):
        for number in range(down * across):
            if along_source:
                y, x = number % down, number // down
            else:
                y, x = number // across, number % across
            # the last block does some voxels once more
            y, x = min(y * block, height - block), min(x * block, width - block)
            begin = at + z * steps[0] + x * steps[1] + y
            written = place + z * target_steps[0] + y * target_steps[1] + x
            transpose_block(source, begin, steps[1], target, written, target_steps[1])
