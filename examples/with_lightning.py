"""Lightning: a DataModule whose batches are on the device already. Epochs advance by themselves.

python examples/with_lightning.py --steps 20
"""

import argparse
import os

import lightning
import torch
from heads import head, network
from torch.nn.functional import cross_entropy

from volaug import Stream, presets
from volaug.integrations.torch import DeviceStream


class Heads(lightning.LightningDataModule):
    """Augmented batches of some heads, for any number of ranks."""

    def __init__(self, batches_per_epoch: int) -> None:
        super().__init__()
        self.batches_per_epoch = batches_per_epoch

    def train_dataloader(self):
        """Return the batches: each epoch goes on where the last one ended."""
        cases = [head(number) for number in range(4)]
        stream = Stream(cases, presets.nnunet(32), patch_shape=32, batch_size=2, seed=7)
        device = self.trainer.strategy.root_device
        self.batches = DeviceStream(stream, device, batches_per_epoch=self.batches_per_epoch)
        return self.batches

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        """Leave the batch where it is; it holds records, too, which Lightning would look into."""
        return batch

    def teardown(self, stage):
        """End the stream."""
        self.batches.close()


class Segmentation(lightning.LightningModule):
    """A network and its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.model = network()

    def training_step(self, batch, number):
        """Return the loss of a batch."""
        loss = cross_entropy(self.model(batch["image"]), batch["label"][:, 0].long())
        first = batch["record"][0].key
        print(
            f"epoch {self.current_epoch}, batch {number}, key {first.epoch} {first.index}: {loss}"
        )
        return loss

    def configure_optimizers(self):
        """Return the optimizer."""
        return torch.optim.SGD(self.parameters(), 0.01, momentum=0.9)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--checkpoint", help="file to go on from and to write")
given = parser.parse_args()
trainer = lightning.Trainer(
    max_steps=given.steps, max_epochs=-1, logger=False, enable_checkpointing=False,
    enable_progress_bar=False, enable_model_summary=False,
)  # fmt: skip
begun = given.checkpoint if given.checkpoint and os.path.exists(given.checkpoint) else None
trainer.fit(Segmentation(), datamodule=Heads(batches_per_epoch=5), ckpt_path=begun)
if given.checkpoint:
    trainer.save_checkpoint(given.checkpoint)
