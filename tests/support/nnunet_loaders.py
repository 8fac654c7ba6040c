"""The loaders of nnU-Net's trainers, and of volaug's."""

from types import SimpleNamespace

import torch

from support.nnunet_cases import LABELS, PATCH, Cases


def loaded(
    kind, monkeypatch, patch=PATCH, labels=LABELS, cascaded=False, deep=True, processes=0, **more
):
    """The loaders of a trainer without a network: its own `get_dataloaders`."""
    monkeypatch.setenv("nnUNet_n_proc_DA", str(processes))
    trainer = object.__new__(kind)
    attributes = {
        "dataset_class": Cases,
        "configuration_manager": SimpleNamespace(
            patch_size=list(patch),
            use_mask_for_norm=[False, True],
            pool_op_kernel_sizes=[[1] * len(patch), [2] * len(patch), [2] * len(patch)],
        ),
        "enable_deep_supervision": deep,
        "label_manager": labels,
        "is_cascaded": cascaded,
        "batch_size": 2,
        "oversample_foreground_percent": 0.33,
        "probabilistic_oversampling": False,
        "device": torch.device("cpu"),
        "local_rank": 1,  # writes no log
        "current_epoch": 0,
        "num_iterations_per_epoch": 3,
        "num_val_iterations_per_epoch": 2,
        "get_tr_and_val_datasets": lambda: (Cases(cascaded), Cases(cascaded)),
    }
    trainer.__dict__.update(attributes | more)
    return trainer.get_dataloaders()


def kinds(batch):
    """Shapes and dtypes of all tensors."""
    targets = batch["target"] if isinstance(batch["target"], list) else [batch["target"]]
    return type(batch["target"]), [(t.shape, t.dtype) for t in (batch["data"], *targets)]
