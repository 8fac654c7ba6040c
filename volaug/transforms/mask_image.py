"""Mask image: set voxels of an image where a label is negative."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from .. import checks
from ..serialization import check_names
from .base import FixedStep
from .operation import Kinds, ValueOperation, Volumes, of_kind
from .ranges import MAX_LENGTH, as_number


@dataclass(frozen=True, repr=False)
class MaskImage(FixedStep):
    """Set voxels of images to a value wherever a label is negative.

    nnU-Net uses -1 for voxels outside of the mask that it normalized with.

    Parameters
    ----------
    label : str, default "label"
        Name of the target whose first channel is the mask.
    value : float, default 0.0
        Value to set; the dtypes of the images must be able to hold it.
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all images.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If a number is outside its range. When applied: if there is no such label, an image has too
        few channels, or its dtype cannot hold `value`.

    See Also
    --------
    RemapLabels : Replace one label by another.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.MaskImage()], seed=7)
    >>> image, label = np.ones((3, 1, 1)), np.array([-1, 0, 1]).reshape(3, 1, 1)
    >>> pipeline(image=image, label=label, index=0)["image"].ravel()
    array([0., 1., 1.])
    """

    label: str = "label"
    _: KW_ONLY
    value: float = 0.0

    def check(self) -> None:
        self._derive(operation=Mask(self.label, self.value))


@dataclass(frozen=True, repr=False)
class Mask(ValueOperation):
    """Set voxels of images to a value wherever the first channel of a label is negative."""

    label: str = "label"
    value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.label, str):
            raise TypeError(f"label must be the name of a target, got {self.label!r}")
        object.__setattr__(self, "value", as_number("value", self.value, -MAX_LENGTH, MAX_LENGTH))

    @property
    def needs_memory(self) -> bool:
        return True

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        super().check(volumes, kinds)
        images = self.chosen(volumes, kinds)
        if images:
            check_names(
                "label that masks the image", [self.label], dict(of_kind("label", volumes, kinds))
            )
        for _, image in images:
            checks.as_fills(self.value, image, "value")

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        if not self.chosen(volumes, kinds):
            return
        outside = dict(of_kind("label", volumes, kinds))[self.label][0] < 0
        for _, voxels in self.chosen_channels(volumes, kinds):
            np.copyto(voxels, self.value, where=outside, casting="unsafe")
