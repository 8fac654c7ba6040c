"""nnU-Net: its trainer, with batches from streams. No worker process, and the GPU does not wait.

With a dataset of yours, three lines of a shell are all:

    export nnUNet_extTrainer=$(python -m volaug.integrations.nnunet)
    nnUNetv2_plan_and_preprocess -d 1
    nnUNetv2_train 1 3d_fullres 0 -tr nnUNetTrainerVolaugStream

This script writes a small dataset in nnU-Net's format and trains on it:

    python examples/with_nnunet.py --steps 4
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from heads import head

PATCH, CASES, NAME = [32, 32, 32], 6, "Dataset001_Heads"


def plans() -> dict:
    """Return plans of a small network, as nnU-Net's planning writes them."""
    norms = {"eps": 1e-5, "affine": True}
    network = {
        "n_stages": 3, "features_per_stage": [8, 16, 32], "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3] * 3] * 3, "strides": [[1] * 3, [2] * 3, [2] * 3],
        "n_conv_per_stage": [1] * 3, "n_conv_per_stage_decoder": [1] * 2, "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", "norm_op_kwargs": norms,
        "dropout_op": None, "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }  # fmt: skip
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": network,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres", "batch_size": 2, "patch_size": PATCH,
        "use_mask_for_norm": [False], "normalization_schemes": ["ZScoreNormalization"],
        "spacing": [1.0] * 3, "batch_dice": False, "architecture": architecture,
        "preprocessor_name": "DefaultPreprocessor", "median_image_size_in_voxels": [48.0] * 3,
    }  # fmt: skip
    return {
        "dataset_name": NAME, "plans_name": "nnUNetPlans", "continue_training": False,
        "label_manager": "LabelManager", "configurations": {"3d_fullres": configuration},
    }  # fmt: skip


def write_dataset(root: Path) -> dict:
    """Write the cases as nnU-Net's preprocessing does; return what its dataset.json says."""
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    folder = root / NAME / "nnUNetPlans_3d_fullres"
    folder.mkdir(parents=True)
    for number in range(CASES):
        case = head(number)
        label = case["label"][np.newaxis]
        places = {value: np.argwhere(label == value) for value in (1, 2, 3)}
        name, blocks = str(folder / f"head_{number}"), (1, 16, 16, 16)
        nnUNetDatasetBlosc2.save_case(
            case["image"], label.astype(np.int8), {"class_locations": places}, name, blocks, blocks
        )
    labels = {"background": 0, "head": 1, "left": 2, "right": 3}
    dataset = {"channel_names": {"0": "T1"}, "labels": labels, "file_ending": ".nii.gz"}
    (root / NAME / "dataset.json").write_text(json.dumps(dataset))
    (root / NAME / "dataset_fingerprint.json").write_text("{}")
    return dataset


def main() -> None:
    """Train in a folder that is deleted afterwards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            os.environ[name] = str(Path(root) / name)  # nnU-Net reads them when it is imported
        train(Path(root), given.steps)


def train(root: Path, steps: int) -> None:
    """Write the dataset, and train for some steps."""
    import torch

    from volaug.integrations.nnunet_trainer.nnUNetTrainerVolaugStream import (
        nnUNetTrainerVolaugStream,
    )

    dataset = write_dataset(root / "nnUNet_preprocessed")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = nnUNetTrainerVolaugStream(plans(), "3d_fullres", 0, dataset, device)
    trainer.num_epochs, trainer.num_iterations_per_epoch = 1, steps
    trainer.num_val_iterations_per_epoch = 2
    trainer.run_training()
    print("training loss", trainer.logger.get_value("train_losses", step=-1))


if __name__ == "__main__":
    main()
