"""Changes within a mask: where a target is over 0, or where the image is over a threshold."""

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import checks
from ..serialization import check_names, shown
from .base import ValueStep
from .channels import Mask
from .operation import ChannelId, Kinds, Operation, ValueOperation, Volumes, Voxels
from .per_channel import IntensityOperation
from .ranges import as_number

MAX_INTENSITY = 1e12

MaskSource = str | float | None  # name of a target, threshold, or no mask


def as_mask_source(value: Any) -> MaskSource:
    """Return the name of a target, or a threshold; None for no mask."""
    if value is None or isinstance(value, str):
        return value
    try:
        return as_number("mask", value, -MAX_INTENSITY, MAX_INTENSITY)
    except TypeError:
        raise TypeError(
            f"mask must be the name of a target or a threshold, got {shown(value)}"
        ) from None


def check_mask(step: str, mask: MaskSource, volumes: Mapping[str, Any]) -> None:
    """Check that the target that is a mask is among the volumes, with one channel."""
    if not isinstance(mask, str):
        return
    check_names(f"target that is the mask of {step}", [mask], volumes)
    volume = volumes[mask]
    if volume.ndim == 4 and len(volume) > 1:
        raise ValueError(f"the mask of {step}, {mask!r}, must have one channel, got {len(volume)}")


def masked_channels(
    operation: ValueOperation, mask: MaskSource, volumes: Mapping[str, Any], kinds: Kinds
) -> Iterator[tuple[ChannelId, Voxels, Mask]]:
    """Yield the channels that an operation changes, with the mask of each; None for all voxels."""
    chosen = list(operation.chosen_channels(volumes, kinds))
    of_target: Mask = None
    if chosen and isinstance(mask, str):
        volume = checks.memory_of(volumes[mask])
        of_target = (volume if volume.ndim == 3 else volume[0]) > 0
    for channel, voxels in chosen:
        yield channel, voxels, voxels > mask if isinstance(mask, float) else of_target


@dataclass(frozen=True, repr=False)
class MaskedStep(ValueStep):
    """A step that can be limited to the voxels of a mask.

    Attributes
    ----------
    mask : str, float or None
        Name of the target that is over 0 inside the mask, or the number that the image is over.
    """

    mask: MaskSource = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", as_mask_source(self.mask))
        super().__post_init__()

    def limited(self, operation: Operation, kinds: Mapping[str, str]) -> Operation:
        limited = super().limited(operation, kinds)
        return limited if self.mask is None else replace(limited, mask=self.mask)  # type: ignore[call-arg]


@dataclass(frozen=True, repr=False)
class MaskedOperation(IntensityOperation):
    """An operation that takes its statistics from the voxels of a mask, and changes no others.

    If no voxel is in the mask, nothing changes.

    Attributes
    ----------
    mask : str, float or None
        Name of the target that is over 0 inside the mask, or the number that the image is over;
        None for all voxels.
    """

    mask: MaskSource = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mask is not None:
            object.__setattr__(self, "mask", as_mask_source(self.mask))

    @property
    def needs_memory(self) -> bool:
        return self.mask is not None

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        super().check(volumes, kinds)
        if self.mask is not None and self.chosen(volumes, kinds):
            check_mask(type(self).__name__, self.mask, volumes)

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        if self.mask is None:
            super().apply(volumes, kinds, threads)
            return
        for channel, voxels, mask in masked_channels(self, self.mask, volumes, kinds):
            if voxels.dtype != np.bool:
                self.change_inside(voxels, channel, threads, mask)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        self.change_inside(voxels, channel, threads, None)

    @abc.abstractmethod
    def change_inside(self, voxels: Voxels, channel: ChannelId, threads: int, mask: Mask) -> None:
        """Change the voxels of a mask in one channel (n0, n1, n2), in place."""
