"""Warps that differ between targets, as some steps are applied to some targets alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..transforms.operation import SpatialOperation
from ..warping.engine.allocation import empty
from ..warping.fusion import Fusion, Grid
from ..warping.geometry.bspline import Floats
from ..warping.warp import Warp
from .targets import Target

Options = Mapping[str, Mapping[str, Any]]  # interpolation, mode and cval of each target


@dataclass(frozen=True)
class TargetWarps:
    """The warps of one stage: one that is common to all, and those of some targets or channels.

    Attributes
    ----------
    common : Warp
        Of the steps that are applied to all targets.
    of_target : mapping from names to Warp
        Of targets for which it is another one.
    of_channel : mapping from (name, channel) to Warp
        Of channels for which it is another one than for their target.
    """

    common: Warp
    of_target: Mapping[str, Warp]
    of_channel: Mapping[tuple[str, int], Warp]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of their output, which all share."""
        return self.common.shape

    @property
    def all(self) -> list[Warp]:
        """All warps, each once."""
        every = [self.common, *self.of_target.values(), *self.of_channel.values()]
        return list({id(warp): warp for warp in every}.values())

    def of(self, name: str) -> Warp:
        """Return the warp of a target."""
        return self.of_target.get(name, self.common)

    def mapped(self, change: Callable[[Warp], Warp]) -> "TargetWarps":
        """Return them with each warp changed."""
        changed = {id(warp): change(warp) for warp in self.all}
        return TargetWarps(
            changed[id(self.common)],
            {name: changed[id(warp)] for name, warp in self.of_target.items()},
            {channel: changed[id(warp)] for channel, warp in self.of_channel.items()},
        )

    def apply_all(
        self,
        volumes: Mapping[str, Any],
        options: Options,
        out: Mapping[str, Any] | None,
        threads: int | None,
    ) -> dict[str, Any]:
        """Resample volumes, each target or channel through its own warp."""
        results: dict[str, Any] = {}
        for warp in self.all:
            whole = {n: v for n, v in volumes.items() if self.of(n) is warp and not self._parts(n)}
            if not whole:
                continue
            into = {name: out[name] for name in whole if name in out} if out else None
            results |= warp.apply_all(whole, out=into, threads=threads, **limited(options, whole))
        for name, volume in volumes.items():
            if self._parts(name):
                given = out.get(name) if out else None
                results[name] = self._by_channel(name, volume, options, given, threads)
        return {name: results[name] for name in volumes}

    def _parts(self, name: str) -> list[int]:
        """Return the channels of a target that have a warp of their own."""
        return [channel for target, channel in self.of_channel if target == name]

    def _by_channel(
        self, name: str, volume: Any, options: Options, out: Any, threads: int | None
    ) -> Any:
        """Resample one target, channel by channel."""
        channels = volume if volume.ndim == 4 else volume[np.newaxis]
        result = empty((len(channels), *self.shape), volume.dtype) if out is None else out
        into = result if result.ndim == 4 else result[np.newaxis]
        cval = options["cval"][name]
        for number, voxels in enumerate(channels):
            warp = self.of_channel.get((name, number), self.of(name))
            warp.apply(
                voxels,
                interpolation=options["interpolation"][name],
                mode=options["mode"][name],
                cval=cval[number] if isinstance(cval, list) else cval,
                out=into[number],
                threads=threads,
            )
        return result if volume.ndim == 4 or out is not None else result[0]


Warps = Warp | TargetWarps
WARPS = (Warp, TargetWarps)  # for isinstance, which takes 5 times as long for abstract classes


def limited(options: Options, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the options of some targets."""
    return {option: {n: values[n] for n in names} for option, values in options.items()}


def each_warp(warps: Warps) -> list[Warp]:
    """Return all warps of a stage."""
    return [warps] if isinstance(warps, Warp) else warps.all


def common_warp(warps: Warps) -> Warp:
    """Return the warp of the steps that are applied to all targets."""
    return warps if isinstance(warps, Warp) else warps.common


def warp_of(warps: Warps, name: str, channel: int | None = None) -> Warp:
    """Return the warp of a target, or of one of its channels."""
    if isinstance(warps, Warp):
        return warps
    own = None if channel is None else warps.of_channel.get((name, channel))
    return warps.of(name) if own is None else own


def check_one_warp(stages: Iterable[Warps], name: str) -> None:
    """Check that no step moves some channels of a target alone."""
    for warps in stages:
        if isinstance(warps, TargetWarps) and any(target == name for target, _ in warps.of_channel):
            raise ValueError(
                f"a step moves some channels of {name!r} alone: there is no one map of its voxels"
            )


def mapped(warps: Warps, change: Callable[[Warp], Warp]) -> Warps:
    """Return the warps of a stage with each of them changed."""
    return change(warps) if isinstance(warps, Warp) else warps.mapped(change)


def inverse_of(warps: Warps, shape: tuple[int, int, int]) -> Warps:
    """Return the inverses of the warps of a stage, whose input has this shape."""
    return mapped(warps, lambda warp: warp.inverse(shape))


def apply_warps(
    warps: Warps,
    volumes: Mapping[str, Any],
    options: Options,
    out: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Resample volumes through the warps of a stage."""
    if isinstance(warps, TargetWarps):
        return warps.apply_all(volumes, options, out, threads)
    return warps.apply_all(volumes, out=out, threads=threads, **options)


def fused(
    grid: Grid, operations: Sequence[SpatialOperation], targets: Mapping[str, Target]
) -> tuple[Warps, float, Grid]:
    """Return the warps of consecutive operations, the elastic factor, and the grid after them.

    The elastic factor is the smallest of all warps.
    """
    known: dict[tuple[int, ...], tuple[Warp, float, Grid]] = {}

    def fuse(chosen: list[SpatialOperation]) -> Warp:
        key = tuple(map(id, chosen))
        if key not in known:
            fusion = Fusion(grid)
            for operation in chosen:
                operation.fuse(fusion)
            known[key] = (*fusion.warp(), fusion.grid)
        return known[key][0]

    for_all = [o for o in operations if o.targets is None and o.channels is None]
    common = fuse(for_all)
    warps: Warps = common
    if len(for_all) < len(operations):
        of_target, of_channel = {}, {}
        for name in targets:
            own = [o for o in operations if o.concerns(name)]
            warp = fuse([o for o in own if o.channels is None])
            if warp is not common:
                of_target[name] = warp
            for channel in sorted({c for o in own for c in o.channels or ()}):
                of_channel[name, channel] = fuse([o for o in own if o.concerns_channel(channel)])
        warps = TargetWarps(common, of_target, of_channel)
    return warps, min(factor for _, factor, _ in known.values()), known[tuple(map(id, for_all))][2]


def check_channels(warps: Warps, volumes: Mapping[str, Any]) -> None:
    """Check that the volumes have the channels that have warps of their own."""
    for name, channel in warps.of_channel if isinstance(warps, TargetWarps) else ():
        if name in volumes:
            count = len(volumes[name]) if volumes[name].ndim == 4 else 1
            if channel >= count:
                raise ValueError(
                    f"the channels of {name!r} that a step moves must be less than {count}, got "
                    f"{channel}: name the targets that it is for by include="
                )


def moved_coordinates(
    targets: Mapping[str, Target],
    coordinates: Mapping[str, Floats],
    warps: Warps,
    direction: str,
) -> dict[str, Floats]:
    """Return points and boxes by name, moved to the "input" or to the "output" of a stage."""
    return {
        name: _moved(value, getattr(warp_of(warps, name), f"{targets[name].kind}_to_{direction}"))
        for name, value in coordinates.items()
    }


def _moved(coordinates: Floats, move: Callable[[Floats], Floats]) -> Floats:
    """Points or boxes; NaN, which a fold leaves, stays NaN."""
    known = np.isfinite(coordinates).all(axis=tuple(range(1, coordinates.ndim)))
    if known.all():
        return move(coordinates)
    results = np.full_like(coordinates, np.nan)
    results[known] = move(coordinates[known])
    return results
