"""What the gate times, by public names alone, so that older builds can do it too.

A process of one build prints the names of the jobs that it can do. Then it waits for names, and
answers each with the shortest time of some calls. It is the time of the processor: what other
programs take of it does not count. A job of several threads has the time of the clock, as its
threads may wait for one another.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

import numpy as np

import volaug

from ..problem import LOADED, SEED, as_integers, head, labels, pull_matrix, touched_like
from ..samples import random_pipeline
from ..warps import elastic_warp
from .large import LARGE_JOBS, Call

SIDE = 96
CALLS, SECONDS = 3, 0.02  # at least, in each turn: short calls are disturbed the most
MANY_THREADS = "2 threads"


def _warp(kind: str, threads: int = 1) -> Call:
    volume = labels(SIDE) if kind in ("label", "nearest") else head(SIDE)
    out, matrix, how = touched_like(volume), pull_matrix(SIDE), kind
    warp = volaug.Warp(volume.shape, matrix)
    if kind == "elastic":
        warp, how = elastic_warp(SIDE), "linear"
    elif kind == "int16":
        volume, how = as_integers(volume, "int16"), "linear"
        out = touched_like(volume)
    elif kind == "scaling":
        warp, how = volaug.Warp(volume.shape, np.diag((0.9, 1.1, 0.95)), 1.3), "linear"
    options: Any = {"interpolation": how, "out": out, "threads": threads}
    return lambda: warp.apply(volume, **options)


def _step(step: Any) -> Call:
    pipeline, image = volaug.Compose([step], seed=SEED), head(SIDE)
    return lambda: pipeline(image=image, index=0, threads=1)


def _preset(name: str) -> Call:
    loaded = round(LOADED * SIDE)
    pipeline = getattr(volaug.presets, name)(SIDE, seed=SEED)
    image, label = head(loaded), labels(loaded).astype(np.int16)

    def samples() -> None:  # with all that it draws seldom
        for index in range(8):
            pipeline(image=image, label=label, index=index, threads=1)

    return samples


def _draws() -> Call:
    pipeline = random_pipeline(SIDE)
    return lambda: [pipeline.draw((SIDE,) * 3, index=index) for index in range(10)]


JOBS: dict[str, Callable[[], Call]] = {
    "affine": lambda: _warp("linear"),
    "affine, 2 threads": lambda: _warp("linear", threads=2),
    "affine, int16": lambda: _warp("int16"),
    "elastic": lambda: _warp("elastic"),
    "cubic": lambda: _warp("cubic"),
    "label": lambda: _warp("label"),
    "nearest": lambda: _warp("nearest"),
    "scaling": lambda: _warp("scaling"),
    "contrast": lambda: _step(volaug.RandomContrast(p=1.0)),
    "noise": lambda: _step(volaug.RandomNoise(p=1.0)),
    "blur": lambda: _step(volaug.RandomBlur(p=1.0)),
    "presets.nnunet": lambda: _preset("nnunet"),
    "draw": _draws,
}


def prepared(names: Iterable[str]) -> dict[str, Call]:
    """Return the calls of those jobs that this build can do, each called once: kernels are ready.

    What a build cannot do, it is not asked for; why goes to standard error.
    """
    calls = {}
    for name in names:
        try:
            call = {**JOBS, **LARGE_JOBS}[name]()
            call()
        except (AttributeError, TypeError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        calls[name] = call
    return calls


def shortest(call: Call, clock: Callable[[], float] = time.process_time) -> float:
    """Return the shortest time of some calls, in seconds."""
    times: list[float] = []
    while len(times) < CALLS or sum(times) < SECONDS:
        start = clock()
        call()
        times.append(clock() - start)
    return min(times)


def serve(names: Sequence[str], questions: TextIO, answers: TextIO) -> None:
    """Say what this build can do, and answer names with seconds until there are no more."""
    calls = prepared(names)
    print(json.dumps(list(calls)), file=answers, flush=True)
    for line in questions:
        name = line.strip()
        clock = time.perf_counter if name.endswith(MANY_THREADS) else time.process_time
        print(shortest(calls[name], clock), file=answers, flush=True)
