"""Trainers whose batches are made by streams: nnU-Net finds them by ``nnUNet_extTrainer``."""

from functools import partial
from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from volaug import presets
from volaug.integrations.nnunet import training_transforms
from volaug.integrations.nnunet_stream import reason_against, stream_loaders


class nnUNetTrainerVolaugStream(nnUNetTrainer):  # type: ignore[misc]
    """Training and validation batches by a `Stream` each, in threads of the training's process.

    Where a stream cannot be, the log says so, and batches are those of ``nnUNetTrainerVolaug``.

    Examples
    --------
    In a shell::

        export nnUNet_extTrainer=$(python -m volaug.integrations.nnunet)
        nnUNetv2_train 1 3d_fullres 0 -tr nnUNetTrainerVolaugStream
    """

    get_training_transforms = staticmethod(training_transforms)
    preset = staticmethod(presets.nnunet)

    def get_dataloaders(self) -> Any:
        """Return the batches for training and for validation."""
        reason = reason_against(self)
        if reason is None:
            return stream_loaders(self, self.preset)
        self.print_to_log_file(f"volaug: no stream, but nnU-Net's loader, as {reason}")
        return super().get_dataloaders()

    def on_train_end(self) -> None:
        """Close the streams as well."""
        super().on_train_end()
        for loader in (self.dataloader_train, self.dataloader_val):
            if hasattr(loader, "close"):
                loader.close()


class nnUNetTrainerVolaugStreamElastic(nnUNetTrainerVolaugStream):
    """With shear and elastic deformation, by `presets.nnunet_elastic`."""

    get_training_transforms = staticmethod(
        partial(training_transforms, preset=presets.nnunet_elastic)
    )
    preset = staticmethod(presets.nnunet_elastic)
