"""torchtransform, which resamples once for a whole chain, by torch. Its axes run backwards."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...problem import DEGREES, KNOTS, MAX_LENGTH, SCALE, SEED, SLOPE
from ..case import Case
from ..contender import SOME, Contender, needs
from ..problems import Sample

KEYS = ("image", "label")
SPLINE_DEGREE = 3


@needs("torchtransform")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the linear warp, which returns a new tensor, by a transform as its page writes them."""
    import torch
    import torchtransform

    torch.set_num_threads(case.threads)
    volume = torch.from_numpy(case.volume)[None, None]
    half = np.subtract(case.volume.shape, 1) / 2
    linear, offset = case.matrix[:, :3], case.matrix[:, 3]
    centered = np.vstack([np.column_stack([linear, offset + linear @ half - half]), np.eye(4)[3]])
    backwards = [2, 1, 0, 3]
    forward = torch.from_numpy(np.linalg.inv(centered)[np.ix_(backwards, backwards)])[None]

    class Given(torchtransform.MatrixTransform):  # type: ignore[misc]
        """The case's map, from what is read to the result, about the center."""

        def get_matrices(self, context: Any) -> Any:
            return forward

    transform = Given()

    def run() -> Any:
        with torch.inference_mode():
            return transform(volume)[0, 0]

    yield Contender("torchtransform", torchtransform.__version__, case.threads, SOME, run)


@needs("torchtransform")
def sample(problem: Sample) -> Iterator[Contender]:
    """Yield the transforms by the same B-spline, resampled once; labels are nearest."""
    import torch
    import torchtransform

    torch.set_num_threads(problem.threads)
    torch.manual_seed(SEED)
    transform = random_pipeline(problem.side)
    image, label = (torch.from_numpy(getattr(problem, key))[None, None] for key in KEYS)

    def run() -> Any:
        with torch.inference_mode():
            return transform(image=image, label=torchtransform.Mask(label))

    yield Contender(
        "torchtransform",
        torchtransform.__version__,
        problem.threads,
        SOME,
        run,
        lambda result: (np.concatenate([result[key][0] for key in KEYS]),),
    )


def random_pipeline(side: int) -> Any:
    """Return torchtransform's way to do what `samples.random_pipeline` does."""
    import torchtransform as tt

    turn, shear = (-DEGREES, DEGREES), math.degrees(math.atan(SLOPE))
    slope = (-shear, shear)
    # volaug draws from a uniform distribution; this one is normal, with its standard deviation
    elastic = tt.ElasticWarp(MAX_LENGTH * side / math.sqrt(3), side / (KNOTS - SPLINE_DEGREE))
    return tt.Compose(
        *(tt.Flip(axis) for axis in "xyz"),
        *(tt.Rotate(turn, axis) for axis in "xyz"),
        tt.Scale(x=SCALE, y=SCALE, z=SCALE),
        tt.Shear(xy=slope, xz=slope, yz=slope),
        elastic,
    )
