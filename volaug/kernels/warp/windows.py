"""Eight voxels of a row by a load or two and a shuffle, where it runs along the source's rows.

What a block of eight voxels reads then lies close together: in a *window* of the source's row, of
eight voxels or of 16. The places in it are picked by one shuffle, which takes the place of eight
loads. Rows of a separable map share the table of their windows, see separable.py.

A shuffle by places that are not constant is written in LLVM IR as eight extractions; LLVM makes
one instruction of it where the processor has one (`vpermd`).
"""

from llvmlite import ir
from numba import int64, uint8
from numba.core import cgutils

from ..jit import lanes
from ..jit.dtypes import set_voxel, voxel
from ..jit.lanes import I8, I32, I64, LANES
from ..jit.options import device
from ..jit.vec import Vec, select

NONE, NARROW, WIDE = 0, LANES, 2 * LANES  # voxels of a row's windows; none if they are too few

# A table has a place (uint8) for each voxel, and after `length` of these an int64 for each
# block: where its window begins.


@device
def extremes(index, first, stop):
    """The least and the greatest of some indices; 0 and 0 of none."""
    low = high = voxel(int64, index, first) if first < stop else 0
    for i in range(first, stop):
        low, high = min(low, voxel(int64, index, i)), max(high, voxel(int64, index, i))
    return low, high


@device
def tabulate(index, first, stop, limits, table, length):
    """Fill the table of the blocks of voxels first..stop, and return the size of their windows.

    `index` is the address of what each voxel reads. `limits` are the first and the last index of
    the source's row, which no window goes beyond.
    """
    if stop - first < LANES:
        return NONE
    widest = 0
    for start in range(first, stop, LANES):
        at = min(start, stop - LANES)
        low, high = extremes(index, at, at + LANES)
        widest = max(widest, high - low)
    size = NARROW if widest < NARROW else WIDE
    if widest >= WIDE or limits[1] - limits[0] + 1 < size:
        return NONE
    for start in range(first, stop, LANES):
        at, number = min(start, stop - LANES), (start - first) // LANES
        begin = min(extremes(index, at, at + LANES)[0], limits[1] + 1 - size)
        set_voxel(int64, table + length, number, begin)
        for lane in range(LANES):
            place = voxel(int64, index, at + lane) - begin
            set_voxel(uint8, table, LANES * number + lane, uint8(place))
    return size


# Where one instruction picks bytes of 16 by 16 places; what LLVM makes of extractions is slow.
ARM = "llvm.aarch64.neon.tbl1.v16i8"
BYTE_SHUFFLES = {"x86_64": "llvm.x86.ssse3.pshuf.b.128", "aarch64": ARM, "arm64": ARM}


def shuffle_bytes(context, b, values, places):
    """16 bytes of 16, by places below 16."""
    triple, _, features = context.codegen().magic_tuple()
    name = BYTE_SHUFFLES.get(triple.split("-")[0])
    if name is None or ("x86" in name and "+ssse3" not in features):
        return _extracted(b, values, places)
    signature = ir.FunctionType(values.type, [values.type] * 2)
    function = cgutils.get_or_insert_function(b.module, signature, name)
    return values.like(b.call(function, [values.value, places.value]))


def _extracted(b, values, places):
    """Lanes of a vector, by as many places."""
    picked = ir.Constant(values.type, ir.Undefined)
    for lane in range(values.count):
        place = b.extract_element(places.value, I32(lane))
        value = b.extract_element(values.value, place)
        picked = b.insert_element(picked, value, I32(lane))
    return values.like(picked)


def _picked(context, b, window, places):
    """Eight elements of a window of eight or 16; `places` are bytes."""
    bits = window.element.width
    if bits == 8:
        sixteen = window.pick([*range(window.count)] * (2 * LANES // window.count))
        twice = places.pick([*range(LANES)] * 2)
        return shuffle_bytes(context, b, sixteen, twice).pick(range(LANES))
    low = (places & (LANES - 1)).convert("zext", ir.IntType(bits))
    parts = [window.pick(range(k, k + LANES)) for k in range(0, window.count, LANES)]
    if bits == 16:
        both = (low * 0x0202 + 0x0100).bitcast_to(lanes.vector(I8, 2 * LANES))
        bytes_of = [part.bitcast_to(both.type) for part in parts]
        shuffled = [shuffle_bytes(context, b, part, both) for part in bytes_of]
        picked = [part.bitcast_to(low.type) for part in shuffled]
    else:
        picked = [_extracted(b, part, low) for part in parts]
    return picked[0] if len(parts) == 1 else select(places < LANES, *picked)


def window_loader(context, b, kind, address, first, table, length, number, size, ahead=None):
    """A function that loads eight elements of a block, `offset` on from where each one reads.

    `kind` is their LLVM type, of 32 bits at most, `first` the element of which the index is 0, and
    `number` that of the block in the table; what lies `ahead` elements on is prefetched. All but
    `size` are LLVM values or a `Vec`.
    """
    starts = b.inttoptr((table + length).value, I64.as_pointer())
    begin = b.load(b.gep(starts, [number]))
    places = b.inttoptr(table.value, I8.as_pointer())
    places = Vec(b, lanes.load(b, I8, places, b.mul(number, I64(LANES))))
    bits = kind if isinstance(kind, ir.IntType) else I32
    memory = b.inttoptr(address.value, bits.as_pointer())

    def load(offset):
        at = (Vec(b, begin) + first + offset).value
        if ahead is not None:
            lanes.prefetch(b, b.gep(memory, [(Vec(b, at) + ahead).value]))
        window = Vec(b, lanes.load(b, bits, memory, at, size, align=bits.width // 8))
        return _picked(context, b, window, places).bitcast(kind)

    return load
