"""nnU-Net's own training transforms, as its trainer makes them and its data loader calls them."""

import contextlib
import importlib.metadata
import io
import math
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...clock import StoppableClock
from ...problem import DEEP_SUPERVISION, Array
from ..contender import FEW, KEYS, Contender, needs
from ..problems import AHEAD, BATCH_SIZE, Loading, Training

ROTATION = math.radians(30.0)

# Seconds in which its processes have filled their queue, and leave the next engine alone.
SETTLE = 3.0


def load_trainer() -> Any:
    """Return the class of its default trainer."""
    with contextlib.redirect_stdout(io.StringIO()):  # it misses folders that it does not need here
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    return nnUNetTrainer


def default_transforms(trainer: Any, side: int, scales: Any) -> Any:
    """Return the transforms of a trainer for an isotropic patch."""
    return trainer.get_training_transforms(
        patch_size=(side,) * 3,
        rotation_for_DA=(-ROTATION, ROTATION),
        deep_supervision_scales=scales,
        mirror_axes=(0, 1, 2),
        do_dummy_2d_data_aug=False,
    )


@needs("nnunetv2")
def training(problem: Training) -> Iterator[Contender]:
    """Yield its default pipeline; a copy of the case, which it works in, is made off the clock."""
    import torch

    torch.set_num_threads(problem.threads)
    torch.manual_seed(0)
    scales = [[scale] * 3 for scale in DEEP_SUPERVISION]
    transforms = default_transforms(load_trainer(), problem.side, scales)
    clock = StoppableClock()

    def run() -> Any:
        with clock.stopped():
            image = torch.from_numpy(problem.image.copy())[None]
            segmentation = torch.from_numpy(problem.label.copy())[None]
        with torch.no_grad():
            return transforms(image=image, segmentation=segmentation)

    version = importlib.metadata.version("nnunetv2")
    yield Contender("nnU-Net", version, problem.threads, KEYS, run, None, clock=clock)


class Cases:
    """What its data loader asks of a folder of preprocessed cases, which are in memory here."""

    def __init__(self, problem: Loading) -> None:
        self._pairs = list(zip(problem.images, problem.labels, strict=True))
        self.identifiers = [str(number) for number in range(len(self._pairs))]
        self._places = [self._found(label) for _, label in self._pairs]

    @staticmethod
    def _found(label: Array) -> dict[int, Array]:
        places = {}
        for value in np.unique(label)[1:].tolist():
            some = np.argwhere(label == value)[::100]
            places[value] = np.column_stack([np.zeros(len(some), int), some])
        return places

    def load_case(self, identifier: str) -> tuple[Any, ...]:
        """Return image, segmentation, that of a former stage, and what else is known."""
        image, label = self._pairs[int(identifier)]
        known = {"class_locations": self._places[int(identifier)]}
        return image[None], label[None], None, known


def augmenter(problem: Loading, transforms: Any, pin_memory: bool = False) -> Any:
    """Return its endless batches: its data loader in processes, with the queue of its trainer."""
    from batchgenerators.dataloading.nondet_multi_threaded_augmenter import (
        NonDetMultiThreadedAugmenter,
    )
    from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

    patch = (problem.side,) * 3
    angles = (-ROTATION, ROTATION)
    load = nnUNetDataLoader(
        Cases(problem),
        BATCH_SIZE,
        get_patch_size(patch, angles, angles, angles, (0.85, 1.25)),
        patch,
        SimpleNamespace(all_labels=[1, 2, 3], has_ignore_label=False),
        oversample_foreground_percent=0.33,
        transforms=transforms,
    )
    return NonDetMultiThreadedAugmenter(
        load,
        None,
        num_processes=problem.threads,
        num_cached=queue_length(problem),
        seeds=None,
        pin_memory=pin_memory,
        wait_time=0.002,
    )


def queue_length(problem: Loading) -> int:
    """Return how many batches its trainer keeps ready."""
    return max(6, problem.threads // 2)


@needs("nnunetv2")
def loader(problem: Loading) -> Iterator[Contender]:
    """Yield its data loader, in as many processes, with the queue that its trainer makes."""
    made = augmenter(problem, default_transforms(load_trainer(), problem.side, None))
    clock = StoppableClock()

    def run() -> None:
        with clock.stopped():
            for _ in range(AHEAD):
                next(made)
        for _ in range(problem.batches):
            next(made)
        with clock.stopped():
            time.sleep(SETTLE)

    version = importlib.metadata.version("nnunetv2")
    yield Contender("nnU-Net's loader", version, problem.threads, FEW, run, None, clock=clock)
