"""What every way of loading has to deliver: batches of augmented patches out of some cases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from volaug import Compose

from ..brain import case
from ..rivals.makers import rolled
from ..rivals.problems import BATCH_SIZE, Loading

Batch = dict[str, Any]  # "image": a tensor; "label": tensors from fine to coarse

CLASSES = 4
# Patches of this side are cut from a brain of 1 mm, smaller ones from one of 2 mm.
FULL_SIDE = 96
SEED = 7
# The least number of voxels along each axis of a level of a network.
MIN_LEVEL = 4
MAX_LEVELS = 6


@dataclass(frozen=True)
class Task:
    """Batches of image and label patches from cases in memory.

    Parameters
    ----------
    problem : Loading
        The cases, the side of the patch, and the number of workers: processes or threads.
    preset : function
        Makes volaug's pipeline: `volaug.presets.nnunet` or one with the same arguments.
    device : torch.device
        Where the network is.
    """

    problem: Loading
    preset: Callable[..., Compose]
    device: torch.device

    @property
    def patch(self) -> tuple[int, int, int]:
        """The shape of a patch."""
        return (self.problem.side,) * 3

    @property
    def levels(self) -> int:
        """The number of resolutions of the network."""
        levels = 2
        while levels < MAX_LEVELS and self.problem.side % 2**levels == 0 and (
            self.problem.side // 2**levels >= MIN_LEVEL
        ):  # fmt: skip
            levels += 1
        return levels

    @property
    def scales(self) -> list[list[float]]:
        """The resolutions at which the network is trained: all but the coarsest."""
        return [[1 / 2**level] * 3 for level in range(self.levels - 1)]

    @property
    def pins(self) -> bool:
        """Whether loaders are asked for pinned memory."""
        return str(self.device.type) == "cuda"

    def pipeline(self) -> Compose:
        """Return volaug's pipeline."""
        return self.preset(self.patch, deep_supervision=self.scales, seed=SEED)


def made_task(side: int, workers: int, preset: Callable[..., Compose], device: str) -> Task:
    """Make a task of eight cases, all of them the brain of nilearn, rolled by some voxels."""
    image, label = case(1 if side >= FULL_SIDE else 2)
    problem = Loading(rolled(image), rolled(label), side, 0, workers)
    return Task(problem, preset, torch.device(device))


def pyramid(label: Any, levels: int) -> list[Any]:
    """Return labels (..., n0, n1, n2) at each resolution, by every second voxel."""
    label = label.short()  # some transforms return floats, but only if they do something
    return [label[..., :: 2**k, :: 2**k, :: 2**k] for k in range(levels)]


__all__ = ["BATCH_SIZE", "Batch", "Task", "made_task", "pyramid"]
