"""Trilinear interpolation of a row: eight voxels, and so 64 neighbors, at a time.

The two neighbors along the last axis lie side by side in memory, so that one load brings
both: four loads a voxel and not eight. The pairs of four voxels fill a vector of 256 bits
(float32), and a block has two of them. First come axes 1 and 0, on whole pairs. Last comes axis 2,
between the even and the odd lanes. Which voxels share a vector is such that no lane has to cross
its middle.

A row may run parallel to the source's rows, for example without a rotation. Then whole rows of the
source are interpolated along axes 1 and 0 first, and the result along axis 2. The sums are the
same, to the bit, with a fourth of the loads.

At 256^3 a rotated row misses the cache all the time, and the loads wait for memory. So each
block also prefetches what is read soon, in `neighbor_loader`.

`read`, `write` and `fraction` are the dtypes of source, target and weights; row_arguments.py says
what the other arguments are.

Measured on a Zen 4 core, at 256^3:
- Without prefetching, 100 ms in place of 46. Prefetching every voxel, not every second: no gain.
- Two groups of 256 bits a block in place of one of 512 bits: 0.87 of the time.
- The `select` by which a weight of 0 hides its voxel: 1.04 times the time.
- The `select` by which a weight of 1 hides the other voxel, used on faces only: 1.05 times.
On an Intel Xeon with AVX-512, code for x86-64-v3, v4 and this processor take as long.
Tried and no faster: stores that bypass the cache, prefetching the far corner or along the
displacement, blocks of 64 or 128 voxels of a row, coordinates kept in registers.
"""

import functools

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import dtypes as elements
from ..jit.lanes import LANES
from ..jit.options import device, kernel
from ..jit.row_arguments import Cells, Source
from ..jit.vec import fields, join, select, splat, vecs
from .borders import FACE
from .cells import cell_of, state_of
from .gather import (
    CELL,
    along_intrinsics,
    block_intrinsic,
    corners,
    row_loader,
    store_blended,
)
from .row_runs import fill_ends, in_blocks, parallel_part, sample_runs, shifted
from .target_rows import store_voxels

# The voxels whose pairs share a vector, and the place of each voxel of the block among them.
GROUPS = (0, 1, 4, 5), (2, 3, 6, 7)
PLACES = [sum(GROUPS, ()).index(voxel) for voxel in range(LANES)]


def lerp_lanes(p, q, weight, exact):
    """Interpolate: at weight 0 it is `p`, even if `q` is NaN.

    With `exact`, it is `q` at weight 1, even if `p` is NaN.
    """
    difference = select(weight != 0.0, q - p, 0.0)
    result = p + weight * difference
    return select(weight == 1.0, q, result) if exact else result


def _lerp_block(b, block, exact):
    plane, row = block.source.plane, block.source.row

    def lerp_group(group):
        twice = [lane for lane in group for _ in range(2)]
        w0, w1 = (weight.pick(twice) for weight in block.weights[:2])
        offsets = (row.number(0), row, plane, plane + row)
        voxels = (block.load(offset, group, 2) for offset in offsets)
        pairs = [elements.to_float(block.read, pair) for pair in voxels]
        near, far = (lerp_lanes(*pairs[k : k + 2], w1, exact) for k in (0, 2))
        return lerp_lanes(near, far, w0, exact)

    both = join([lerp_group(group) for group in GROUPS])
    left, right = (both.pick([2 * place + side for place in PLACES]) for side in (0, 1))
    value = lerp_lanes(left, right, block.weights[2], exact)
    store_voxels(b, block.write, block.target, block.at, value)


# On the last face of a source a weight is 1. There only the voxel with this weight counts, even if
# the other one is NaN.
linear_block = block_intrinsic(functools.partial(_lerp_block, exact=False))
exact_block = block_intrinsic(functools.partial(_lerp_block, exact=True))


@intrinsic
def blend_block(typingctx, read, fraction, source, cells, weights, k, at):
    """Eight voxels of the source, from element ``k + at`` on, interpolated along axes 1 and 0."""
    signature = types.void(read, fraction, source, cells, weights, k, at)

    def codegen(context, b, signature, arguments):
        read, fraction = (kind.dtype for kind in signature.args[:2])
        _, _, source, cells, weights, k, at = arguments
        source, cells = fields(b, Source, source), fields(b, Cells, cells)
        plane, row = source.plane, source.row
        w0, w1, _ = map(splat, vecs(b, cgutils.unpack_tuple(b, weights, 3)))
        eight = row_loader(b, read, source, k, at)
        near = lerp_lanes(eight(row.number(0)), eight(row), w1, exact=False)
        far = lerp_lanes(eight(plane), eight(plane + row), w1, exact=False)
        store_blended(b, fraction, cells, at, lerp_lanes(near, far, w0, exact=False))
        return context.get_dummy_value()

    return signature, codegen


def _along(taps, weight):
    """Eight voxels of the target's row, from the blended one."""
    return lerp_lanes(*taps, weight, exact=False)


along_each, along_narrow, along_wide = along_intrinsics(_along, CELL)


@device
def lerp(p, q, weight):
    """`lerp_lanes` of scalars, with `exact`."""
    if weight == 0.0:
        return p
    if weight == 1.0:
        return q
    return p + weight * (q - p)


@intrinsic
def floats_of(typingctx, dtype, voxels):
    """Eight voxels as floats."""
    real = elements.arithmetic(dtype.dtype)
    signature = types.UniTuple(real, 8)(dtype, voxels)

    def codegen(context, b, signature, arguments):
        of = signature.args[0].dtype
        values = vecs(b, cgutils.unpack_tuple(b, arguments[1], 8))
        return cgutils.pack_array(b, [elements.to_float(of, value).value for value in values])

    return signature, codegen


@device
def linear_voxel(v, weights):
    """One voxel from the eight corners of its cell, by the very sums that the lanes make."""
    w0, w1, w2 = weights
    low = lerp(lerp(v[0], v[2], w1), lerp(v[4], v[6], w1), w0)
    high = lerp(lerp(v[1], v[3], w1), lerp(v[5], v[7], w1), w0)
    return lerp(low, high, w2)


@device
def blocks(state, read, write, fraction, source, cells, first, stop, target):
    if state == FACE:
        in_blocks(exact_block, CELL, read, write, fraction, source, cells, first, stop, target)
    else:
        in_blocks(linear_block, CELL, read, write, fraction, source, cells, first, stop, target)


@device
def voxels(state, read, write, fraction, source, wrap_step, cells, first, stop, fill, target):
    outside = elements.voxel(read, fill, 0)
    for i in range(first, stop):
        index, weights = cell_of(fraction, cells, i)
        found = corners(read, source, wrap_step, state, source.first + index, weights, outside)
        value = linear_voxel(floats_of(read, found), weights)
        elements.write(write, target.address, target.first + i, value)


@device
def voxels_on_face(write, fraction, cells, run, first, stop, target):
    """Some voxels of the parallel part that need a rule: on a FACE they are the far voxel."""
    for i in range(first, stop):
        if state_of(cells, i) == FACE:
            index, _ = cell_of(fraction, cells, i)
            far = elements.voxel(fraction, cells.blended, index + 1 - run.low)
            elements.write(write, target.address, target.first + i, far)


@kernel
def linear_row(read, write, fraction, source, wrap_step, cells, run, fill, target):
    """Sample one row of one channel, and write it to the target.

    `cells` has an index and three weights of each voxel, `run` says which of them the source
    covers, and `fill` is the address of what the others get; row_arguments.py describes the fields.
    """
    fill_ends(write, run, fill, target)
    source = shifted(source, run.shift)
    along = along_each, along_narrow, along_wide
    done = parallel_part(
        blend_block, along, CELL, read, write, fraction, source, cells, run, target
    )
    if done[0] < done[1]:
        voxels_on_face(write, fraction, cells, run, done[0], run.inner_first, target)
        voxels_on_face(write, fraction, cells, run, run.inner_stop, done[1], target)
    sample_runs(
        blocks, voxels, read, write, fraction, source, wrap_step, cells, run, done, fill, target
    )
