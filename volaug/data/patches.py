"""The position of a patch in its case: anywhere, or around a voxel of the foreground."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..keys import RandomStream
from ..transforms.ranges import Shape

Array = npt.NDArray[Any]

# Some voxels (N, 3) of each class. A class is a value or, if the label has several channels, a pair
# (channel, value).
Foreground = dict[Any, npt.NDArray[np.int64]]

# Foreground keeps at most this many voxels of each class, evenly spaced in memory order.
MAX_FOREGROUND_VOXELS = 2000

# Number of voxels sorted at once, few enough for a cache: 256^3 int16 of 300 classes take 1.2 s of
# processor time, and 1.5 s in slabs of 2^20. One sort of all voxels takes 1.0 to 1.5 s and 270 MB.
SLAB = 2**17

# A voxel belongs to a class if its probability is at least this.
PROBABLE = 0.5

# How far a sum of probabilities may be from 1: float16 rounds coarsely.
ROUNDING = 0.01


def foreground_of(label: Array) -> Foreground:
    """Some voxels (N, 3) of each foreground class of a label.

    A class is a value over 0. If the label has several channels, a class is a pair (channel,
    value): the values may be 0 and 1, or class ids. If they are floats that are not whole, they
    are probabilities. A channel is then one class, (channel, True), where they are at least 0.5.

    If the label is one-hot, channel 0 is the background and is left out. One-hot means: at every
    voxel the channels sum to their maximum (probabilities: to 1). If channels overlap anywhere, or
    all are 0 at a voxel, channel 0 has classes too. Voxels where a channel is negative, such as -1
    for outside, do not count in this test.
    """
    channels = label if label.ndim == 4 else label[np.newaxis]
    if len(channels) == 1:
        return _class_voxels(channels[0])
    soft = channels.dtype.kind == "f" and not _are_whole(channels)
    whole, tolerance = (1.0, ROUNDING) if soft else (float(channels.max()), 0.0)
    first = 1 if _are_partition(channels, whole, tolerance) else 0
    return {
        (number, value): places
        for number, channel in enumerate(channels[first:], start=first)
        for value, places in _class_voxels(channel >= PROBABLE if soft else channel).items()
    }


def as_foreground(given: Any, shape: Shape) -> Foreground:
    """The foreground that a case gives: at most `MAX_FOREGROUND_VOXELS` of each class.

    Parameters
    ----------
    given : mapping, or function that returns one
        Voxels (N, 3) of a case of `shape`, by class; classes without voxels are left out.

    Raises
    ------
    TypeError, ValueError
        If it is anything else, or a voxel lies outside of the case.
    """
    voxels_by_class = given() if callable(given) else given
    if not isinstance(voxels_by_class, Mapping):
        raise TypeError(
            "foreground must be a mapping from classes to their voxels, or a function that returns "
            f"one, got {type(voxels_by_class).__name__}"
        )
    found: Foreground = {}
    for name, given_voxels in voxels_by_class.items():
        voxels = np.asarray(given_voxels)
        if voxels.size == 0:
            continue
        if voxels.ndim != 2 or voxels.shape[1] != 3 or voxels.dtype.kind not in "iu":
            raise TypeError(
                f"foreground of class {name!r} must be ints of shape (N, 3), got {voxels.dtype} of "
                f"shape {voxels.shape}"
            )
        if (voxels < 0).any() or (voxels >= shape).any():
            raise ValueError(
                f"foreground of class {name!r} must lie in the case of shape {shape}, got voxels "
                f"from {voxels.min(axis=0).tolist()} to {voxels.max(axis=0).tolist()}"
            )
        # numbered, since classes of different types have no order
        found[len(found)] = voxels[:: -(-len(voxels) // MAX_FOREGROUND_VOXELS)].astype(np.int64)
    return found


def _are_whole(channels: Array) -> bool:
    return all(np.array_equal(part, np.trunc(part), equal_nan=True) for _, part in _slabs(channels))


def _are_partition(channels: Array, whole: float, tolerance: float) -> bool:
    """Whether the channels sum to `whole` at every voxel where none is negative."""
    for _, part in _slabs(channels):
        known = (part >= 0).all(axis=0)
        apart = np.abs(part.sum(axis=0, dtype=np.float64) - whole) > tolerance
        if (apart & known).any():
            return False
    return True


def _class_voxels(voxels: Array) -> Foreground:
    """Some voxels of each value over 0: every n-th one in memory order."""
    voxels = np.ascontiguousarray(voxels)  # slabs that are not contiguous are slow to read
    counts: dict[Any, int] = {}
    for _, part in _slabs(voxels):
        values = np.sort(part[part > 0])
        starts, times = _runs(values)
        for value, count in zip(values[starts].tolist(), times.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + count
    if not counts:
        return {}
    classes = np.array(sorted(counts), voxels.dtype)
    steps = np.array([-(-counts[value] // MAX_FOREGROUND_VOXELS) for value in sorted(counts)])
    seen = np.zeros(len(classes), np.int64)
    kept, kept_classes = [], []
    for first, part in _slabs(voxels):
        flat = part.ravel()
        inside = np.flatnonzero(flat > 0)
        order = inside[np.argsort(flat[inside], kind="stable")]
        values = flat[order]
        starts, times = _runs(values)
        which = np.searchsorted(classes, values[starts])
        # the number of each voxel within its class, counted through all slabs
        number = np.arange(len(order)) + np.repeat(seen[which] - starts, times)
        taken = number % np.repeat(steps[which], times) == 0
        kept.append(first + order[taken])
        kept_classes.append(np.repeat(which, times)[taken])
        seen[which] += times
    of_class = np.concatenate(kept_classes)
    by_class = np.argsort(of_class, kind="stable")
    places = np.stack(np.unravel_index(np.concatenate(kept)[by_class], voxels.shape), axis=1)
    ends = np.cumsum(np.bincount(of_class))
    return dict(zip(classes.tolist(), np.split(places, ends[:-1]), strict=True))


def _runs(values: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The start and the length of each run of equal numbers."""
    ends = np.flatnonzero(values[1:] != values[:-1]) + 1
    starts = np.concatenate([np.zeros(min(len(values), 1), np.int64), ends])
    return starts, np.diff(starts, append=len(values))


def _slabs(voxels: Array) -> Iterator[tuple[int, Array]]:
    """Parts of a volume, of whole planes, each with the flat index of its first voxel."""
    planes, plane = voxels.shape[-3], voxels.shape[-2] * voxels.shape[-1]
    height = max(1, SLAB // plane)
    for start in range(0, planes, height):
        yield start * plane, voxels[..., start : start + height, :, :]


def patch_start(
    stream: RandomStream, shape: Shape, patch: Shape, places: Foreground | None
) -> tuple[int, int, int]:
    """Draw the first voxel of a patch.

    Without a foreground, the patch is anywhere within the case. With one, a class is drawn
    uniformly, then one of its voxels; the patch is centered at it, or as near as the border allows.
    Along an axis on which the case is shorter than the patch, the case is centered in the patch.

    Parameters
    ----------
    places : mapping, optional
        Voxels of the foreground by class.
    """
    ways = [stream.uniform() for _ in range(5)]
    room = [n - m for n, m in zip(shape, patch, strict=True)]
    if places:
        some = places[sorted(places)[int(ways[3] * len(places))]]
        center = some[int(ways[4] * len(some))].tolist()
        wanted = [c - m // 2 for c, m in zip(center, patch, strict=True)]
    else:
        wanted = [int(way * (r + 1)) for way, r in zip(ways[:3], room, strict=True)]
    a, b, c = (min(max(w, 0), r) if r >= 0 else r // 2 for w, r in zip(wanted, room, strict=True))
    return a, b, c
