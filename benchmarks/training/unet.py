"""A plain 3D U-Net, for measurements that need some network."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


class UNet(nn.Module):  # type: ignore[misc, unused-ignore]
    """Two convolutions per level, of which the lower ones have half the resolution.

    Parameters
    ----------
    channels, classes : int
        Channels of the image, and of the logits.
    features : sequence of ints
        Channels of each level, from the finest on.
    deep_supervision : bool, default False
        Whether to return logits of each level but the coarsest, from the finest on.
    halved : bool, default False
        Whether the first level has half of the image's resolution, which costs an eighth.

    References
    ----------
    O. Cicek et al., "3D U-Net: learning dense volumetric segmentation from sparse annotation",
    MICCAI 2016.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        features: Sequence[int],
        deep_supervision: bool = False,
        halved: bool = False,
    ) -> None:
        super().__init__()
        self.deep_supervision = deep_supervision
        inputs = [channels, *features[:-1]]
        strides = [1 + halved] + [2] * (len(features) - 1)
        self.down = nn.ModuleList(map(_level, inputs, features, strides))
        pairs = list(itertools.pairwise(features))
        self.enlarge = nn.ModuleList(nn.ConvTranspose3d(low, high, 2, 2) for high, low in pairs)
        self.up = nn.ModuleList(_level(2 * high, high, 1) for high, _ in pairs)
        width = 1 + halved
        self.heads = nn.ModuleList(
            nn.ConvTranspose3d(high, classes, width, width) for high, _ in pairs
        )

    def forward(self, image: Any) -> Any:
        """Return the logits of an image (B, C, n0, n1, n2)."""
        found = []
        for level in self.down:
            image = level(image)
            found.append(image)
        image = found.pop()
        logits: list[Any] = []
        for place in reversed(range(len(found))):
            image = torch.cat([self.enlarge[place](image), found[place]], dim=1)
            image = self.up[place](image)
            if self.deep_supervision or place == 0:
                logits.insert(0, self.heads[place](image))
        return logits if self.deep_supervision else logits[0]


def _level(inputs: int, outputs: int, stride: int) -> nn.Module:
    steps: list[nn.Module] = []
    for channels, step in ((inputs, stride), (outputs, 1)):
        steps += [
            nn.Conv3d(channels, outputs, 3, stride=step, padding=1),
            nn.InstanceNorm3d(outputs, affine=True),
            nn.LeakyReLU(inplace=True),
        ]
    return nn.Sequential(*steps)


def dice_and_cross_entropy(logits: Any, target: Any) -> Any:
    """Return the loss of logits (B, K, n0, n1, n2) and labels (B, n0, n1, n2).

    The mean of the cross-entropy, plus 1 minus the soft Dice of all classes but the background.
    """
    probabilities = logits.softmax(1)
    wanted = nn.functional.one_hot(target, logits.shape[1]).movedim(-1, 1).to(probabilities.dtype)
    axes = (0, 2, 3, 4)
    common = (probabilities * wanted).sum(axes)[1:]
    total = (probabilities.sum(axes) + wanted.sum(axes))[1:]
    dice = (2 * common + 1) / (total + 1)
    return nn.functional.cross_entropy(logits, target) + 1 - dice.mean()
