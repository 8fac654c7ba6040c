"""A row of the table: an engine in one of its settings.

What an engine can prepare once for many volumes is made outside of the clock: images, matrices,
lattices. What it computes for one of them is in `run`.
"""

import functools
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..clock import StoppableClock
from ..problem import Array

# Calls of an engine, by what a call takes at 256^3: below 100 ms, below 2 s, more.
MANY, SOME, FEW = 20, 5, 2

# Of a pipeline whose samples take times that differ by far.
KEYS = 200


def one_array(result: Any) -> Sequence[Array]:
    """Return a result that is an array, as the arrays of it."""
    return (np.asarray(result),)


@dataclass(frozen=True)
class Contender:
    """One row of the table."""

    engine: str
    version: str
    threads: int
    repeats: int
    run: Callable[[], Any]
    # the arrays of what `run` returns, to be checked; None: it computes something else
    arrays: Callable[[Any], Sequence[Array]] | None = one_array
    voxels: int | None = None  # those of the problem; 0: it does not work on voxels
    clock: Callable[[], float] = time.perf_counter


def afresh(volume: Array, call: Callable[[Array], Any]) -> tuple[Callable[[], Any], StoppableClock]:
    """Return what calls with a copy of a volume, and the clock to time it by.

    For what works in place: each time with the same values. Off the clock it is called twice
    before, since the first calls after another engine's take up to three times as long: what they
    measure is how much of the cache the other has left.
    """
    clock, copy = StoppableClock(), volume.copy()

    def run() -> Any:
        with clock.stopped():
            for _ in range(2):
                np.multiply(volume, 1.0, out=copy)  # a plain copy of so much goes past the cache
                call(copy)
            np.multiply(volume, 1.0, out=copy)
        return call(copy)

    return run, clock


Engine = Callable[[Any], Iterator[Contender]]  # of a problem


def is_installed(library: str) -> bool:
    """Whether a library can be imported, which may be a part of a package."""
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:  # nor can the package
        return False


def needs(library: str) -> Callable[[Engine], Engine]:
    """Make an engine that yields nothing where a library is not installed."""

    def decorate(engine: Engine) -> Engine:
        @functools.wraps(engine)
        def contenders(problem: Any) -> Iterator[Contender]:
            if is_installed(library):
                yield from engine(problem)

        return contenders

    return decorate
