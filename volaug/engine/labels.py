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


def class_map(channels: Labels) -> Labels | None:
    """Which channel of a one-hot label each voxel belongs to; None if it is no such label.

    Parameters
    ----------
    channels : (C, n0, n1, n2) array
        One-hot if there are two channels or more, and in each voxel one is 1 and all others 0.

    Returns
    -------
    (1, n0, n1, n2) array or None
        In the memory order of the channels, and of their dtype where that can hold C, so that
        no kernel is needed but theirs.
    """
    count = len(channels)
    some = channels[(slice(None), *(slice(None, None, -(-n // 8)) for n in channels.shape[1:]))]
    # what is no such label mostly shows by a few voxels
    if count < 2 or any(np.count_nonzero(part) != part[0].size for part in (some, channels)):
        return None
    order = slowest_first(channels[0])
    ordered = channels.transpose(0, *(1 + axis for axis in order))
    holds = channels.dtype.kind != "b" and label_bits(count, channels.dtype) is not None
    classes = np.zeros(ordered.shape[1:], channels.dtype if holds else np.min_scalar_type(count))
    covered = np.zeros(classes.shape, np.bool)
    ones = 0
    for number, channel in enumerate(ordered):
        belongs = channel == 1
        ones += int(np.count_nonzero(belongs))
        covered |= belongs
        np.copyto(classes, number, where=belongs)
    # as many ones as voxels, one at least in each: no voxel has two
    if ones != classes.size or not covered.all():
        return None
    return classes.transpose(np.argsort(order))[np.newaxis]


def spread_classes(classes: Labels, fills: Labels, target: Labels, threads: int) -> None:
    """Write the one-hot label (C, n0, n1, n2) of a class map (n0, n1, n2); `fills` of class C."""
    table = np.zeros((len(fills), len(fills) + 1), target.dtype)
    np.fill_diagonal(table, 1)
    table[:, -1] = fills

    def work(first: int, stop: int) -> None:
        for plane in range(first, stop):
            index = classes[plane].astype(np.intp)
            for values, channel in zip(table, target, strict=True):
                np.take(values, index, out=channel[plane], mode="clip")

    run_parts(work, len(classes), threads_worth(target.size, threads))


def class_of(fills: Labels) -> int:
    """The class of what lies outside: that of a one-hot `fills` (C,), or else C."""
    one_hot = np.count_nonzero(fills) == 1 and bool((fills == 1).any())
    return int(np.argmax(fills)) if one_hot else len(fills)
