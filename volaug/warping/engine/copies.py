"""Warps that only move whole voxels: they copy, and do not interpolate.

The identity, flips, whole shifts, quarter turns and other permutations of the axes read one
voxel for each voxel of the output. Along each axis of the output, the places they read make
up a few runs, forward through the source, backward (a mirrored border), or on the spot
(a clamped one). Three runs, one an axis, are a box: a view of the source, copied as it is.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...kernels.warp.coordinates import ROUNDING
from ...kernels.warp.copies import BLOCK_WIDTH, reverse_planes, transpose_planes
from ...threads.parts import run_parts
from .borders import OUTSIDE, border_index
from .memory_layout import memory_of

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]
Copy = Callable[[int, int], Any]  # of planes first..stop

# What a thread takes at a time, in bytes; a smaller volume is left to the calling thread. With
# its frame it stays in the cache: a mirrored shift of 256^3 took 0.8 of the time of one piece.
PIECE = 2**20

# In a box of fewer voxels, np.copyto at its slowest is as fast as finding what is faster.
SMALL_BOX = 2**12

# On an axis with more runs than this, a source much shorter than the output is repeated.
MAX_RUNS = 16


class VoxelMap(NamedTuple):
    """Along axis i, the source is read at ``signs[i] * o[permutation[i]] + shifts[i]``."""

    permutation: tuple[int, int, int]
    signs: tuple[int, int, int]
    shifts: tuple[int, int, int]


class Run(NamedTuple):
    """Places first..stop along an axis of the output, which read start, start + step, ..."""

    first: int
    stop: int
    start: int
    step: int


def whole_voxel_map(
    affine: npt.NDArray[np.float64], shape_out: tuple[int, int, int]
) -> VoxelMap | None:
    """The map of whole voxels to whole voxels that `affine` is, if it is one.

    Parameters
    ----------
    affine : (3, 4) array
        From output voxels to input voxels.
    shape_out : (3,) ints
        The output grid.

    Returns
    -------
    VoxelMap or None
        None if a place that is read, rounded to a multiple of 2^-32 voxel, is not a whole
        voxel, or if the map is not a permutation of the axes, with signs and whole shifts. The
        column of an output axis of one voxel has no part in it.
    """
    # plain numbers: with arrays of so few it took 40 microseconds, and nearly all maps are none
    last = [n - 1 for n in shape_out]
    columns = [axis for axis in range(3) if last[axis]]
    permutation, signs, shifts = [], [], []
    for *row, offset in affine.tolist():
        steps = _whole_steps([row[axis] for axis in columns], offset, [last[a] for a in columns])
        if steps is None:
            return None
        step = sum(steps)
        permutation.append(columns[steps.index(step)] if step else None)
        signs.append(-1 if step < 0 else 1)
        shifts.append(round(offset))
    free = [axis for axis in range(3) if axis not in permutation]
    if not set(columns).isdisjoint(free):
        return None
    axes = [free.pop(0) if axis is None else axis for axis in permutation]
    return VoxelMap(tuple(axes), tuple(signs), tuple(shifts))  # type: ignore[arg-type]


def _whole_steps(row: list[float], offset: float, last: list[int]) -> list[int] | None:
    """A row of a matrix in whole numbers, of which at most one is 1 or -1; None if it is not so.

    `last` are the last voxels of the output along the row's axes.
    """
    if abs(offset) > 2.0**53:
        return None
    steps = [round(value) for value in row]
    if sorted(map(abs, steps)) not in ([0] * len(steps), [0] * (len(steps) - 1) + [1]):
        return None
    rests = [(value - step) * n for value, step, n in zip(row, steps, last, strict=True)]
    rest = offset - round(offset)
    lowest = rest + sum(min(x, 0.0) for x in rests)
    highest = rest + sum(max(x, 0.0) for x in rests)
    return None if max(-lowest, highest) >= ROUNDING / 2 else steps


def copy_voxels(
    source4: Array, target4: Array, voxel_map: VoxelMap, mode: str, fills: Array, threads: int
) -> None:
    """Fill `target4` with the voxels of `source4` that a map reads.

    Parameters
    ----------
    source4 : (C, n0, n1, n2) array
        Of any dtype and strides.
    target4 : (C, m0, m1, m2) array
        Of the same dtype, not overlapping the source, any strides.
    voxel_map : VoxelMap
        From the target's voxels to the source's.
    mode : str
        What lies outside of the source, by the names and rules of ``scipy.ndimage``;
        "edge-constant" is the same as "constant", since no place is a part of a voxel.
    fills : (C,) array
        What a channel holds outside, in the source's dtype.
    threads : int
        At most this many.
    """
    bits = np.dtype(f"u{source4.itemsize}")
    source, target, fills = source4.view(bits), target4.view(bits), fills.view(bits)
    axes = [voxel_map.permutation.index(axis) for axis in range(3)]
    forward = [slice(None, None, voxel_map.signs[axis]) for axis in axes]
    source = source.transpose(0, *(1 + axis for axis in axes))[(slice(None), *forward)]
    shifts = [
        voxel_map.shifts[axis] if voxel_map.signs[axis] > 0 else n - 1 - voxel_map.shifts[axis]
        for axis, n in zip(axes, source.shape[1:], strict=True)
    ]
    outer = _outer_axis(target[0], source[0])
    source, target = (np.moveaxis(array, 1 + outer, 1) for array in (source, target))
    shifts.insert(0, shifts.pop(outer))

    runs = []
    for axis, first in enumerate(shifts):
        source, found = _runs_along(source, 1 + axis, first, target.shape[1 + axis], mode)
        runs.append(found)

    tasks: list[tuple[list[Copy], int, int]] = []
    step = max(1, PIECE * target.shape[1] // target.nbytes)
    for slabs in runs[0]:
        copies = [
            _box_copy(target[channel], source[channel], box, fills[channel])
            for box in _boxes((slabs,), *runs[1:])
            for channel in range(len(fills))
        ]
        count = slabs.stop - slabs.first
        tasks += [(copies, first, min(first + step, count)) for first in range(0, count, step)]

    def work(first: int, stop: int) -> None:
        # what is written to one piece lies near to one another
        for copies, *planes in tasks[first:stop]:
            for copy in copies:
                copy(*planes)

    run_parts(work, len(tasks), threads if target.nbytes > PIECE else 1)


def _runs_along(
    source: Array, axis: int, first: int, count: int, mode: str
) -> tuple[Array, list[Run]]:
    """The runs of places first..first + count of an axis, and the source that they read.

    Of too many runs, the source is made as long as the output, and one run reads it.
    """
    length = source.shape[axis]
    if 0 <= first <= length - count:
        return source, [Run(0, count, first, 1)]
    index = border_index(np.arange(first, first + count), length, mode)
    found = _runs(index)
    if len(found) > MAX_RUNS:
        return source.take(index, axis=axis), [Run(0, count, 0, 1)]
    return source, found


def _outer_axis(target: Array, source: Array) -> int:
    """The axis along which to cut: the rows of neither array, and the target's outermost."""
    rows = {
        min(range(3), key=lambda axis: (array.shape[axis] == 1, abs(array.strides[axis])))
        for array in (target, source)
    }
    others = (axis for axis in range(3) if axis not in rows)
    return max(others, key=lambda axis: (target.shape[axis] > 1, abs(target.strides[axis])))


def _runs(index: Indices) -> list[Run]:
    """Cut the places of an axis into runs."""
    steps = np.diff(index)
    bends = np.flatnonzero(np.diff(steps)) + 1
    runs = []
    first = 0
    for last in (*bends.tolist(), len(steps)):  # the steps from `first` to `last` are equal
        if first < last and abs(steps[last - 1]) <= 1:
            runs.append(Run(first, last + 1, int(index[first]), int(steps[last - 1])))
            first = last + 1
        else:
            runs += [Run(lone, lone + 1, int(index[lone]), 0) for lone in range(first, last)]
            first = last
    if first < len(index):
        runs.append(Run(first, first + 1, int(index[first]), 0))
    return runs


def _box_copy(target: Array, source: Array, box: tuple[Run, ...], fill: Any) -> Copy:
    """What copies planes first..stop of a box, whose planes are across axis 0."""
    written = target[tuple(slice(run.first, run.stop) for run in box)]
    if any(run.start == OUTSIDE for run in box):
        return lambda first, stop: np.copyto(written[first:stop], fill)
    # read-only, as all that are broadcast: one compilation for any source
    read = np.broadcast_to(source[tuple(_slice_of(run) for run in box)], written.shape)
    fast = _kernel_copy(written, read) if written.size >= SMALL_BOX else None
    return fast or (lambda first, stop: np.copyto(written[first:stop], read[first:stop]))


def _boxes(*runs: Sequence[Run]) -> Iterator[tuple[Run, ...]]:
    """Products of one run an axis; what is outside along one axis is not cut along the next."""
    if not runs:
        yield ()
        return
    for run in runs[0]:
        if run.start == OUTSIDE:
            yield run, *(Run(0, others[-1].stop, OUTSIDE, 0) for others in runs[1:])
        else:
            for box in _boxes(*runs[1:]):
                yield run, *box


def _slice_of(run: Run) -> slice:
    if run.step == 0:
        return slice(run.start, run.start + 1)
    stop = run.start + run.step * (run.stop - run.first)
    return slice(run.start, stop if stop >= 0 else None, run.step)


def _kernel_copy(target: Array, source: Array) -> Copy | None:
    """A kernel that copies planes first..stop of a box; None where np.copyto is as fast.

    It is, where voxels lie side by side along the same axis of both and in the same direction.
    """
    to, of = memory_of(target[np.newaxis]), memory_of(source[np.newaxis])
    if to is None or of is None:
        return None
    x, side = to.order[2], of.order[2]
    if x == side and to.backwards == of.backwards:
        return None
    y = 3 - x
    block = BLOCK_WIDTH[target.itemsize]
    # Too narrow for a block. Where the box is one voxel wide along the source's own rows, its
    # voxels may even lie side by side along axis 0.
    if x != side and min(target.shape[1:]) < block:
        return None
    # the kernels go forward along the target's rows, and along the source's lines
    forward = [slice(None)] * 3
    if to.backwards:
        forward[x] = slice(None, None, -1)
    if x != side and of.backwards:
        forward[y] = slice(None, None, -1)
    target, source = (array[tuple(forward)].transpose(0, y, x) for array in (target, source))
    at, steps = _walk(source)
    place, target_steps = _walk(target)
    shape = target.shape[1:]
    if x == side:
        walk = (of.flat, at, steps[:2], to.flat, place, target_steps[:2], shape)
        return functools.partial(reverse_planes, *walk)
    walk = (of.flat, at, steps[::2], to.flat, place, target_steps[:2], shape)
    return functools.partial(transpose_planes, *walk, block)


def _walk(array: Array) -> tuple[int, tuple[int, ...]]:
    """Where an array begins in the memory that holds it, and its strides; in elements."""
    steps = tuple(step // array.itemsize for step in array.strides)
    begin = sum((n - 1) * -step for n, step in zip(array.shape, steps, strict=True) if step < 0)
    return begin, steps
