"""How near volaug comes to what the processor can do: ``python -m benchmarks.roofline out.png``.

The speed of each kind of warp by the side of the cube, beside a plain copy of the same volume, and
beside the speed with a source that stays in the L1 cache: what is left is the memory's.
"""

import argparse
import functools
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import volaug
from volaug.threads.limits import granted_threads

from .measured import seconds_each
from .problem import Array, head, pull_matrix, touched_like
from .warps import elastic_warp

SIDES = (32, 48, 64, 96, 128, 192, 256)
IN_L1 = 16  # voxels along each axis of a source of 16 KB


def calls_of(side: int, threads: int) -> dict[str, Callable[[], Any]]:
    """Return what is measured, by name, for results of `side` voxels along each axis."""
    volume, matrix = head(side), pull_matrix(side)
    out, shape = touched_like(volume), (side, side, side)
    half = head(side // 2)
    near = matrix.copy()
    near[:, :3] /= side / (IN_L1 - 4)
    near[:, 3] = (IN_L1 - 1) / 2 - near[:, :3] @ np.full(3, (side - 1) / 2)
    options: dict[str, Any] = {"out": out, "threads": threads}
    affine, elastic = volaug.Warp(shape, matrix), elastic_warp(side)
    within_l1 = volaug.Warp(shape, near)
    small = head(IN_L1)
    return {
        "copy (np.copyto)": lambda: np.copyto(out, volume),
        "affine": lambda: affine.apply(volume, **options),
        "elastic": lambda: elastic.apply(volume, **options),
        "affine, nearest": lambda: affine.apply(volume, interpolation="nearest", **options),
        "enlarged twice": lambda: volaug.resample(half, shape, **options),
        "affine, source in L1": lambda: within_l1.apply(small, **options),
    }


def repeat(call: Callable[[], Any], count: int) -> None:
    """Call so many times in a row: one call of a small volume is too short for the clock."""
    for _ in range(count):
        call()


def measured(sides: Sequence[int], threads: int) -> dict[str, Array]:
    """Return the speed of each kind at each side, in voxels a nanosecond."""
    speeds: dict[str, list[float]] = {}
    for side in sides:
        calls, count = calls_of(side, threads), max(1, (128 // side) ** 3)
        for call in calls.values():
            call()
        repeated = [functools.partial(repeat, call, count) for call in calls.values()]
        for name, seconds in zip(calls, seconds_each(*repeated), strict=True):
            speeds.setdefault(name, []).append(count * side**3 / seconds / 1e9)
    return {name: np.array(values) for name, values in speeds.items()}


def draw(speeds: dict[str, Array], sides: Sequence[int], title: str, path: Path) -> None:
    """Draw the speeds by the side, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, values in speeds.items():
        is_limit = name.startswith(("copy", "affine, source"))
        axes.plot(sides, values, "--" if is_limit else "o-", label=name)
    axes.set(xscale="log", yscale="log", title=title)
    axes.set(xlabel="side of the result in voxels", ylabel="voxels a nanosecond")
    axes.set_xticks(sides, [str(side) for side in sides], minor=False)
    axes.minorticks_off()
    ticks = (0.05, 0.1, 0.2, 0.5, 1, 2, 5)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=120)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline", description=__doc__)
    parser.add_argument("path", type=Path, help="of the picture")
    parser.add_argument("--threads", type=int, default=granted_threads())
    parser.add_argument("--name", default=platform.processor() or platform.machine())
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="of the cubes")
    options = parser.parse_args(argv)
    speeds = measured(options.sides, options.threads)
    for name, values in speeds.items():
        print(f"{name:22}", " ".join(f"{value:6.3f}" for value in values))
    threads = f"{options.threads} thread{'s' if options.threads > 1 else ''}"
    draw(speeds, options.sides, f"{options.name}, {threads}, float32", options.path)


if __name__ == "__main__":
    main()
