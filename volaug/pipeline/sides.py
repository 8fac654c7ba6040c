"""Left and right: labels and landmarks that exchange their names where a warp mirrors them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import checks
from ..transforms.label_values import Pairs, exchange, exchanged_bits
from ..warping.geometry.bspline import Floats
from .target_warps import Warps, warp_of
from .targets import Target


def mirrors(matrix: Floats, affine: Floats | None) -> bool:
    """Whether a (3, 3) matrix of voxels mirrors left and right.

    It does if it turns a right hand into a left one, and, where the affine says which direction is
    left, also reverses that direction: a head that is mirrored front to back keeps its sides.
    """
    if np.linalg.det(matrix) > 0.0:
        return False
    if affine is None:
        return True
    axes = affine[:3, :3]
    return bool((axes @ matrix @ np.linalg.inv(axes))[0, 0] < 0.0)


def mirrored(
    targets: Mapping[str, Target],
    names: Iterable[str],
    stages: Sequence[Warps],
    affine: Floats | None,
) -> dict[str, Pairs]:
    """Return the pairs of the named targets that the warps of all stages together exchange.

    Each stage by itself says nothing: a head that is mirrored left to right, and then front to
    back, is turned.
    """
    found = {}
    for name in names:
        if targets[name].swap:
            matrix = np.eye(3)
            for warps in stages:
                matrix = matrix @ warp_of(warps, name, channel=0).matrix
            if mirrors(matrix, affine):
                found[name] = targets[name].swap
    return found


def exchange_labels(volumes: Mapping[str, Any], swaps: Mapping[str, Pairs], threads: int) -> None:
    """Exchange the pairs of labels in volumes, in place."""
    for name, pairs in swaps.items():
        volume = checks.memory_of(volumes[name])
        exchange(volume if volume.ndim == 3 else volume[0], pairs, threads)


def exchanged_rows(
    coordinates: Mapping[str, Floats], swaps: Mapping[str, Pairs]
) -> dict[str, Floats]:
    """Return points and boxes with the pairs of rows exchanged."""
    results = dict(coordinates)
    for name, pairs in swaps.items():
        order = np.arange(len(results[name]))
        for a, b in pairs:
            order[[a, b]] = b, a
        results[name] = results[name][order]
    return results


def check_labels(targets: Mapping[str, Target], volumes: Mapping[str, Any]) -> None:
    """Check that labels that swap have one channel, and dtypes that hold both labels of a pair."""
    for name, volume in volumes.items():
        if targets[name].swap and volume.ndim == 4 and len(volume) > 1:
            raise ValueError(
                f"{name!r} must have one channel, as swap exchanges the numbers of labels, got "
                f"{len(volume)}"
            )
        try:
            exchanged_bits(targets[name].swap or (), volume.dtype)
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from None


def check_rows(targets: Mapping[str, Target], coordinates: Mapping[str, Floats]) -> None:
    """Check that points and boxes have the rows that can be exchanged."""
    for name, value in coordinates.items():
        last = max((max(pair) for pair in targets[name].swap or ()), default=-1)
        if last >= len(value):
            raise ValueError(
                f"swap of {name!r} exchanges row {last}, but there are {len(value)} rows, 0 to "
                f"{len(value) - 1}"
            )
