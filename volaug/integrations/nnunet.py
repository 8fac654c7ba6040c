"""Pipelines as transforms of batchgeneratorsv2, and nnU-Net's training transforms with them.

``python -m volaug.integrations.nnunet`` prints the folder of the trainers for nnU-Net's
``nnUNet_extTrainer``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import (
    DownsampleSegForDSTransform,
)
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform

from .. import presets
from ..compilation.warmup import warmup
from ..pipeline.compose import Compose

TRAINERS = Path(__file__).with_name("nnunet_trainer")

# Scales of deep supervision: a number or one of each axis, of each level.
LabelScales = Sequence[Any]

# What batchgeneratorsv2 moves and this does not.
FOREIGN = ("regression_target", "keypoints", "bbox")


class NnunetTransform(BasicTransform):  # type: ignore[misc]
    """Draw from a pipeline, and apply the draw to a sample's "image" and "segmentation".

    Parameters
    ----------
    pipeline : Compose
        Pipeline for the targets "image" and "label". Tensors (C, X, Y), of a 2d configuration, are
        one slice to it, (C, 1, X, Y).

    Notes
    -----
    Draws depend on NumPy's global generator, and on the pipeline's seed if it has one: nnU-Net
    seeds NumPy's in each of its workers, while all inherit the same state of torch's.

    Examples
    --------
    >>> transform = NnunetTransform(volaug.Compose([volaug.CenterCrop(8)]))
    >>> transform(image=torch.zeros(1, 9, 9, 9))["image"].shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(self, pipeline: Compose) -> None:
        super().__init__()
        # a seed from the operating system would be another one in the next run
        self.pipeline = replace(pipeline, seed=0) if pipeline.seed is None else pipeline

    def get_parameters(self, **data_dict: Any) -> dict[str, Any]:
        """Draw a record for a sample.

        Returns
        -------
        dict
            The record, for `apply`.
        """
        channels, n0, n1, n2 = _in_slices(data_dict["image"]).shape
        index = np.random.randint(2**53)  # noqa: NPY002 - the one that nnU-Net seeds
        return {"record": self.pipeline.draw((n0, n1, n2), channels=channels, index=index)}

    def apply(self, data_dict: dict[str, Any], **params: Any) -> dict[str, Any]:
        """Replace the tensors by the results; after a `LabelPyramid`, labels are a list.

        Returns
        -------
        dict
            The sample.

        Raises
        ------
        ValueError
            If the sample has a regression target, keypoints or boxes, which volaug does not move
            here.
        """
        for name in FOREIGN:
            if data_dict.get(name) is not None:
                raise ValueError(f"volaug moves the image and the segmentation, got a {name}")
        names = {"image": "image", "label": "segmentation"}
        given = {o: _in_slices(data_dict[n]) for o, n in names.items() if n in data_dict}
        flat = data_dict["image"].ndim == 3
        for ours, result in params["record"].apply(**given).items():
            data_dict[names[ours]] = _as_tensors(result, flat)
        return data_dict


def training_transforms(
    patch_size: Sequence[int],
    rotation_for_DA: tuple[float, float],
    deep_supervision_scales: Sequence[Any] | None,
    mirror_axes: Sequence[int] | None,
    do_dummy_2d_data_aug: bool,
    use_mask_for_norm: Sequence[bool] | None = None,
    is_cascaded: bool = False,
    foreground_labels: Sequence[int] | None = None,
    regions: Sequence[Any] | None = None,
    ignore_label: int | None = None,
    *,
    preset: Callable[..., Compose] = presets.nnunet,
) -> BasicTransform:
    """Return nnU-Net's training transforms, with a preset for all that it covers.

    It can replace ``nnUNetTrainer.get_training_transforms``.

    Parameters
    ----------
    patch_size, rotation_for_DA, deep_supervision_scales, mirror_axes : sequence
        As in ``nnUNetTrainer.get_training_transforms``.
    do_dummy_2d_data_aug, use_mask_for_norm, is_cascaded, foreground_labels : optional
        As in ``nnUNetTrainer.get_training_transforms``.
    regions, ignore_label : optional
        As in ``nnUNetTrainer.get_training_transforms``.
    preset : presets.nnunet or presets.nnunet_elastic
        Function that makes the pipeline.

    Returns
    -------
    BasicTransform
        A `NnunetTransform`, and nnU-Net's own steps for what is left: cascades, regions, and then
        deep supervision.

    Examples
    --------
    >>> transforms = training_transforms((32, 32, 32), (-0.5, 0.5), None, (0, 1, 2), False)
    >>> zeros = torch.zeros(1, 40, 40, 40)
    >>> transforms(image=zeros, segmentation=zeros.short())["segmentation"].shape
    torch.Size([1, 32, 32, 32])
    """
    # nnU-Net forks its workers after this. A forked child that loads compiled code can deadlock on
    # a lock held by another thread at the time of the fork: so all kernels are loaded here.
    warmup(["float32", "int16"])
    # here, so that NnunetTransform needs batchgeneratorsv2 alone
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    stock = nnUNetTrainer.get_training_transforms(
        patch_size, rotation_for_DA, deep_supervision_scales, mirror_axes, do_dummy_2d_data_aug,
        use_mask_for_norm, is_cascaded, foreground_labels, regions, ignore_label,
    ).transforms  # fmt: skip
    (last,) = [n for n, step in enumerate(stock) if isinstance(step, RemoveLabelTansform)]
    left = stock[last + 1 :]
    scales, axes = deep_supervision_scales or (), mirror_axes or ()
    if all(isinstance(step, DownsampleSegForDSTransform) for step in left):
        left = []
    else:
        scales = ()
    pipeline = pipeline_of(
        preset, patch_size, rotation_for_DA, scales, axes, do_dummy_2d_data_aug, use_mask_for_norm
    )
    return ComposeTransforms([NnunetTransform(pipeline), *left])


def pipeline_of(
    preset: Callable[..., Compose],
    patch_size: Sequence[int],
    rotation: tuple[float, float],
    scales: LabelScales,
    mirror_axes: Sequence[int] | None,
    dummy_2d: bool,
    use_mask_for_norm: Sequence[bool] | None,
) -> Compose:
    """Return the pipeline of a preset for what nnU-Net says, which may be of slices."""
    in_slices, axes = len(patch_size) == 2, mirror_axes or ()
    if in_slices:
        patch_size = (1, *patch_size)
        axes = [axis + 1 for axis in axes]
    low, high = np.degrees(rotation)  # of coordinates: the image rotates the other way
    return preset(
        patch_size,
        dummy_2d=in_slices or bool(dummy_2d),
        slice_axis=0,
        rotation=(-high, -low),
        mirror_axes=axes,
        masked_channels=np.flatnonzero(use_mask_for_norm or ()),
        deep_supervision=scales_in_slices(scales, in_slices),
    )


def scales_in_slices(scales: LabelScales, in_slices: bool) -> LabelScales:
    """Return scales of three axes, also for those of slices."""
    if not in_slices:
        return scales
    return [(1.0, *(s if isinstance(s, list | tuple) else (s, s))) for s in scales]


def _in_slices(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.ndim == 4 else tensor[:, None]


def _as_tensors(result: Any, flat: bool) -> Any:
    if isinstance(result, list):
        return [_as_tensors(level, flat) for level in result]
    tensor = torch.from_numpy(result).contiguous()
    return tensor[:, 0] if flat else tensor


if __name__ == "__main__":
    print(TRAINERS)
