"""Labels with others in place of some, and in fewer voxels."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.elements import as_type
from ..kernels.labels import replace_bits
from ..threads import run_parts, threads_worth
from .in_place import in_memory_order, slowest_first
from .low_resolution import kept_voxels

Labels = npt.NDArray[Any]

BLOCK = 2**15  # voxels


def label_bits(label: int, dtype: np.dtype[Any]) -> int | None:
    """The bits of a label in a dtype; None if it cannot hold it."""
    if dtype.kind in "biu":
        limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not limits[0] <= label <= limits[1]:
            return None
    with np.errstate(over="ignore"):
        value = np.array(label).astype(dtype)
    return int(value.view(f"u{dtype.itemsize}")) if value.item() == label else None


def replace(labels: Labels, old: int, new: int, threads: int) -> None:
    """Give voxels of the label `old` the label `new`, which must fit into the dtype.

    Parameters
    ----------
    labels : (n0, n1, n2) array
        Of any dtype and strides. If its dtype cannot hold `old`, nothing is.
    old, new : int
    threads : int
        At most this many threads.
    """
    bits = label_bits(old, labels.dtype), label_bits(new, labels.dtype)
    if bits[0] is None:
        return
    if old == 0 and labels.dtype.kind == "f":  # which has two zeros
        np.copyto(labels, new, where=labels == 0)
        return
    with in_memory_order(labels) as voxels:
        unsigned = np.dtype(f"u{voxels.itemsize}")
        kind, (before, after) = as_type(unsigned), map(unsigned.type, bits)
        memory = voxels.__array_interface__["data"][0], voxels.size

        def work(first: int, stop: int) -> None:
            last = min(stop * BLOCK, memory[1])
            replace_bits(kind, memory, before, after, first * BLOCK, last)

        blocks = -(-voxels.size // BLOCK)
        run_parts(work, blocks, threads_worth(voxels.size, threads), [voxels])


def at_scale(labels: Labels, scale: tuple[float, float, float]) -> Labels:
    """The nearest labels in this share of the voxels, by their centres; a new array, or the same.

    Parameters
    ----------
    labels : (..., n0, n1, n2) array
    scale : (3,) floats
        0 to 1. There are ``round(n * scale)`` voxels, at least one; as many as there were are
        the array itself.
    """
    before = labels.shape[-3:]
    after = tuple(max(1, round(n * s)) for n, s in zip(before, scale, strict=True))
    if after == before:
        return labels
    order = slowest_first(labels)
    kept: Labels = labels.transpose(order)
    for axis, number in enumerate(order):
        spatial = number - (labels.ndim - 3)
        if spatial >= 0:
            kept = _kept(kept, axis, kept_voxels(before[spatial], after[spatial]))
    return kept.copy(order="C").transpose(np.argsort(order))


def _kept(labels: Labels, axis: int, index: npt.NDArray[np.int64]) -> Labels:
    """Some voxels along an axis: seen, and not copied, where they are evenly spaced."""
    first, step = int(index[0]), int(index[1] - index[0]) if len(index) > 1 else 1
    if (np.diff(index) == step).all():
        stop = first + step * len(index)
        return labels[(slice(None),) * axis + (slice(first, stop, step),)]
    return labels.take(index, axis)
