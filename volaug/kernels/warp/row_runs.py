"""A row of one channel, run by run: filled, sampled eight voxels at a time, or one at a time.

What differs between samplers are functions that they pass: Numba compiles each into its own.
"""

from ..jit import dtypes as elements
from ..jit.lanes import LANES
from ..jit.options import device
from ..jit.row_arguments import Source
from .borders import FACE, INSIDE, OUTSIDE
from .cells import cell_of, end_of_run, state_of
from .gather import check_block
from .windows import NARROW, WIDE


@device
def fill_ends(write, run, fill, target):
    """Fill what lies before and after the part of a row that reads."""
    elements.fill(write, fill, target, 0, run.first)
    elements.fill(write, fill, target, run.stop, run.width)


@device
def shifted(source, by):
    """The source, read so many voxels on."""
    first = source.first + by
    return Source(source.address, source.extent, first, source.plane, source.row, source.ahead)


@device
def sample_runs(
    blocks, voxels, read, write, fraction, source, wrap_step, cells, run, done, fill, target
):
    """Sample the part of a row that reads, by ``blocks`` where it can be and else by ``voxels``.

    But for the voxels `done`, from one to another, which have been sampled.
    """
    first, stop = run.first, run.stop
    while first < stop:
        if first == done[0] and done[0] < done[1]:
            first = done[1]
            continue
        state = INSIDE if run.inner_first <= first < run.inner_stop else state_of(cells, first)
        end = end_of_run(cells, run, state, first, done[0] if first < done[0] < stop else stop)
        if state == OUTSIDE:
            elements.fill(write, fill, target, first, end)
        elif state in (INSIDE, FACE) and end - first >= LANES:
            blocks(state, read, write, fraction, source, cells, first, end, target)
        else:
            voxels(state, read, write, fraction, source, wrap_step, cells, first, end, fill, target)
        first = end


@device
def in_blocks(block, offsets, read, write, fraction, source, cells, first, stop, target):
    """Sample voxels first..stop, eight or more, by a block that reads a cell's `offsets`."""
    for start in range(first, stop, LANES):
        at = min(start, stop - LANES)  # the last block does some voxels once more
        check_block(source, cells, at, *offsets)
        block(read, write, fraction, source, cells, at, target)


@device
def along_blocks(along, write, fraction, cells, low, first, stop, target):
    """Sample voxels first..stop of the target's row from the blended one."""
    for start in range(first, stop, LANES):
        at, number = min(start, stop - LANES), (start - first) // LANES
        along(write, fraction, cells, low, number, at, target)


@device
def parallel_part(blend, along, offsets, read, write, fraction, source, cells, run, target):
    """Sample the part of a row that runs along the source's: where it begins and ends.

    It is empty if it is too short. `blend` sums eight voxels of the source's row over axes 0 and 1.
    `along` are three ways to sample eight of the target's from what was summed: each voxel by
    itself, from narrow windows and from wide ones.
    """
    first, stop = run.parallel_first, run.parallel_stop
    if stop - first < LANES:
        return 0, 0
    below, above = offsets
    _, weights = cell_of(fraction, cells, first)
    low, count = run.low + below, run.high - run.low + above - below + 1
    if count < LANES:
        return 0, 0
    check_block(source, cells, first, below, above)
    check_block(source, cells, stop - LANES, below, above)
    for start in range(0, count, LANES):
        at = min(start, count - LANES)
        blend(read, fraction, source, cells, weights, source.first + low, at)
    if run.window == NARROW:
        along_blocks(along[1], write, fraction, cells, low, first, stop, target)
    elif run.window == WIDE:
        along_blocks(along[2], write, fraction, cells, low, first, stop, target)
    else:
        along_blocks(along[0], write, fraction, cells, low, first, stop, target)
    return first, stop
