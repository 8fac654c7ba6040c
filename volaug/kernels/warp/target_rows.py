"""How samplers write a row of the target.

Stores reach the cache in their order. One that waits for its cache line holds up all that come
after it, and the loads of what those write: of the blended row, and of the cells of a row. So a
row asks for the lines of the row after the next.

Measured on an Intel Xeon with AVX-512, one thread: linear 128^3 to 256^3 0.62 to 0.65 of the time,
160^3 to 237^3 0.72, 256^3 to 192^3 0.86; nearest 0.77 to 0.80; uint8 no less; cubic 128^3 to 192^3
0.91; labels of float32 0.91 to 0.96, of integers 0.98 to 1.0; affine 0.96 to 0.98; elastic 0.96 to
0.99. One row ahead takes up to 1.13 times as long as two (two threads), and four as long as two.
Tried and no faster: the same for rows and planes that are copied from those before.
"""

from ..jit import dtypes as elements, lanes
from ..jit.vec import Vec

ROWS_AHEAD = 2


def row_to_write(b, dtype, target, at):
    """The pointer to a row of the target, of which eight voxels from `at` on are written now."""
    pointer = elements.pointer_to(b, dtype, target.address.value, target.first.value)
    later = (target.row * ROWS_AHEAD + Vec(b, at)).value
    lanes.prefetch(b, b.gep(pointer, [later]), to_write=True)
    return pointer


def store_voxels(b, write, target, at, value):
    """Write eight voxels of the target's row, from `at` on."""
    pointer = row_to_write(b, write, target, at)
    lanes.store(b, elements.from_float(write, value).value, pointer, at)
