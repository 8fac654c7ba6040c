"""Left and right: labels and landmarks that exchange their names where a warp mirrors them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import checks
from ..transforms.label_values import Pairs, exchange, exchanged_bits
from ..warping.geometry.bspline import Floats
from ..warping.warp import Warp
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
        pairs = targets[name].swap
        if pairs:
            matrix = np.eye(3)
            for warps in stages:
                matrix = matrix @ _on_the_whole(warp_of(warps, name, channel=0))
            if mirrors(matrix, affine):
                found[name] = pairs
    return found


def _on_the_whole(warp: Warp) -> Floats:
    """Return the (3, 3) matrix of a warp; if its displacement mirrors, of both together.

    So does a map of points that a user gives; it becomes a displacement.
    """
    matrix: Floats = warp.matrix
    if warp.control_points is None:
        return matrix
    half = np.maximum((np.array(warp.shape) - 1.0) / 2.0, 0.5)
    # no coefficient is exceeded, and what adds less than 1 to the identity keeps its sign
    if np.linalg.norm(np.outer(np.abs(warp.control_points).max(axis=(1, 2, 3)), 1.0 / half)) < 1.0:
        return matrix
    center = (np.array(warp.shape) - 1.0) / 2.0
    ends = warp.points_to_input(center + np.concatenate([np.diag(half), -np.diag(half)]))
    both: Floats = (ends[:3] - ends[3:]).T / (2.0 * half)
    return both if np.linalg.det(both) * np.linalg.det(matrix) < 0.0 else matrix


def exchange_labels(volumes: Mapping[str, Any], swaps: Mapping[str, Pairs], threads: int) -> None:
    """Exchange the pairs of labels in volumes, in place."""
    for name in swaps.keys() & volumes.keys():
        volume = checks.memory_of(volumes[name])
        exchange(volume if volume.ndim == 3 else volume[0], swaps[name], threads)


def exchange_rows(coordinates: dict[str, Floats], swaps: Mapping[str, Pairs]) -> None:
    """Exchange the pairs of rows of points and boxes, in new arrays."""
    for name in swaps.keys() & coordinates.keys():
        order = np.arange(len(coordinates[name]))
        for a, b in swaps[name]:
            order[[a, b]] = b, a
        coordinates[name] = coordinates[name][order]


def check_swaps(
    targets: Mapping[str, Target], volumes: Mapping[str, Any], coordinates: Mapping[str, Floats]
) -> None:
    """Check that labels, points and boxes have what they are to exchange.

    Labels must have one channel, and a dtype that holds both labels of a pair.
    """
    for name, volume in volumes.items():
        pairs = targets[name].swap
        if not pairs:
            continue
        if volume.ndim == 4 and len(volume) > 1:
            raise ValueError(
                f"{name!r} must have one channel, as swap exchanges the numbers of labels, got "
                f"{len(volume)}"
            )
        try:
            exchanged_bits(pairs, volume.dtype)
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from None
    for name, rows in coordinates.items():
        last = max((max(pair) for pair in targets[name].swap or ()), default=-1)
        if last >= len(rows):
            raise ValueError(
                f"swap of {name!r} exchanges row {last}, but there are {len(rows)} rows, counted "
                "from 0"
            )
