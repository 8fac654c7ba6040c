"""What the samplers read and write: the voxels around eight cells, or with care around one."""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import int64, types
from numba.extending import intrinsic

from ..jit import dtypes as elements, lanes
from ..jit.lanes import I32, I64, LANES
from ..jit.options import device
from ..jit.row_arguments import Cells, Source, Target
from ..jit.vec import Vec, fields, join, vecs
from .borders import ABOVE, BELOW
from .pairs import PAIRS, can_broadcast, load_four_pairs
from .target_rows import store_voxels
from .windows import NARROW, NONE, WIDE, window_loader

# The offsets of the voxels of a cell along each axis, from the first to the last.
CELL = (0, 1)


def load_weights(b, fraction, cells, at):
    """The weights along axes 0, 1 and 2 of eight cells from `at` on."""
    first = elements.pointer_to(b, fraction, cells.fractions.value, at)
    kind, places = elements.storage(fraction), [cells.length * axis for axis in range(3)]
    return vecs(b, [lanes.load(b, kind, first, place.value) for place in places])


def neighbor_loader(context, b, dtype, source, cells, at):
    """A function that loads the voxels around eight cells from `at` on.

    That is ``load_neighbors(corner, group, count)``: `count` voxels side by side, `corner`
    elements on from the cell of each lane of a group, end to end.
    """
    base = elements.pointer_to(b, dtype, source.address.value, source.first.value)
    where = lanes.load_each(b, b.inttoptr(cells.index.value, I64.as_pointer()), at)
    prefetch_ahead(b, base, where, source.ahead)
    size, broadcasts = elements.size_of(dtype), can_broadcast(context)

    def load_neighbors(corner, group, count):
        start, indices = b.gep(base, [corner.value]), [where[lane] for lane in group]
        if broadcasts and (size, count, len(indices)) == (4, 2, PAIRS):
            pairs = load_four_pairs(b, start, indices)
            return Vec(b, b.bitcast(pairs, lanes.vector(elements.storage(dtype))))
        load = load_parts if size * count > 4 else load_as_integers
        return load(b, dtype, start, indices, count)

    return load_neighbors


def load_each_voxel(b, dtype, source, indices, at):
    """The voxels of eight indices from `at` on; `indices` is their address."""
    base = elements.pointer_to(b, dtype, source.address.value, source.first.value)
    where = lanes.load_each(b, b.inttoptr(indices.value, I64.as_pointer()), at)
    prefetch_ahead(b, base, where, source.ahead)
    return load_parts(b, dtype, base, where, 1)


def prefetch_ahead(b, base, where, ahead):
    """Prefetch what is read soon, for every second lane."""
    for offset in where[::2]:
        lanes.prefetch(b, b.gep(base, [(Vec(b, offset) + ahead).value]))


def load_parts(b, dtype, start, indices, count):
    """`count` voxels from each index on, end to end."""
    voxel, align = elements.storage(dtype), elements.size_of(dtype)
    return join(vecs(b, [lanes.load(b, voxel, start, at, count, align) for at in indices]))


def load_as_integers(b, dtype, start, indices, count):
    """The same of few bytes: each part is one integer, which one instruction puts into place."""
    align = elements.size_of(dtype)
    whole = ir.IntType(8 * align * count)
    several = ir.Constant(lanes.vector(whole, len(indices)), ir.Undefined)
    for place, at in enumerate(indices):
        value = b.load(b.bitcast(b.gep(start, [at]), whole.as_pointer()))
        value.align = align
        several = b.insert_element(several, value, I32(place))
    return Vec(b, b.bitcast(several, lanes.vector(elements.storage(dtype), count * len(indices))))


class Block(NamedTuple):
    """Eight cells of a row: what their voxels are made of, and where these are written."""

    read: Any  # dtypes of source and target
    write: Any
    source: Source
    cells: Cells
    load: Callable  # see `neighbor_loader`, or `window_loader` of a block of windows
    weights: list[Vec]  # along axes 0, 1 and 2
    target: Target
    at: Any


def block_intrinsic(sample, result=types.void):
    """The intrinsic that samples a block: voxels at..at + 8 of the target's row, from their cells.

    Its arguments are ``(read, write, fraction, source, cells, at, target)``. `sample(b, block)`
    writes the voxels of a `Block`, and returns the result if there is one.
    """

    def sample_block(typingctx, read, write, fraction, source, cells, at, target):
        signature = result(read, write, fraction, source, cells, at, target)

        def codegen(context, b, signature, arguments):
            read, write, fraction = (kind.dtype for kind in signature.args[:3])
            _, _, _, source, cells, at, target = arguments
            source, cells = fields(b, Source, source), fields(b, Cells, cells)
            target = fields(b, Target, target)
            load_neighbors = neighbor_loader(context, b, read, source, cells, at)
            weights = load_weights(b, fraction, cells, at)
            block = Block(read, write, source, cells, load_neighbors, weights, target, at)
            return sample(b, block) or context.get_dummy_value()

        return signature, codegen

    return intrinsic(sample_block)


def window_block_intrinsic(sample, window, result=types.void):
    """As `block_intrinsic`, of voxels that are loaded from windows of a size.

    Its arguments are ``(read, write, fraction, source, cells, number, at, target)``, with the
    number of the block in the table of windows.
    """

    def sample_block(typingctx, read, write, fraction, source, cells, number, at, target):
        signature = result(read, write, fraction, source, cells, number, at, target)

        def codegen(context, b, signature, arguments):
            read, write, fraction = (kind.dtype for kind in signature.args[:3])
            _, _, _, source, cells, number, at, target = arguments
            source, cells = fields(b, Source, source), fields(b, Cells, cells)
            target = fields(b, Target, target)
            place = source.address, source.first, cells.windows, cells.length, number, window
            load_window = window_loader(context, b, elements.storage(read), *place)
            weights = load_weights(b, fraction, cells, at)
            block = Block(read, write, source, cells, load_window, weights, target, at)
            return sample(b, block) or context.get_dummy_value()

        return signature, codegen

    return intrinsic(sample_block)


def blended_source(b, cells, first):
    """The blended row as a source, whose first voxel is that of index `first`."""
    none = Vec(b, I64(0))
    # a source of one row: its strides are not read, and what it prefetches is there already
    return Source(cells.blended, none, -Vec(b, first), none, none, none)


def row_loader(b, read, source, k, at):
    """A function that loads eight voxels of the source's row, `at` and a corner on from `k`."""
    first = elements.pointer_to(b, read, source.address.value, b.add(k, at))
    lanes.prefetch(b, b.gep(first, [(source.ahead + source.plane + source.row).value]))
    kind, align = elements.storage(read), elements.size_of(read)

    def eight(corner):
        voxels = lanes.load(b, kind, first, corner.value, align=align)
        return elements.to_float(read, Vec(b, voxels))

    return eight


def store_blended(b, fraction, cells, at, value):
    """Write eight voxels of the blended row."""
    pointer = elements.pointer_to(b, fraction, cells.blended.value, at)
    lanes.store(b, value.value, pointer, I64(0))


def along_intrinsic(along, offsets, window):
    """The intrinsic that samples the blended row: voxels at..at + 8 of the target's row.

    Its arguments are ``(write, fraction, cells, first, number, at, target)``, where `first` is the
    index in the source's row at which the blended row begins, and `number` that of the block.
    ``along(taps, weight)`` interpolates eight voxels along axis 2 from those of the cells'
    `offsets`. They are loaded from windows of the size `window`, or for each voxel if it is 0.
    """
    below, above = offsets

    def along_block(typingctx, write, fraction, cells, first, number, at, target):
        signature = types.void(write, fraction, cells, first, number, at, target)

        def codegen(context, b, signature, arguments):
            write, fraction = (kind.dtype for kind in signature.args[:2])
            _, _, cells, first, number, at, target = arguments
            cells, target = fields(b, Cells, cells), fields(b, Target, target)
            weight = load_weights(b, fraction, cells, at)[2]
            if window and elements.size_of(fraction) == 4:
                kind, begin = elements.storage(fraction), -Vec(b, first)
                place = cells.blended, begin, cells.windows, cells.length, number
                load = window_loader(context, b, kind, *place, window)
                taps = [load(offset) for offset in range(below, above + 1)]
            else:
                row = blended_source(b, cells, first)
                taps = taps_by_voxel(context, b, fraction, row, cells, at, offsets)
            store_voxels(b, write, target, at, along(taps, weight))
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(along_block)


def along_intrinsics(along, offsets):
    """The three ways along the blended row, see `along_intrinsic`."""
    return tuple(along_intrinsic(along, offsets, window) for window in (NONE, NARROW, WIDE))


def taps_by_voxel(context, b, dtype, source, cells, at, offsets):
    """The voxels at each offset from eight cells along axis 2, loaded for each of them at once."""
    below, above = offsets
    count = above - below + 1
    load_neighbors = neighbor_loader(context, b, dtype, source, cells, at)
    loaded = load_neighbors(source.row.number(below), range(LANES), count)
    return [loaded.pick(range(tap, count * LANES, count)) for tap in range(count)]


@device
def check_block(source, cells, at, below, above):
    """In a build with bounds checks, see that what eight cells read lies in the memory.

    That is from `below` to `above` steps along each axis.
    """
    if elements.CHECKED:
        for lane in range(at, at + LANES):
            k = source.first + elements.voxel(int64, cells.index, lane)
            for i in (below, above):
                for j in (below, above):
                    row = k + i * source.plane + j * source.row
                    elements.check(row + below, source.extent)
                    elements.check(row + above, source.extent)


@device
def neighbor(axis, state, step, wrap_step):
    """The step to the voxel above along an axis, and whether the ones below and above exist.

    `state` says which neighbors of a cell are out of bounds, see borders.py. The voxel after the
    last one may be the first again: then `wrap_step` leads to it, and else it is 0.
    """
    above = state & ABOVE[axis]
    return (
        wrap_step[axis] if above else step,
        not state & BELOW[axis],
        not above or wrap_step[axis] != 0,
    )


@device
def voxel_or_fill(dtype, source, k, exists, fill):
    """The voxel `k` of a source, or `fill` where there is none, or none is needed."""
    if not exists:
        return fill
    elements.check(k, source.extent)
    return elements.voxel(dtype, source.address, k)


@device
def corners(dtype, source, wrap_step, state, k, weights, fill):
    """The eight voxels around one cell, with care: one of weight 0 is not read, and need not exist.

    `k` is the index of the cell in the memory. `state` says which neighbors are out of bounds:
    these are `fill`, or the first voxel again. Ordered as the axes are.
    """
    far0, near_is0, far_is0 = neighbor(0, state, source.plane, wrap_step)
    far1, near_is1, far_is1 = neighbor(1, state, source.row, wrap_step)
    far2, near_is2, far_is2 = neighbor(2, state, 1, wrap_step)
    near0, far_is0 = near_is0 and weights[0] < 1, far_is0 and weights[0] > 0
    near1, far_is1 = near_is1 and weights[1] < 1, far_is1 and weights[1] > 0
    near2, far_is2 = near_is2 and weights[2] < 1, far_is2 and weights[2] > 0
    return (
        voxel_or_fill(dtype, source, k, near0 and near1 and near2, fill),
        voxel_or_fill(dtype, source, k + far2, near0 and near1 and far_is2, fill),
        voxel_or_fill(dtype, source, k + far1, near0 and far_is1 and near2, fill),
        voxel_or_fill(dtype, source, k + far1 + far2, near0 and far_is1 and far_is2, fill),
        voxel_or_fill(dtype, source, k + far0, far_is0 and near1 and near2, fill),
        voxel_or_fill(dtype, source, k + far0 + far2, far_is0 and near1 and far_is2, fill),
        voxel_or_fill(dtype, source, k + far0 + far1, far_is0 and far_is1 and near2, fill),
        voxel_or_fill(dtype, source, k + far0 + far1 + far2, far_is0 and far_is1 and far_is2, fill),
    )
