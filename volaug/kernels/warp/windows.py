"""Eight voxels of a row by a load or two and a shuffle, where it runs along the source's rows.

What a block of eight voxels reads then lies close together: in a *window* of the source's row, of
eight voxels or of 16. The places in it are picked by one shuffle, which takes the place of eight
loads. Rows of a separable map share the table of their windows, see separable.py.

A shuffle by places that are not constant is written in LLVM IR as eight extractions; LLVM makes
one instruction of it where the processor has one (`vpermd`, `vpshufb`).
"""

from llvmlite import ir
from numba import int64, uint8

from ..jit import lanes
from ..jit.dtypes import set_voxel, voxel
from ..jit.lanes import I8, I32, I64, LANES
from ..jit.options import device
from ..jit.vec import Vec, select

NONE, NARROW, WIDE = 0, LANES, 2 * LANES  # voxels of a row's windows; none if they are too few

# A table has a place (uint8) for each voxel, and after `length` of these an int64 for each
# block: where its window begins.


@device
def tabulate(index, first, stop, limits, table, length):
    """Fill the table of the blocks of voxels first..stop, and return the size of their windows.

    `index` is the address of what each voxel reads. `limits` are the first and the last index of
    the source's row, which no window goes beyond.
    """
    widest = 0
    for start in range(first, stop, LANES):
        at = min(start, stop - LANES)
        ends = voxel(int64, index, at), voxel(int64, index, at + LANES - 1)
        widest = max(widest, abs(ends[1] - ends[0]))
    size = NARROW if widest < NARROW else WIDE
    if stop - first < LANES or widest >= WIDE or limits[1] - limits[0] + 1 < size:
        return NONE
    for start in range(first, stop, LANES):
        at, number = min(start, stop - LANES), (start - first) // LANES
        ends = voxel(int64, index, at), voxel(int64, index, at + LANES - 1)
        begin = min(ends[0], ends[1], limits[1] + 1 - size)
        set_voxel(int64, table + length, number, begin)
        for lane in range(LANES):
            place = voxel(int64, index, at + lane) - begin
            set_voxel(uint8, table, LANES * number + lane, uint8(place))
    return size


def _extracted(b, values, places):
    """Lanes of a vector, by as many places."""
    kind = values.type
    picked = ir.Constant(kind, ir.Undefined)
    for lane in range(kind.count):
        place = b.extract_element(places.value, I32(lane))
        value = b.extract_element(values.value, place)
        picked = b.insert_element(picked, value, I32(lane))
    return values.like(picked)


def _picked(b, window, places):
    """Eight elements of a window of eight or 16; `places` are uint8."""
    bits = window.element.width
    if bits == 8:  # of the 16 lanes that are shuffled, eight are wanted
        twice = [*range(LANES), *range(LANES)]
        sixteen = window.pick(twice) if window.count == LANES else window
        return _extracted(b, sixteen, places.pick(twice)).pick(range(LANES))
    wide = places.convert("zext", ir.IntType(bits))
    parts = [window.pick(range(k, k + LANES)) for k in range(0, window.count, LANES)]
    below = _extracted(b, parts[0], wide & (LANES - 1))
    if len(parts) == 1:
        return below
    return select(wide < LANES, below, _extracted(b, parts[1], wide & (LANES - 1)))


def window_loader(b, kind, address, first, table, length, number, size):
    """A function that loads eight elements of a block, `offset` on from where each one reads.

    `kind` is their LLVM type, `first` the element of which the index is 0, and `number` that of
    the block in the table. All but `size` are LLVM values or a `Vec`.
    """
    starts = b.inttoptr((table + length).value, I64.as_pointer())
    begin = b.load(b.gep(starts, [number]))
    places = b.inttoptr(table.value, I8.as_pointer())
    places = Vec(b, lanes.load(b, I8, places, b.mul(number, I64(LANES))))
    bits = ir.IntType(kind.width) if isinstance(kind, ir.IntType) else lanes.I32
    memory = b.inttoptr(address.value, bits.as_pointer())

    def load(offset):
        at = (Vec(b, begin) + first + offset).value
        window = Vec(b, lanes.load(b, bits, memory, at, size, align=bits.width // 8))
        return _picked(b, window, places).bitcast(kind)

    return load
