"""What the samplers read: the voxels around eight cells, or with care around one."""

from llvmlite import ir
from numba.core import cgutils

from . import elements, lanes
from .borders import ABOVE, BELOW
from .lanes import I32, I64
from .options import device


def around_block(b, dtype, fraction, source, cells, at):
    """The three weights of eight cells from `at` on, and a function that loads their voxels.

    That is ``beside(corner, group, count)``: `count` voxels side by side, `corner` elements on
    from the cell of each lane of a group, end to end. Every second lane prefetches what is read
    a tile further on.
    """
    address, _, origin, _, _, ahead = cgutils.unpack_tuple(b, source, 6)
    index, fractions, length = cgutils.unpack_tuple(b, cells, 8)[:3]
    base = elements.pointer_to(b, dtype, address, origin)
    where = lanes.load_each(b, b.inttoptr(index, I64.as_pointer()), at)
    for offset in where[::2]:
        lanes.prefetch(b, b.gep(base, [b.add(offset, ahead)]))
    kind = elements.storage(fraction)
    first = elements.pointer_to(b, fraction, fractions, at)
    weights = [lanes.load(b, kind, first, b.mul(length, I64(axis))) for axis in range(3)]
    voxel, align = elements.storage(dtype), elements.size_of(dtype)

    def beside(corner, group, count):
        start = b.gep(base, [corner])
        if align * count > 4:
            return lanes.join(
                b, [lanes.load(b, voxel, start, where[lane], count, align) for lane in group]
            )
        # as one integer, which one instruction puts into its place
        whole = ir.IntType(8 * align * count)
        several = ir.Constant(lanes.vector(whole, len(group)), ir.Undefined)
        for place, lane in enumerate(group):
            value = b.load(b.bitcast(b.gep(start, [where[lane]]), whole.as_pointer()))
            value.align = align
            several = b.insert_element(several, value, I32(place))
        return b.bitcast(several, lanes.vector(voxel, count * len(group)))

    return weights, beside


@device
def neighbour(axis, state, step, around):
    """The step to the voxel above along an axis, and whether the ones below and above exist.

    `state` says which neighbours of a cell are beyond the border, see cells.py, and `around`
    where one above is that is the first voxel again.
    """
    above = state & ABOVE[axis]
    return (
        around[axis] if above else step,
        not state & BELOW[axis],
        not above or around[axis] != 0,
    )
