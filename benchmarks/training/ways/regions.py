"""A torch DataLoader of regions of cases, each larger than a patch, to which something is done."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader

from ...problem import LOADED
from ..task import BATCH_SIZE, Batch, Task

PREFETCH = 2  # batches of each worker, torch's default
SAMPLES = 2**20  # of a pass, so that no pass ends


class Regions:
    """A map-style dataset: the region that nnU-Net would load of a random case, at a random place.

    Parameters
    ----------
    change : function
        Augments ``{"image": (1, n, n, n), "label": (1, n, n, n)}``, and cuts the patch.
    """

    def __init__(self, task: Task, change: Callable[[dict[str, Any]], Any]) -> None:
        pairs = zip(task.problem.images, task.problem.labels, strict=True)
        self._cases = [(torch.from_numpy(a)[None], torch.from_numpy(b)[None]) for a, b in pairs]
        self._side = 2 * math.ceil(LOADED * task.problem.side / 2)
        self._change = change

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> Any:
        image, label = self._cases[index % len(self._cases)]
        # torch's numbers, which differ from worker to worker
        starts = [int(torch.randint(max(1, n - self._side + 1), ())) for n in image.shape[1:]]
        window = (slice(None), *(slice(start, start + self._side) for start in starts))
        # a copy, since some transforms write into what they get
        return self._change({"image": image[window].clone(), "label": label[window].clone()})


def ahead_of_workers(task: Task) -> int:
    """Return how many batches a DataLoader may have ready."""
    return PREFETCH * task.problem.threads


@contextmanager
def loaded(task: Task, dataset: Any) -> Iterator[Iterator[Batch]]:
    """Give the batches of a dataset, made by worker processes."""
    loader: Any = DataLoader(
        dataset, BATCH_SIZE, num_workers=task.problem.threads, pin_memory=task.pins
    )
    batches = iter(loader)
    try:
        yield batches
    finally:
        batches._shutdown_workers()
