"""volaug's ways: threads of a `Stream`, a dataset in worker processes, nnU-Net's transforms."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

import volaug

from ...rivals.engines.by_nnunet import ROTATION
from ..task import BATCH_SIZE, SEED, Batch, Task
from . import by_nnunet
from .regions import Regions, loaded

PREFETCH = 2


@contextmanager
def stream(task: Task) -> Iterator[Iterator[Batch]]:
    """Give batches of a `Stream`, in as many threads as others have processes."""
    cases = [
        {"image": image, "label": label}
        for image, label in zip(task.problem.images, task.problem.labels, strict=True)
    ]
    made = volaug.Stream(
        cases,
        task.pipeline(),
        patch_shape=task.patch,
        batch_size=BATCH_SIZE,
        seed=SEED,
        threads=task.problem.threads,
        prefetch=PREFETCH,
    )
    with made:
        yield (
            {
                "image": torch.from_numpy(batch["image"]),
                "label": [torch.from_numpy(level) for level in batch["label"]],
            }
            for batch in made
        )


def ahead_of_stream(task: Task) -> int:
    """Return how many batches a `Stream` may have ready."""
    return PREFETCH


def dataset(task: Task) -> AbstractContextManager[Iterator[Batch]]:
    """Give batches of a `VolaugDataset` in worker processes."""
    from volaug.integrations.torch import VolaugDataset

    return loaded(task, VolaugDataset(Regions(task, as_it_is), task.pipeline()))


def as_it_is(region: dict[str, Any]) -> dict[str, Any]:
    """Return it."""
    return region


def transforms(task: Task) -> AbstractContextManager[Iterator[Batch]]:
    """Give batches of nnU-Net's loader with the transforms of `nnUNetTrainerVolaug`."""
    from volaug.integrations.nnunet import training_transforms

    made = training_transforms(
        task.patch, (-ROTATION, ROTATION), task.scales, (0, 1, 2), False, preset=task.preset
    )
    return by_nnunet.augmented(task, made)
