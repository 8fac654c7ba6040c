"""torch's DataLoader with worker processes, which augment by volaug, MONAI or TorchIO."""

from collections.abc import Callable, Iterator
from typing import Any

from ...samples import random_pipeline
from ..contender import FEW, SOME, Contender, needs
from ..problems import BATCH_SIZE, Loading
from . import by_monai, by_torchio


class Cubes:
    """A map-style dataset of images and labels, (1, n, n, n) each, to which something is done."""

    def __init__(self, problem: Loading, change: Callable[[dict[str, Any]], Any]) -> None:
        import torch

        pairs = zip(problem.images, problem.labels, strict=True)
        self.items = [
            {"image": torch.from_numpy(image)[None], "label": torch.from_numpy(label)[None]}
            for image, label in pairs
        ]
        self.change, self.samples = change, problem.batches * BATCH_SIZE

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Any:
        return self.change(dict(self.items[index % len(self.items)]))


def as_it_is(item: dict[str, Any]) -> dict[str, Any]:
    """Return it."""
    return item


class AsSubject:
    """TorchIO's transform of a dictionary of tensors."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the transformed tensors."""
        import torchio

        subject = torchio.Subject(
            image=torchio.ScalarImage(tensor=item["image"]),
            label=torchio.LabelMap(tensor=item["label"]),
        )
        done = self.transform(subject)
        return {"image": done.image.data, "label": done.label.data}


def passes(engine: str, problem: Loading, dataset: Any, repeats: int) -> Contender:
    """Return a row: passes over a dataset, by workers that the first one, not timed, begins."""
    import torch
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(
        dataset, BATCH_SIZE, num_workers=problem.threads, persistent_workers=True
    )

    def run() -> None:
        for _ in loader:
            pass

    return Contender(engine, torch.__version__, problem.threads, repeats, run, None)


@needs("torch")
def volaug(problem: Loading) -> Iterator[Contender]:
    """Yield volaug's dataset."""
    from volaug.integrations.torch import VolaugDataset

    pipeline = random_pipeline(problem.side)
    dataset = VolaugDataset(Cubes(problem, as_it_is), pipeline)
    dataset[0]  # loads the kernels here, so that no worker has to
    yield passes("volaug, VolaugDataset", problem, dataset, SOME)


@needs("monai")
def monai(problem: Loading) -> Iterator[Contender]:
    """Yield MONAI's transforms."""
    for engine, pipeline in by_monai.random_pipelines(problem.side).items():
        yield passes(engine, problem, Cubes(problem, pipeline), 1)


@needs("torchio")
def torchio(problem: Loading) -> Iterator[Contender]:
    """Yield TorchIO's transform."""
    change = AsSubject(by_torchio.random_pipeline(problem.side))
    yield passes("TorchIO RandomAffineElasticDeformation", problem, Cubes(problem, change), FEW)
