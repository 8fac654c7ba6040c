"""One run: train a small network on one head, and test it on the other, moved by strength."""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

import volaug

from ..training.unet import UNet, dice_and_cross_entropy
from .arms import ARMS
from .heads import CLASSES, Label
from .moves import Pair, normalized

# First seeds of the moves of all runs: far from those of the training.
FIRST_MOVE = 1000
STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Setting:
    """What all runs have in common."""

    spacing: float = 6.0  # mm
    steps: int = 600
    moves: int = 6  # test images of each strength
    features: tuple[int, ...] = (16, 32, 64, 64)
    rate: float = 5e-3


class Run(NamedTuple):
    """One network: the arm, the head it saw, and the seed of weights and draws."""

    arm: str
    trained_on: str
    tested_on: str
    seed: int


class Outcome(NamedTuple):
    """Dice of each test image and class, by strength, and what it took."""

    run: Run
    dice: dict[float, list[list[float]]]
    loss: float  # mean of the last tenth of the steps
    seconds: float


def carry_out(
    run: Run, setting: Setting, training: Pair, tests: dict[float, list[Pair]]
) -> Outcome:
    """Train and test one network in one thread."""
    start = time.perf_counter()
    torch.set_num_threads(1)
    network, loss = trained(run, setting, training)
    dice = {
        strength: [dice_of(predicted(network, image), label) for image, label in pairs]
        for strength, pairs in tests.items()
    }
    return Outcome(run, dice, loss, time.perf_counter() - start)


def trained(run: Run, setting: Setting, pair: Pair) -> tuple[UNet, float]:
    """Return a network that has seen one head, and its loss in the end."""
    torch.manual_seed(run.seed)
    network = UNet(1, len(CLASSES) + 1, setting.features, halved=True)
    optimizer = torch.optim.AdamW(network.parameters(), setting.rate)
    plan = torch.optim.lr_scheduler.PolynomialLR(optimizer, setting.steps, 0.9)
    image, label = pair
    case = {"image": image, "label": label, "spacing": (setting.spacing,) * 3}
    stream = volaug.Stream(
        [case],
        ARMS[run.arm](),
        patch_shape=image.shape,
        batch_size=1,
        seed=run.seed,
        threads=1,
        foreground=0.0,
    )
    losses = []
    with stream:
        for batch, _ in zip(stream, range(setting.steps), strict=False):
            given = torch.from_numpy(normalized(batch["image"][0, 0]))[None, None]
            wanted = torch.from_numpy(batch["label"][:, 0]).long()
            optimizer.zero_grad(set_to_none=True)
            loss = dice_and_cross_entropy(network(given), wanted)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
            optimizer.step()
            plan.step()
            losses.append(loss.item())
    return network, float(np.mean(losses[-max(1, setting.steps // 10) :]))


def predicted(network: UNet, image: npt.NDArray[np.float32]) -> Label:
    """Return the class of each voxel."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(normalized(image))[None, None])
    classes: Label = logits[0].argmax(0).numpy().astype(np.uint8)
    return classes


def dice_of(found: Label, wanted: Label) -> list[float]:
    """Return the Dice coefficient of each class."""
    scores = []
    for number in range(1, len(CLASSES) + 1):
        a, b = found == number, wanted == number
        scores.append(2 * float((a & b).sum()) / max(1, int(a.sum() + b.sum())))
    return scores
