"""nnU-Net's 3D network and a step of its training, or a plain U-Net's."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..rivals.contender import is_installed
from .task import CLASSES, Batch, Task
from .unet import UNet, dice_and_cross_entropy

# Features of the levels: nnU-Net's, and few on a CPU.
FEATURES = {"cuda": (32, 64, 128, 256, 320, 320), "cpu": (4, 8, 16, 32, 40, 40)}
MAX_NORM = 12.0


class Trainer:
    """A network on a device, which is trained batch by batch.

    Attributes
    ----------
    title : str
        What the network is.
    """

    def __init__(self, task: Task) -> None:
        torch.manual_seed(0)
        self.device = task.device
        self._is_cuda = task.device.type == "cuda"
        features = FEATURES[task.device.type][: task.levels]
        network, self.title = made_network(features)
        network = network.to(task.device)
        self._optimizer = torch.optim.SGD(
            network.parameters(), 1e-2, weight_decay=3e-5, momentum=0.99, nesterov=True
        )
        self._parameters = list(network.parameters())
        self._scaler: Any = torch.amp.GradScaler("cuda") if self._is_cuda else None
        if self._is_cuda:
            torch.backends.cudnn.benchmark = True
        # as nnU-Net compiles it on a card
        self._network: Any = torch.compile(network) if self._is_cuda else network
        weights = [1 / 2**level for level in range(len(task.scales))]
        self._weights = [weight / sum(weights) for weight in weights]

    def moved(self, batch: Batch) -> Batch:
        """Return a batch on the device; tensors that are there are not copied."""
        move = {"device": self.device, "non_blocking": True}
        labels = [label.to(**move) for label in batch["label"]]
        return {"image": batch["image"].to(**move), "label": labels}

    def step(self, batch: Batch) -> float:
        """Train with one batch, and return the loss, which waits for the device."""
        batch = self.moved(batch)
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, enabled=self._is_cuda):
            logits = self._network(batch["image"])
            loss = self._loss(logits, batch["label"])
        if self._scaler is None:
            loss.backward()
            nn.utils.clip_grad_norm_(self._parameters, MAX_NORM)
            self._optimizer.step()
        else:
            self._scaler.scale(loss).backward()
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._parameters, MAX_NORM)
            self._scaler.step(self._optimizer)
            self._scaler.update()
        return float(loss.detach())

    def _loss(self, logits: Sequence[Any], labels: Sequence[Any]) -> Any:
        losses = [
            weight * dice_and_cross_entropy(found.float(), label[:, 0].long())
            for weight, found, label in zip(self._weights, logits, labels, strict=True)
        ]
        return sum(losses)


def made_network(features: Sequence[int]) -> tuple[nn.Module, str]:
    """Return a network with the given features at each level, and its name."""
    if not is_installed("dynamic_network_architectures"):
        return UNet(1, CLASSES, features, deep_supervision=True), "a plain 3D U-Net"
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    count = len(features)
    network = PlainConvUNet(
        1,
        count,
        features,
        nn.Conv3d,
        kernel_sizes=3,
        strides=[1] + [2] * (count - 1),
        n_conv_per_stage=2,
        num_classes=CLASSES,
        n_conv_per_stage_decoder=2,
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=True,
    )
    return network, "nnU-Net's PlainConvUNet"
