"""TorchIO's fused affine and elastic transform, which resamples by ITK, without copies."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...problem import DEGREES, KNOTS, MAX_LENGTH, SCALE, SEED
from ..contender import SOME, Contender, needs
from ..problems import Change, Sample


@needs("torchio")
def sample(problem: Sample) -> Iterator[Contender]:
    """Yield the transform by the same B-spline; it has no shear. Labels are nearest."""
    import SimpleITK
    import torch
    import torchio

    torch.set_num_threads(problem.threads)
    torch.manual_seed(SEED)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(problem.threads)
    transform = random_pipeline(problem.side)
    image, label = (torch.from_numpy(each)[None] for each in (problem.image, problem.label))

    def run() -> Any:
        subject = torchio.Subject(
            image=torchio.ScalarImage(tensor=image), label=torchio.LabelMap(tensor=label)
        )
        return transform(subject)

    yield Contender(
        "TorchIO RandomAffineElasticDeformation",
        torchio.__version__,
        problem.threads,
        SOME,
        run,
        lambda result: (np.concatenate([result.image.data, result.label.data]),),
    )


def random_pipeline(side: int) -> Any:
    """Return TorchIO's way to do what `samples.random_pipeline` does."""
    import torchio

    flip = torchio.RandomFlip(axes=(0, 1, 2), flip_probability=0.5, copy=False)
    warp = torchio.RandomAffineElasticDeformation(
        affine_kwargs={"scales": SCALE, "degrees": DEGREES},
        elastic_kwargs={
            "num_control_points": KNOTS,
            "max_displacement": MAX_LENGTH * side,
            "locked_borders": 0,
        },
        copy=False,
    )
    return torchio.Compose([flip, warp], copy=False)


@needs("torchio")
def bias_field(problem: Change) -> Iterator[Contender]:
    """Yield its field, a polynomial of order 3 in all axes together."""
    import torch
    import torchio

    torch.set_num_threads(problem.threads)
    image = torchio.ScalarImage(tensor=torch.from_numpy(problem.volume)[None])
    subject = torchio.Subject(image=image)
    transform = torchio.RandomBiasField(copy=False)

    def run() -> Any:
        return transform(subject)

    yield Contender(
        "TorchIO RandomBiasField", torchio.__version__, problem.threads, SOME, run, None
    )
