"""nnU-Net's own training transforms, as its trainer makes them and its data loader calls them."""

import contextlib
import importlib.metadata
import io
import math
from collections.abc import Iterator
from typing import Any

from ...clock import StoppableClock
from ...problem import DEEP_SUPERVISION
from ..contender import KEYS, Contender, needs
from ..problems import Training

ROTATION = math.radians(30.0)


@needs("nnunetv2")
def training(problem: Training) -> Iterator[Contender]:
    """Yield its default pipeline; a copy of the case, which it works in, is made off the clock."""
    import torch

    with contextlib.redirect_stdout(io.StringIO()):  # it misses folders that it does not need here
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.set_num_threads(problem.threads)
    torch.manual_seed(0)
    transforms = nnUNetTrainer.get_training_transforms(
        patch_size=(problem.side,) * 3,
        rotation_for_DA=(-ROTATION, ROTATION),
        deep_supervision_scales=[[scale] * 3 for scale in DEEP_SUPERVISION],
        mirror_axes=(0, 1, 2),
        do_dummy_2d_data_aug=False,
    )
    clock = StoppableClock()

    def run() -> Any:
        with clock.stopped():
            image = torch.from_numpy(problem.image.copy())[None]
            segmentation = torch.from_numpy(problem.label.copy())[None]
        with torch.no_grad():
            return transforms(image=image, segmentation=segmentation)

    version = importlib.metadata.version("nnunetv2")
    yield Contender("nnU-Net", version, problem.threads, KEYS, run, None, clock=clock)
