"""numpy: a plain copy of the volume, and noise."""

from collections.abc import Iterator

import numpy as np

from ...problem import SEED, Array, touched_like
from ..case import Case
from ..changes import DEVIATION
from ..contender import MANY, Contender, afresh
from ..problems import Change


def copy(case: Case) -> Iterator[Contender]:
    """Yield a copy: what no warp that reads and writes the whole volume can undercut."""
    out = touched_like(case.volume)

    def run() -> None:
        np.copyto(out, case.volume)

    yield Contender("np.copyto (no warp)", np.__version__, 1, MANY, run, arrays=None)


def copy_afresh(problem: Change) -> Iterator[Contender]:
    """Yield a copy of what is in the cache."""
    out = touched_like(problem.volume)
    run, clock = afresh(problem.volume, lambda volume: np.copyto(out, volume))
    yield Contender("np.copyto", np.__version__, 1, MANY, run, None, clock=clock)


def noise(problem: Change) -> Iterator[Contender]:
    """Yield normal noise that is added in place."""
    rng = np.random.default_rng(SEED)

    def work(volume: Array) -> None:
        drawn = rng.standard_normal(volume.shape, np.float32)
        drawn *= np.float32(DEVIATION)
        np.add(volume, drawn, out=volume)

    run, clock = afresh(problem.volume, work)
    yield Contender("numpy standard_normal", np.__version__, 1, MANY, run, None, clock=clock)
