"""What stages of a record do to volumes and places."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import checks
from ..serialization import check_names
from ..threads.limits import thread_count
from ..transforms.base import ValueOperation
from ..warping.geometry.bspline import Floats
from ..warping.warp import Warp
from .targets import Array, Target, check_cvals

Stage = Warp | ValueOperation
Move = Callable[[Floats], Floats]
Targets = Mapping[str, Target]


def augmented(
    stages: Sequence[Stage],
    targets: Targets,
    volumes: Mapping[str, Array],
    out: Mapping[str, Any] | None,
    threads: int | None,
    origin: tuple[int, int, int],
) -> dict[str, Any]:
    """Images and labels after all stages, or parts of them that begin at the voxel `origin`."""
    check_cvals(targets, volumes)
    options = resampling_options(targets, volumes)
    kinds = {name: targets[name].kind for name in volumes}
    for stage in stages:
        if not isinstance(stage, Warp):
            stage.check(volumes, kinds)
    warps = [stage for stage in stages if isinstance(stage, Warp)]
    if len(warps) > 1:  # the last of them would find it wrong when the first is done
        _check_out(volumes, {} if out is None else out, warps[-1].shape)
    results: dict[str, Any] = dict(volumes)
    count = thread_count(threads)
    for stage in stages:
        if isinstance(stage, Warp):
            into = out if stage is warps[-1] else None
            warp = stage if stage is not stages[0] else _for_part(stage, origin)
            results = warp.apply_all(results, out=into, threads=threads, **options)
        else:
            stage.apply(results, kinds, count)
    return results


def resampling_options(targets: Targets, volumes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """How each of some volumes is resampled."""
    names = ("interpolation", "mode", "cval")
    return {o: {name: getattr(targets[name], o) for name in volumes} for o in names}


def moved_coordinates(
    targets: Targets, coordinates: Mapping[str, Floats], points: Move, boxes: Move
) -> dict[str, Floats]:
    """Points and boxes by name through one of several warps."""
    ways = {"points": points, "boxes": boxes}
    return {name: _moved(value, ways[targets[name].kind]) for name, value in coordinates.items()}


def _moved(coordinates: Floats, move: Move) -> Floats:
    """Points or boxes; NaN, which a fold leaves, stays NaN."""
    known = np.isfinite(coordinates).all(axis=tuple(range(1, coordinates.ndim)))
    if known.all():
        return move(coordinates)
    results = np.full_like(coordinates, np.nan)
    results[known] = move(coordinates[known])
    return results


def _for_part(warp: Warp, origin: tuple[int, int, int]) -> Warp:
    """The warp for a part of what it reads, which begins at a voxel."""
    if not any(origin):
        return warp
    return Warp(warp.shape, warp.matrix, warp.offset - origin, warp.control_points)


def _check_out(
    volumes: Mapping[str, Array], out: Mapping[str, Any], output_shape: tuple[int, int, int]
) -> None:
    if not isinstance(out, Mapping):
        raise TypeError(f"out must be a mapping from names to arrays, got {type(out).__name__}")
    check_names("image or label of out", out, volumes)
    others = list(volumes.values())
    for name, given in out.items():
        shape = (*volumes[name].shape[:-3], *output_shape)
        target = checks.as_output(given, shape, volumes[name].dtype, f"out[{name!r}]")
        checks.check_apart(f"out[{name!r}]", target, others)
        others.append(target)
