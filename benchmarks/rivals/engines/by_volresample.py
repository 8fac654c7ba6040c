"""volresample, which resizes only; in Cython with OpenMP, for float32, int16 and uint8."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...problem import Array
from ..contender import SOME, Contender, needs
from ..problems import Resizing


@needs("volresample")
def resize(problem: Resizing) -> Iterator[Contender]:
    """Yield the resizing, which returns a new array."""
    import volresample

    mode: Any = problem.interpolation

    def run() -> Array:
        volresample.set_num_threads(problem.threads)
        return np.asarray(volresample.resample(problem.volume, problem.shape, mode=mode))

    yield Contender("volresample", volresample.__version__, problem.threads, SOME, run)
