"""Apply the stages of a record to images and labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from .. import checks
from ..serialization import check_names
from ..threads.limits import thread_count
from ..transforms.label_values import Pairs
from ..transforms.operation import ChannelId, Rescaling, ValueOperation
from ..warping.warp import Warp
from .sides import exchange_labels
from .target_warps import WARPS, TargetWarps, Warps, apply_warps, check_channels, mapped
from .targets import Array, Target, check_cvals

Stage = Warps | ValueOperation
Targets = Mapping[str, Target]


def augmented(
    stages: Sequence[Stage],
    targets: Targets,
    volumes: Mapping[str, Array],
    out: Mapping[str, Any] | None,
    threads: int | None,
    origin: tuple[int, int, int],
    swaps: Mapping[str, Pairs],
) -> tuple[dict[str, Any], dict[ChannelId, Rescaling]]:
    """Apply all stages to images and labels, or to parts of them that begin at the voxel `origin`.

    `swaps` are the pairs of labels that are exchanged, by the name of their target. For each
    channel that is normalized, return also what undoes that.
    """
    check_cvals(targets, volumes)
    options = resampling_options(targets, volumes)
    kinds = {name: targets[name].kind for name in volumes}
    for stage in stages:
        if isinstance(stage, WARPS):
            check_channels(stage, volumes)
        else:
            stage.check(volumes, kinds)
    warps = [stage for stage in stages if isinstance(stage, WARPS)]
    # the last warp would find an error in `out` only after the others are done
    if len(warps) > 1 or any(isinstance(warp, TargetWarps) for warp in warps):
        _check_out(volumes, {} if out is None else out, warps[-1].shape)
    results: dict[str, Any] = dict(volumes)
    rescalings: dict[ChannelId, Rescaling] = {}
    count = thread_count(threads)
    for stage in stages:
        if not isinstance(stage, WARPS):
            for channel, rescaling in (stage.apply(results, kinds, count) or {}).items():
                known = rescalings.get(channel)
                rescalings[channel] = rescaling.after(known) if known else rescaling
            continue
        into = out if stage is warps[-1] else None
        if stage is stages[0] and any(origin):
            stage = mapped(stage, lambda warp: _for_part(warp, origin))
        results = apply_warps(stage, results, options, into, threads)
        if swaps and stage is stages[0]:  # before other steps change the labels
            exchange_labels(results, swaps, count)
    return results, rescalings


def resampling_options(targets: Targets, volumes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The interpolation, mode and cval of each volume."""
    names = ("interpolation", "mode", "cval")
    return {o: {name: getattr(targets[name], o) for name in volumes} for o in names}


def _for_part(warp: Warp, origin: tuple[int, int, int]) -> Warp:
    """The same warp, which reads a part of its input that begins at the voxel `origin`."""
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
