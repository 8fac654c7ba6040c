"""Axes in the order of memory.

A kernel walks arrays whose strides grow smaller from axis 0 to axis 2, where they are one
element. Any array whose voxels lie side by side along one of its axes can be seen so, by
a permutation of its axes and the reversal of some; the matrix and the lattice of the warp
follow. So Fortran order, a crop, a flip and a transpose are read and written in place.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Linear indices are made in float64, see kernels/cells.py.
LONGEST_STRIDE = 2**30


class Memory(NamedTuple):
    """An array (C, n0, n1, n2) as a kernel walks it."""

    flat: npt.NDArray[Any]  # from the lowest address to the highest
    strides: tuple[int, int, int, int]  # of channels and the walk's axes, in elements
    shape: tuple[int, int, int]  # along the walk's axes
    order: tuple[int, int, int]  # which axis of the array is the walk's axis 0, 1, 2
    reversed: tuple[bool, bool, bool]  # whether the walk runs against that axis


def memory_of(array: npt.NDArray[Any]) -> Memory | None:
    """How to walk an array (C, n0, n1, n2); None if no axis has its voxels side by side."""
    item = array.itemsize
    shape = array.shape[1:]
    if array.flags.c_contiguous and array.flags.aligned and shape[2] > 1:
        _, n1, n2 = shape
        strides = (n1 * n2 * shape[0], n1 * n2, n2, 1)
        return Memory(array.reshape(-1), strides, shape, (0, 1, 2), (False, False, False))
    # an axis of length 1 has no voxels side by side, whatever its stride: it goes first
    steps = [0 if n == 1 else step for n, step in zip(shape, array.strides[1:], strict=True)]
    order = sorted(range(3), key=lambda axis: (shape[axis] > 1, -abs(steps[axis])))
    sides = [abs(steps[axis]) for axis in order]
    spread = [step for step, axis in zip(sides, order, strict=True) if shape[axis] > 1]
    channel = array.strides[0] if array.shape[0] > 1 else 0
    if (
        not array.flags.aligned
        or any(step == 0 or step % item for step in spread)
        or channel < 0
        or channel % item
        or (spread and spread[-1] != item)
    ):
        return None
    forward = tuple(slice(None, None, -1 if step < 0 else 1) for step in steps)
    lowest = array[(slice(None), *forward)]
    lengths = [shape[axis] for axis in order]
    extent = 1 + (array.shape[0] - 1) * channel // item
    extent += sum((n - 1) * step // item for n, step in zip(lengths, sides, strict=True))
    flat = np.lib.stride_tricks.as_strided(
        lowest, (extent,), (item,), writeable=array.flags.writeable
    )
    return Memory(
        flat,
        (channel // item, sides[0] // item, sides[1] // item, 1),
        (lengths[0], lengths[1], lengths[2]),
        (order[0], order[1], order[2]),
        tuple(steps[axis] < 0 for axis in order),  # type: ignore[arg-type]
    )


def source_memory(array: npt.NDArray[Any]) -> Memory:
    """How to walk a volume, read-only; a copy of it where it cannot be walked in place."""
    memory = memory_of(array)
    if memory is None or max(memory.strides[1:]) > LONGEST_STRIDE:
        memory = memory_of(array.copy(order="C"))
        if memory is None or max(memory.strides[1:]) > LONGEST_STRIDE:
            raise ValueError(f"volume must have planes of at most 2^30 voxels, got {array.shape}")
    flat = memory.flat.view()
    flat.flags.writeable = False
    return memory._replace(flat=flat)


def empty_like_memory(
    memory: Memory, channels: int, shape: tuple[int, ...], dtype: Any
) -> npt.NDArray[Any]:
    """A new array (C, n0, n1, n2) whose axes lie in memory in the order of another's."""
    ordered = np.empty((channels, *(shape[axis] for axis in memory.order)), dtype)
    return ordered.transpose(0, *(1 + memory.order.index(axis) for axis in range(3)))


def affine_in_memory(affine: Floats, source: Memory, target: Memory) -> Floats:
    """The (3, 4) affine from the target's walk to the source's."""
    result = affine[list(source.order)][:, [*target.order, 3]]
    for axis in range(3):
        if target.reversed[axis]:
            result[:, 3] += result[:, axis] * (target.shape[axis] - 1)
            result[:, axis] *= -1
    for axis in range(3):
        if source.reversed[axis]:
            result[axis] *= -1
            result[axis, 3] += source.shape[axis] - 1
    return result


def displacement_in_memory(control_points: Floats, source: Memory, target: Memory) -> Floats:
    """Control points, along the source's axes over the target's grid, for the two walks."""
    ordered = control_points[list(source.order)].transpose(0, *(1 + axis for axis in target.order))
    flips = [slice(None, None, -1 if back else 1) for back in target.reversed]
    signs = np.where(source.reversed, -1.0, 1.0)[:, None, None, None]
    return ordered[(slice(None), *flips)] * signs
