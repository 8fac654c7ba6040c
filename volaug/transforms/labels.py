"""Steps for labels, and for images by them, that are done when nothing moves any more."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..keys import Numbers
from ..operations.base import ValueOperation
from ..operations.labels import Mask, Pyramid, Relabel
from ..warping.fusion import Grid
from .transform import ValueStep


@dataclass(frozen=True, repr=False)
class LabelStep(ValueStep):
    """A step with nothing to draw but whether it happens."""

    operation: ValueOperation = field(init=False, compare=False)

    def draw(self, grid: Grid, numbers: Numbers) -> ValueOperation:
        return self.operation


@dataclass(frozen=True, repr=False)
class MaskImage(LabelStep):
    """Give voxels of images a value wherever a label is negative.

    nnU-Net marks so what lies outside of the voxels that an image was normalised by.

    Parameters
    ----------
    label : str
        The target, of which the first channel counts.
    value : float
        What the voxels become; the images' dtypes must be able to hold it.
    channels : tuple of ints, optional
        Of the images; all by default.
    p, name
        See `Transform`.
    """

    label: str = "label"
    value: float = 0.0
    channels: Sequence[int] | None = None

    def check(self) -> None:
        self._derive(operation=Mask(self.label, self.value, self.channels))


@dataclass(frozen=True, repr=False)
class ReplaceLabel(LabelStep):
    """Give the voxels of one label another: -1, what nnU-Net calls outside, the background's.

    Parameters
    ----------
    old, new : int
        Where a label's dtype cannot hold `old`, nothing is to be done.
    p, name
        See `Transform`.
    """

    old: int
    new: int

    def check(self) -> None:
        self._derive(operation=Relabel(self.old, self.new))


@dataclass(frozen=True, repr=False)
class LabelPyramid(LabelStep):
    """Make of each label a list of labels in several resolutions, for deep supervision.

    It must be the last step. A voxel of a lower resolution is the nearest one of the full, by the
    centres of the voxels, as in nnU-Net; of two that are as near, the one behind.

    Parameters
    ----------
    scales : list of numbers, or of three for each axis
        Each a share of the voxels, 0 to 1: ``[1, 0.5, 0.25]``. With 1 it is the label itself.
    p, name
        See `Transform`.
    """

    scales: Sequence[float | Sequence[float]]

    def check(self) -> None:
        self._derive(operation=Pyramid(self.scales))
