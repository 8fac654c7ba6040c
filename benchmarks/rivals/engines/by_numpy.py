"""numpy: a plain copy of the volume, and noise."""

from collections.abc import Iterator

import numpy as np

from ...problem import SEED, touched_like
from ..case import Case
from ..changes import DEVIATION
from ..contender import MANY, Contender
from ..problems import Change


def copy(case: Case | Change) -> Iterator[Contender]:
    """Yield a copy: what no warp that reads and writes the whole volume can undercut."""
    out = touched_like(case.volume)

    def run() -> None:
        np.copyto(out, case.volume)

    yield Contender("np.copyto (no warp)", np.__version__, 1, MANY, run, arrays=None)


def noise(problem: Change) -> Iterator[Contender]:
    """Yield normal noise that is added in place."""
    rng, volume = np.random.default_rng(SEED), problem.volume.copy()

    def run() -> None:
        drawn = rng.standard_normal(volume.shape, np.float32)
        drawn *= np.float32(DEVIATION)
        np.add(volume, drawn, out=volume)

    yield Contender("numpy standard_normal", np.__version__, 1, MANY, run, arrays=None)
