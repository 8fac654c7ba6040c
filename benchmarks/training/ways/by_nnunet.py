"""nnU-Net's own loader: its processes, its queue, its transforms."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ...rivals.engines import by_nnunet
from ..task import Batch, Task


def own(task: Task) -> AbstractContextManager[Iterator[Batch]]:
    """Give batches of its loader with its default transforms."""
    trainer = by_nnunet.load_trainer()
    return augmented(task, by_nnunet.default_transforms(trainer, task.problem.side, task.scales))


@contextmanager
def augmented(task: Task, transforms: Any) -> Iterator[Iterator[Batch]]:
    """Give batches of its loader with these transforms."""
    by_nnunet.load_trainer()  # its import says what is not set, and is silenced there
    made = by_nnunet.augmenter(task.problem, transforms, task.pins)
    try:
        yield ({"image": batch["data"], "label": batch["target"]} for batch in made)
    finally:
        made._finish()


def ahead(task: Task) -> int:
    """Return how many batches may be ready: in its queue, and in that of each process."""
    return by_nnunet.queue_length(task.problem) + task.problem.threads
