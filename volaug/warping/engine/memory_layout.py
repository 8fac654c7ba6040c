"""Axes in the order of memory.

A kernel walks arrays whose strides grow smaller from axis 0 to axis 2, where they are one
element. Any array whose voxels lie side by side along one of its axes can be seen so, by
a permutation of its axes and the reversal of some; the matrix and the lattice of the warp
follow. So Fortran order, a crop, a flip and a transpose are read and written in place.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .allocation import empty

Floats = npt.NDArray[np.float64]

# Linear indices are made in float64, see kernels/warp/cells.py.
MAX_STRIDE = 2**30


class Memory(NamedTuple):
    """An array (C, n0, n1, n2) as a kernel walks it."""

    flat: npt.NDArray[Any]  # from the lowest address to the highest
    first: int  # the element of `flat` where the walk begins
    strides: tuple[int, int, int]  # of channels and of the walk's axes 0 and 1, in elements
    shape: tuple[int, int, int]  # along the walk's axes
    order: tuple[int, int, int]  # which axis of the array is the walk's axis 0, 1, 2
    backwards: bool  # whether the walk runs against the array's axis `order[2]`
    step: int = 1  # the stride of the walk's axis 2


def memory_of(array: npt.NDArray[Any]) -> Memory | None:
    """How to walk an array (C, n0, n1, n2); None if no axis has its voxels side by side."""
    shape = array.shape[1:]
    if array.flags.c_contiguous and array.flags.aligned and shape[2] > 1:
        return _contiguous_memory(array)
    # an axis of length 1 has no voxels side by side, whatever its stride: it goes first
    order = sorted(range(3), key=lambda axis: (shape[axis] > 1, -abs(array.strides[1 + axis])))
    lengths = [shape[axis] for axis in order]
    counts = [array.shape[0], *lengths]
    steps = [array.strides[0], *(array.strides[1 + axis] for axis in order)]
    steps = [step if count > 1 else 0 for step, count in zip(steps, counts, strict=True)]
    if not _can_be_walked(array, steps, counts):
        return None
    *strides, step = (step // array.itemsize for step in steps)
    flat = _flat_memory(array, steps, counts)
    # the walk begins at the array's first voxel, but runs forwards along its last axis
    starts = zip(counts[:3], strides, strict=True)
    first = sum((n - 1) * -stride for n, stride in starts if stride < 0)
    return Memory(
        flat,
        first,
        (strides[0], strides[1], strides[2]),
        (lengths[0], lengths[1], lengths[2]),
        (order[0], order[1], order[2]),
        step < 0,
    )


def _contiguous_memory(array: npt.NDArray[Any]) -> Memory:
    shape = array.shape[1:]
    _, n1, n2 = shape
    strides = (shape[0] * n1 * n2, n1 * n2, n2)
    return Memory(array.reshape(-1), 0, strides, shape, (0, 1, 2), False)


def _can_be_walked(array: npt.NDArray[Any], steps: list[int], counts: list[int]) -> bool:
    """Whether an array of such strides is aligned, its axes apart and the last one dense.

    `steps` are in bytes, those of the channels first and then in the order of the walk, and 0 for
    an axis of one voxel.
    """
    item = array.itemsize
    spread = [step for step, count in zip(steps[1:], counts[1:], strict=True) if count > 1]
    is_dense = not spread or abs(spread[-1]) == item
    is_whole = array.flags.aligned and not any(step % item for step in steps)
    return is_whole and 0 not in spread and is_dense


def _flat_memory(array: npt.NDArray[Any], steps: list[int], counts: list[int]) -> npt.NDArray[Any]:
    """The memory from the lowest address of an array to the highest."""
    item = array.itemsize
    forwards = array[tuple(slice(None, None, -1 if s < 0 else 1) for s in array.strides)]
    extent = 1 + sum((n - 1) * abs(s) // item for n, s in zip(counts, steps, strict=True))
    return np.lib.stride_tricks.as_strided(
        forwards, (extent,), (item,), writeable=array.flags.writeable
    )


# A target whose rows are shorter than this is walked along another axis. Measured on a Zen core
# with two threads, of the time along its own rows: 0.11 for (512, 512, 7), 0.54 for (256, 256, 20),
# 0.77 for (256, 256, 32), and 1.1 for (256, 256, 48).
SHORT_ROW = 36


def with_long_rows(memory: Memory) -> Memory:
    """A target as it is walked: along axis 1 if its own rows are short, and those twice as long."""
    (n0, n1, n2), (channel, plane, row) = memory.shape, memory.strides
    if n2 >= SHORT_ROW or n1 < 2 * n2 or n1 < 16 or memory.backwards or row < 1:
        return memory
    a, b, c = memory.order
    return memory._replace(
        strides=(channel, plane, 1), shape=(n0, n2, n1), order=(a, c, b), step=row
    )


def source_memory(array: npt.NDArray[Any], forwards: bool = False) -> Memory | None:
    """How to walk a volume; None where it cannot be walked in place.

    `forwards` if it must not be walked against its own last axis: halves round up along the
    array's axes, and not along the walk's.
    """
    memory = memory_of(array)
    if memory is None or _is_too_wide(memory) or (forwards and memory.backwards):
        return None
    return memory


def memory_of_copy(array: npt.NDArray[Any]) -> Memory:
    """How to walk a copy of a volume that cannot be walked in place."""
    copied = empty(array.shape, array.dtype)
    copied[...] = array
    memory = memory_of(copied)
    if memory is None or _is_too_wide(memory):
        raise ValueError(f"volume must have planes of at most 2^30 voxels, got {array.shape}")
    return memory


def _is_too_wide(memory: Memory) -> bool:
    return max(map(abs, memory.strides[1:])) > MAX_STRIDE


def empty_in_order(
    order: tuple[int, int, int], channels: int, shape: tuple[int, ...], dtype: Any
) -> npt.NDArray[Any]:
    """A new array (C, n0, n1, n2) whose axes lie in memory in this order."""
    ordered = empty((channels, *(shape[axis] for axis in order)), dtype)
    return ordered.transpose(0, *(1 + order.index(axis) for axis in range(3)))


def affine_in_memory(affine: Floats, source: Memory, target: Memory) -> Floats:
    """The (3, 4) affine from the target's walk to the source's."""
    result = affine.copy()
    if source.order != (0, 1, 2) or target.order != (0, 1, 2):
        result = affine[np.ix_(source.order, (*target.order, 3))]
    if target.backwards:
        result[:, 3] += result[:, 2] * (target.shape[2] - 1)
        result[:, 2] *= -1
    if source.backwards:
        result[2] *= -1
        result[2, 3] += source.shape[2] - 1
    return result


def displacement_in_memory(control_points: Floats, source: Memory, target: Memory) -> Floats:
    """Control points, along the source's axes over the target's grid, for the two walks."""
    ordered = control_points
    if source.order != (0, 1, 2) or target.order != (0, 1, 2):
        ordered = ordered[list(source.order)].transpose(0, *(1 + axis for axis in target.order))
    if target.backwards:
        ordered = ordered[..., ::-1]
    if source.backwards:
        ordered = ordered * np.array([1.0, 1.0, -1.0])[:, None, None, None]
    return ordered
