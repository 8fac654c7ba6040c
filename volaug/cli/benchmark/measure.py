"""How long operations take beside a plain copy, in alternation with it."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ... import presets
from ...warping.warp import Warp

SIDE, PATCH, CASE = 256, 128, 164  # voxels
RUNS, SECONDS = 25, 5.0  # of each operation, at most
SAMPLES = 24  # of the preset, whose draws differ

Array = npt.NDArray[Any]


class Timing(NamedTuple):
    """An operation, and seconds of it and of a plain copy of the same voxels."""

    name: str
    voxels: int
    threads: int
    seconds: float
    copy_seconds: float


def measure(threads: int) -> list[Timing]:
    """Return the timings of all operations, each at its best."""
    image = head(SIDE)
    label = np.digitize(image, (0.15, 0.45, 0.7)).astype(np.uint8)
    turn = rotation(np.radians(12), np.radians(-7))
    center = np.full(3, (SIDE - 1) / 2)
    points = np.random.default_rng(1).uniform(-4, 4, (3, 11, 11, 11))
    affine = Warp(image.shape, turn, center - turn @ center)
    elastic = Warp(image.shape, turn, center - turn @ center, points)
    out, label_out = np.empty_like(image), np.empty_like(label)
    how: dict[str, Any] = {"threads": threads}
    return [
        timing("affine, float32", image, threads, lambda: affine.apply(image, out=out, **how)),
        timing("elastic, float32", image, threads, lambda: elastic.apply(image, out=out, **how)),
        timing(
            "affine labels, uint8", label, threads,
            lambda: affine.apply(label, out=label_out, interpolation="label", **how),
        ),
        preset(),
    ]  # fmt: skip


def preset() -> Timing:
    """Time `presets.nnunet` with one thread, as a data loader uses it: the mean over draws."""
    image, count = head(CASE), SAMPLES
    label = np.digitize(image, (0.15, 0.45, 0.7)).astype(np.int16)
    pipeline = presets.nnunet(PATCH, seed=0)
    normal = (image - image.mean()) / image.std()
    for index in range(count):  # with all kernels
        pipeline(image=normal, label=label, index=index, threads=1)
    start = time.perf_counter()
    for index in range(count):
        pipeline(image=normal, label=label, index=index, threads=1)
    seconds = (time.perf_counter() - start) / count
    patch = np.ascontiguousarray(normal[:PATCH, :PATCH, :PATCH])
    return Timing("presets.nnunet, 128³", patch.size, 1, seconds, best(copying(patch)))


def timing(name: str, volume: Array, threads: int, work: Callable[[], object]) -> Timing:
    """Time an operation and a copy in alternation, so that both see the same machine."""
    copy = copying(volume)
    work()
    copy()
    seconds, copies, end = [], [], time.perf_counter() + SECONDS
    for _ in range(RUNS):
        seconds.append(timed(work))
        copies.append(timed(copy))
        if time.perf_counter() > end:
            break
    return Timing(name, volume.size, threads, min(seconds), min(copies))


def copying(volume: Array) -> Callable[[], object]:
    """A copy of a volume into memory that is there."""
    out = np.empty_like(volume)
    return lambda: np.copyto(out, volume)


def best(work: Callable[[], object]) -> float:
    """The shortest of some runs."""
    return min(timed(work) for _ in range(RUNS))


def timed(work: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def head(side: int) -> npt.NDArray[np.float32]:
    """An ellipsoid of shells and waves, 0 outside and 0.1 to 1 inside, with some noise."""
    x, y, z = np.ogrid[-1.0 : 1.0 : side * 1j, -1.0 : 1.0 : side * 1j, -1.0 : 1.0 : side * 1j]
    radius = np.sqrt((x / 0.7) ** 2 + (y / 0.85) ** 2 + (z / 0.75) ** 2)
    waves = 0.5 + 0.4 * np.sin(22 * radius + 3 * np.sin(7 * x) + 2 * np.cos(9 * y))
    noise = np.random.default_rng(0).random((side,) * 3, np.float32)
    inside = np.where(radius < 1, 0.1 + 0.8 * waves + 0.05 * noise, 0.0)
    return np.ascontiguousarray(inside, np.float32)


def rotation(about_first: float, about_last: float) -> npt.NDArray[np.float64]:
    """A rotation about axis 0, and then about axis 2."""
    a, b = about_first, about_last
    first = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    last = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turn: npt.NDArray[np.float64] = last @ first
    return turn
