"""Trainers that augment with volaug: nnU-Net finds them by ``nnUNet_extTrainer``."""

from functools import partial

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from volaug import presets
from volaug.integrations.nnunet import training_transforms


class nnUNetTrainerVolaug(nnUNetTrainer):  # type: ignore[misc]
    """nnU-Net's default augmentation, by `presets.nnunet`.

    Examples
    --------
    In a shell::

        export nnUNet_extTrainer=$(python -m volaug.integrations.nnunet)
        nnUNetv2_train 1 3d_fullres 0 -tr nnUNetTrainerVolaug
    """

    get_training_transforms = staticmethod(training_transforms)


class nnUNetTrainerVolaugElastic(nnUNetTrainer):  # type: ignore[misc]
    """With shear and elastic deformation, by `presets.nnunet_elastic`."""

    get_training_transforms = staticmethod(
        partial(training_transforms, preset=presets.nnunet_elastic)
    )
