"""MONAI's transforms of dictionaries: of tensors without meta data, computed in float32.

Its displacement is noise that a Gaussian has smoothed. To be as smooth as volaug's B-spline it
would take a Gaussian of 25 voxels and several times as long; it has the one that MONAI's own
examples have, and the B-spline's standard deviation. Labels can only be nearest.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...problem import DEGREES, SCALE, SEED, SLOPE
from ..contender import SOME, Contender, needs
from ..problems import Change, Sample

SIGMA = (5.0, 8.0)  # voxels
MAGNITUDE = (1.6, 2.4)  # of the side
KEYS = ("image", "label")


@needs("monai")
def sample(problem: Sample) -> Iterator[Contender]:
    """Yield the affine and the elastic transform, and the latter with affine ranges of its own."""
    import monai
    import torch

    torch.set_num_threads(problem.threads)
    given = {key: torch.from_numpy(getattr(problem, key))[None] for key in KEYS}
    for engine, pipeline in random_pipelines(problem.side).items():

        def run(pipeline: Any = pipeline) -> Any:
            with torch.inference_mode():
                return pipeline(given)

        yield Contender(
            engine,
            monai.__version__,
            problem.threads,
            SOME,
            run,
            lambda result: (np.concatenate([result[key] for key in KEYS]),),
        )


def random_pipelines(side: int) -> dict[str, Any]:
    """Return MONAI's two ways to do what `samples.random_pipeline` does, by their names."""
    from monai.data import set_track_meta
    from monai.transforms import Compose, Rand3DElasticd, RandAffined, RandFlipd

    set_track_meta(False)
    low, high = SCALE
    affine: dict[str, Any] = {
        "rotate_range": (math.radians(DEGREES),) * 3,
        "scale_range": ((1 / high - 1, 1 / low - 1),) * 3,  # of what is read
        "shear_range": (SLOPE, SLOPE, 0.0, SLOPE, 0.0, 0.0),
    }
    elastic: dict[str, Any] = {
        "sigma_range": SIGMA,
        "magnitude_range": tuple(part * side for part in MAGNITUDE),
    }
    resampled: dict[str, Any] = {
        "keys": KEYS,
        "prob": 1.0,
        "mode": ("bilinear", "nearest"),
        "padding_mode": "zeros",
        "spatial_size": (side,) * 3,
    }
    flips = [RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)]
    first = RandAffined(**resampled, **affine, cache_grid=True)
    second = Rand3DElasticd(**resampled, **elastic)
    both = Rand3DElasticd(**resampled, **elastic, **affine)
    # float64 by default, and no argument for it
    first.rand_affine.resampler.dtype = np.float32
    for transform in (second, both):
        transform.rand_3d_elastic.resampler.dtype = np.float32
    return {
        "MONAI RandAffined, Rand3DElasticd": Compose([*flips, first, second]).set_random_state(
            SEED
        ),
        "MONAI Rand3DElasticd": Compose([*flips, both]).set_random_state(SEED),
    }


@needs("monai")
def histogram_shift(problem: Change) -> Iterator[Contender]:
    """Yield its curve of straight lines through as many control points."""
    import monai
    import torch
    from monai.data import set_track_meta
    from monai.transforms import RandHistogramShift

    torch.set_num_threads(problem.threads)
    set_track_meta(False)
    transform = RandHistogramShift(num_control_points=6, prob=1.0)
    image = torch.from_numpy(problem.volume)[None]

    def run() -> Any:
        return transform(image)

    yield Contender("MONAI RandHistogramShift", monai.__version__, problem.threads, SOME, run, None)
