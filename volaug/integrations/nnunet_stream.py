"""nnU-Net's training and validation batches from streams, in the process of the training."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import presets
from ..compilation.warmup import warmup
from ..data.files.opening import open_volume
from ..data.stream import Stream
from ..pipeline.compose import Compose
from ..threads.limits import as_thread_count, get_num_threads
from ..transforms.registry import LabelPyramid, RemapLabels
from .nnunet import LabelScales, pipeline_of, scales_in_slices
from .torch_stream import DeviceStream

# nnU-Net leaves draws to chance. Here they have a seed, so that a training that continues draws
# what it would have drawn.
SEED = 2718281828

# nnU-Net's variable for the number of its worker processes.
PROCESSES = "nnUNet_n_proc_DA"

# Suffixes of the files of a case: what nnU-Net 2.6 and newer writes, and what older ones unpack.
SUFFIXES = (".b2nd", ".npy")


class NnunetBatches:
    """Batches as nnU-Net's trainer asks for them, endlessly: "data", "target" and "keys".

    Parameters
    ----------
    batches : DeviceStream
        Batches of "image" and "label".
    identifiers : list of str
        Names of the cases of the stream.
    in_slices : bool
        Whether to leave out the first axis of space, of a 2d configuration.
    regions : sequence of int or tuples of ints, optional
        Labels of each region: targets are whether a voxel is in it, (B, regions, ...).
    """

    def __init__(
        self,
        batches: DeviceStream,
        identifiers: list[str],
        in_slices: bool,
        regions: Any = None,
    ) -> None:
        self._batches, self._identifiers, self._in_slices = batches, identifiers, in_slices
        self._regions = None if regions is None else [np.atleast_1d(each) for each in regions]

    def __iter__(self) -> "NnunetBatches":
        return self

    def __next__(self) -> dict[str, Any]:
        batch = next(self._batches)
        label = batch["label"]
        target = (
            [self._target(t) for t in label] if isinstance(label, list) else self._target(label)
        )
        keys = [self._identifiers[record.key.index] for record in batch["record"]]
        return {"data": self._plane(batch["image"]), "target": target, "keys": keys}

    def close(self) -> None:
        """End the stream and its threads."""
        self._batches.close()

    def _plane(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor[:, :, 0] if self._in_slices else tensor

    def _target(self, label: torch.Tensor) -> torch.Tensor:
        label = self._plane(label)
        if self._regions is None:
            return label
        values = [torch.as_tensor(each, dtype=label.dtype) for each in self._regions]
        return torch.cat([torch.isin(label, each.to(label.device)) for each in values], dim=1)


def stream_loaders(
    trainer: Any, preset: Callable[..., Compose] = presets.nnunet
) -> tuple[NnunetBatches, NnunetBatches]:
    """Return the batches of a trainer for training and for validation.

    It can replace ``nnUNetTrainer.get_dataloaders`` where `reason_against` has none.

    Parameters
    ----------
    trainer : nnUNetTrainer
        Says patches, labels, cases, batch size, device, and the epoch at which to begin.
    preset : presets.nnunet or presets.nnunet_elastic
        Function that makes the pipeline for training.

    Returns
    -------
    NnunetBatches, NnunetBatches
        Of the training and of the validation cases.
    """
    # compiled now, and not when a step is drawn for the first time
    warmup(["float32", "int16"])
    patch = tuple(trainer.configuration_manager.patch_size)
    in_slices = len(patch) == 2
    scales = trainer._get_deep_supervision_scales() or ()
    rotation, dummy_2d, _, mirror_axes = (
        trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    )
    masked = trainer.configuration_manager.use_mask_for_norm
    labels = trainer.label_manager
    training = pipeline_of(preset, patch, rotation, scales, mirror_axes, dummy_2d, masked)
    begun = trainer.current_epoch
    loaders = []
    for dataset, pipeline, per_epoch in zip(
        trainer.get_tr_and_val_datasets(),
        (training, validation_pipeline(patch, scales)),
        (trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch),
        strict=True,
    ):
        threads = threads_of_trainer()
        stream = Stream(
            [case_of(dataset, identifier) for identifier in dataset.identifiers],
            pipeline,
            patch_shape=(1, *patch) if in_slices else patch,
            batch_size=trainer.batch_size,
            # ranks may have batches of different sizes, so that they do not take turns
            seed=SEED + trainer.local_rank,
            shard=(0, 1),
            threads=threads,
            prefetch=2 + threads // trainer.batch_size,
            foreground=trainer.oversample_foreground_percent,
            first_batch=begun * per_epoch,
            dtype="float32",
        )
        # nnU-Net moves what is not there yet, such as to "mps"
        device = trainer.device if trainer.device.type == "cuda" else "cpu"
        regions = labels.foreground_regions if labels.has_regions else None
        batches = DeviceStream(stream, device)
        loaders.append(NnunetBatches(batches, list(dataset.identifiers), in_slices, regions))
    training_loader, validation_loader = loaders
    return training_loader, validation_loader


def reason_against(trainer: Any) -> str | None:
    """Say why a trainer cannot have streams, if it cannot."""
    if trainer.is_cascaded:
        return "a cascade has labels of an earlier stage"
    if trainer.label_manager.has_ignore_label:
        return "with an ignore label, all patches are drawn around annotated voxels"
    if trainer.probabilistic_oversampling:
        return "probabilistic oversampling draws how many patches have foreground"
    return None


def validation_pipeline(patch_size: tuple[int, ...], scales: LabelScales) -> Compose:
    """Return nnU-Net's validation transforms: -1 becomes 0, and labels for deep supervision."""
    steps: list[Any] = [RemapLabels(presets.OUTSIDE, new=0)]
    if scales:
        steps.append(LabelPyramid(scales_in_slices(scales, len(patch_size) == 2)))
    return Compose(steps)


def threads_of_trainer() -> int:
    """Return the number of threads: nnU-Net's number of processes, or `get_num_threads()`."""
    wanted = os.environ.get(PROCESSES, "").strip()
    return get_num_threads() if wanted in ("", "0") else as_thread_count(wanted, PROCESSES)


def case_of(dataset: Any, identifier: str) -> Any:
    """Return a preprocessed case for a `Stream`: its files if they are there, or how to load it."""
    folder = Path(getattr(dataset, "source_folder", ""))
    for suffix in SUFFIXES:
        image, label = folder / f"{identifier}{suffix}", folder / f"{identifier}_seg{suffix}"
        if image.is_file() and label.is_file():
            found = partial(class_locations, dataset, identifier)
            return {"image": image, "label": LabelFile(label), "foreground": found}
    return partial(loaded_case, dataset, identifier)


def loaded_case(dataset: Any, identifier: str) -> Mapping[str, Any]:
    """Return a case as nnU-Net loads it, which it does for each sample, such as from .npz files."""
    image, label, _, properties = dataset.load_case(identifier)
    label = np.asarray(label[...]).astype(np.int16, copy=False)
    return {"image": image, "label": label, "foreground": as_foreground(properties)}


def class_locations(dataset: Any, identifier: str) -> dict[Any, Any]:
    """Return the voxels of each class, which nnU-Net has drawn when it preprocessed a case."""
    return as_foreground(dataset.load_case(identifier)[3])


def as_foreground(properties: Mapping[str, Any]) -> dict[Any, Any]:
    """Return voxels (N, 3) by class or region, without nnU-Net's axis of channels."""
    return {
        name: np.asarray(voxels).reshape(-1, 4)[:, 1:]
        for name, voxels in properties["class_locations"].items()
    }


class LabelFile:
    """The labels of a file as int16; nnU-Net writes int8 where that is enough.

    Parameters
    ----------
    path : Path
        Opened when its shape is asked for.
    """

    dtype = np.dtype(np.int16)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._volume: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all axes."""
        if self._volume is None:
            self._volume = open_volume(self._path)
        shape: tuple[int, ...] = self._volume.shape
        return shape

    def __getitem__(self, window: Any) -> Any:
        assert self.shape
        return np.asarray(self._volume[window]).astype(np.int16)
