"""volaug in the form of other libraries: what an adapter adds to the pipeline that it holds."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import volaug
from volaug.threads.limits import set_num_threads

from ...samples import random_pipeline
from ..contender import MANY, Contender, needs
from ..problems import Sample


def row(engine: str, problem: Sample, run: Callable[[], Any]) -> Contender:
    """Return a row of one thread."""
    set_num_threads(problem.threads)
    return Contender(engine, volaug.__version__, problem.threads, MANY, run, None)


@needs("torch")
def torch(problem: Sample) -> Iterator[Contender]:
    """Yield `VolaugDataset`, without workers."""
    from volaug.integrations.torch import VolaugDataset

    class Same:
        """A dataset of one sample, as often as it is asked for."""

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {"image": problem.image, "label": problem.label}

    dataset, indices = VolaugDataset(Same(), random_pipeline(problem.side)), itertools.count()
    yield row("VolaugDataset", problem, lambda: dataset[next(indices)])


@needs("monai")
def monai(problem: Sample) -> Iterator[Contender]:
    """Yield `Volaugd`, of MetaTensors."""
    import torch as library
    from monai.data import MetaTensor, set_track_meta

    from volaug.integrations.monai import Volaugd

    set_track_meta(True)
    transform = Volaugd(("image", "label"), random_pipeline(problem.side))
    given: dict[Any, Any] = {
        "image": MetaTensor(library.from_numpy(problem.image)[None]),
        "label": MetaTensor(library.from_numpy(problem.label)[None]),
    }
    yield row("Volaugd (MONAI)", problem, lambda: transform(given))


@needs("torchio")
def torchio(problem: Sample) -> Iterator[Contender]:
    """Yield `RandomVolaug`, without TorchIO's copy of the subject."""
    import torch as library
    import torchio as tio

    from volaug.integrations.torchio import RandomVolaug

    transform = RandomVolaug(random_pipeline(problem.side), copy=False)
    image, label = (library.from_numpy(each)[None] for each in (problem.image, problem.label))

    def run() -> Any:
        subject = tio.Subject(image=tio.ScalarImage(tensor=image), label=tio.LabelMap(tensor=label))
        return transform(subject)

    yield row("RandomVolaug (TorchIO)", problem, run)


@needs("batchgeneratorsv2")
def nnunet(problem: Sample) -> Iterator[Contender]:
    """Yield `NnunetTransform`."""
    import torch as library

    from volaug.integrations.nnunet import NnunetTransform

    transform = NnunetTransform(random_pipeline(problem.side))
    image, label = (library.from_numpy(each)[None] for each in (problem.image, problem.label))
    yield row("NnunetTransform", problem, lambda: transform(image=image, segmentation=label))
