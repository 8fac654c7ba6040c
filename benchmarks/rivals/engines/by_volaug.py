"""volaug: into arrays that exist, with all threads and with one; and into new ones."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

import volaug
from volaug.transforms.per_channel import ChannelId, IntensityOperation

from ...clock import OutsideKernels, StoppableClock
from ...problem import DEEP_SUPERVISION, SEED, Array, touched_like
from ...samples import drawing, random_patch, random_pipeline, sampling
from ..case import Case
from ..contender import KEYS, MANY, Contender, Engine, afresh, one_array
from ..problems import (
    AHEAD,
    BATCH_SIZE,
    Change,
    LeastDeterminant,
    Loading,
    Patches,
    Prefilter,
    Resizing,
    Sample,
    Together,
    Training,
)

DRAWS = 100  # one takes too short a time to be told in milliseconds

Arrays = Callable[[Any], Sequence[Array]] | None


def contender(
    engine: str,
    threads: int,
    run: Callable[[], Any],
    arrays: Arrays = one_array,
    voxels: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Contender:
    """Return a row of volaug."""
    return Contender(engine, volaug.__version__, threads, MANY, run, arrays, voxels, clock)


def as_warp(case: Case) -> volaug.Warp:
    """Return the case's map."""
    return volaug.Warp(case.volume.shape, case.matrix, 0.0, case.control_points)


def applied(case: Case, threads: int, out: Array | None) -> Callable[[], Array]:
    """Return what warps the case's volume."""
    of, volume = as_warp(case), case.volume
    interpolation: Any = case.interpolation
    return lambda: of.apply(volume, interpolation=interpolation, out=out, threads=threads)


def warp(case: Case) -> Iterator[Contender]:
    """Yield the warp of one volume; into a new array too, as SimpleITK and torch do."""
    threads = case.threads
    yield contender("volaug", threads, applied(case, threads, touched_like(case.volume)))
    yield contender("volaug, new array", threads, applied(case, threads, None))
    if threads > 1:
        yield contender("volaug", 1, applied(case, 1, touched_like(case.volume)))


def resize(problem: Resizing) -> Iterator[Contender]:
    """Yield the resizing, into an array that exists and into a new one."""
    volume, interpolation = problem.volume, problem.interpolation
    exists = np.zeros(problem.shape, volume.dtype)

    def run(out: Array | None, threads: int) -> Array:
        options: Any = {"interpolation": interpolation, "out": out, "threads": threads}
        return volaug.resample(volume, problem.shape, **options)

    threads = problem.threads
    yield contender("volaug", threads, lambda: run(exists, threads))
    yield contender("volaug, new array", threads, lambda: run(None, threads))
    if threads > 1:
        yield contender("volaug", 1, lambda: run(exists, 1))


def warp_float32(case: Case) -> Iterator[Contender]:
    """Yield the warp of the same values in float32."""
    real = replace(case, volume=case.volume.astype(np.float32))
    run = applied(real, case.threads, touched_like(real.volume))
    yield contender("volaug, float32", case.threads, run)


def channels(together: Together) -> Iterator[Contender]:
    """Yield channels in one array, one call for each, and one alone."""
    case = together.cases[0]
    stacked = replace(case, volume=np.stack([each.volume for each in together.cases]))
    outs = touched_like(stacked.volume)
    of, threads = as_warp(case), case.threads

    def at_once() -> Array:
        return np.asarray(of.apply(stacked.volume, out=outs, threads=threads))

    singles = [applied(each, threads, touched_like(each.volume)) for each in together.cases]
    count = len(singles)
    yield contender("volaug", threads, at_once, list)
    yield contender(f"volaug, {count} calls", threads, lambda: [run() for run in singles], list)
    yield contender("volaug, 1 channel", threads, singles[0], None, case.voxels)


def image_and_label(together: Together) -> Iterator[Contender]:
    """Yield an image and its labels in one call, and in two."""
    case = together.cases[0]
    cases = dict(zip(("image", "label"), together.cases, strict=True))
    volumes = {name: each.volume for name, each in cases.items()}
    interpolation: Any = {name: each.interpolation for name, each in cases.items()}
    outs = {name: touched_like(volume) for name, volume in volumes.items()}
    of, threads = as_warp(case), case.threads

    def at_once() -> list[Array]:
        results = of.apply_all(volumes, interpolation=interpolation, out=outs, threads=threads)
        return list(results.values())

    singles = [applied(each, threads, touched_like(each.volume)) for each in together.cases]
    yield contender("volaug", threads, at_once, list)
    yield contender("volaug, 2 calls", threads, lambda: [run() for run in singles], list)


def prefilter(problem: Prefilter) -> Iterator[Contender]:
    """Yield the coefficients of a cubic spline, which are a new array."""

    def with_threads(threads: int) -> Contender:
        return contender(
            "volaug", threads, lambda: volaug.spline_filter(problem.volume, threads=threads)
        )

    yield with_threads(problem.threads)
    if problem.threads > 1:
        yield with_threads(1)


def min_jacobian_determinant(problem: LeastDeterminant) -> Iterator[Contender]:
    """Yield the least determinant of an elastic warp, and the affine warp of a volume."""
    case = problem.case
    of, threads = as_warp(case), case.threads

    def least() -> Array:
        return np.array([of.min_jacobian_determinant(threads=threads)])

    affine = replace(case, control_points=None)
    run = applied(affine, threads, touched_like(case.volume))
    yield contender("volaug", threads, least)
    yield contender("volaug, affine warp", threads, run, None)


def sample(problem: Sample) -> Iterator[Contender]:
    """Yield random samples in new arrays: labels by their vote, and by the nearest voxel."""
    for engine, labels in (("volaug", "label"), ("volaug, nearest labels", "nearest")):
        pipeline = random_pipeline(problem.side, interpolation={"label": labels})
        run = sampling(pipeline, image=problem.image, label=problem.label)
        yield contender(
            engine, 1, run, lambda result: (np.stack([result["image"], result["label"]]),)
        )


def overhead(problem: Sample) -> Iterator[Contender]:
    """Yield random samples, what of them is spent outside of the kernels, and draws alone."""
    pipeline = random_pipeline(problem.side)
    run = sampling(pipeline, image=problem.image, label=problem.label)
    draw = drawing(pipeline, problem.side)
    clock = OutsideKernels()
    outside = clock.watched(run)
    yield contender("volaug", 1, run, None)
    yield contender("volaug, outside kernels", 1, outside, None, 0, clock)
    yield contender("volaug, draw", 1, draw, None, 0)
    yield contender(f"volaug, {DRAWS} draws", 1, lambda: [draw() for _ in range(DRAWS)], None, 0)


def patches(problem: Patches) -> Iterator[Contender]:
    """Yield random patches in new arrays, of each of the volumes the same draws."""
    for volume in problem.volumes:
        run = sampling(random_patch(problem.side, problem.elastic), image=volume)
        yield contender(f"volaug, out of {len(volume)}^3", 1, run, None)


def change(operation: IntensityOperation) -> Engine:
    """Return an engine that changes an image in place, with what was drawn."""

    def engine(problem: Change) -> Iterator[Contender]:
        def work(volume: Array) -> Array:
            operation.change(volume, ChannelId("image", 0), problem.threads)
            return volume

        run, clock = afresh(problem.volume, work)
        arrays = None if problem.expected is None else one_array
        yield contender("volaug", problem.threads, run, arrays, clock=clock)

    return engine


def training(problem: Training) -> Iterator[Contender]:
    """Yield nnU-Net's augmentation, and the same with shear and elastic deformation."""
    for preset in (volaug.presets.nnunet, volaug.presets.nnunet_elastic):
        pipeline = preset(problem.side, deep_supervision=DEEP_SUPERVISION, seed=SEED)
        run = sampling(pipeline, image=problem.image, label=problem.label)
        engine = f"volaug presets.{preset.__name__}"
        yield Contender(engine, volaug.__version__, problem.threads, KEYS, run, None)


def stream(problem: Loading) -> Iterator[Contender]:
    """Yield the generator; and what it does to samples alone, which were drawn beforehand."""
    names = ("image", "label")
    cases: list[dict[str, Any]] = [
        dict(zip(names, pair, strict=True))
        for pair in zip(problem.images, problem.labels, strict=True)
    ]
    pipeline = volaug.presets.nnunet_elastic(problem.side, seed=SEED)
    made = volaug.Stream(
        cases,
        pipeline,
        patch_shape=problem.side,
        batch_size=BATCH_SIZE,
        seed=SEED,
        threads=problem.threads,
    )
    clock = StoppableClock()
    records = [r for _ in range(problem.batches) for r in next(made)["record"]]

    def run() -> None:
        with clock.stopped():
            for _ in range(AHEAD):
                next(made)
        for _ in range(problem.batches):
            next(made)

    def augment(record: volaug.Record) -> volaug.Sample:
        return record.apply(**cases[record.key.index % len(cases)], threads=1)

    pool = ThreadPoolExecutor(problem.threads)

    def replay() -> None:
        for _ in pool.map(augment, records):
            pass

    yield contender("volaug Stream", problem.threads, run, None, clock=clock)
    yield contender("volaug, its samples alone", problem.threads, replay, None)
