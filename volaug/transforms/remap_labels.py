"""Remap labels: one label becomes another."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from .base import FixedStep
from .label_values import as_label, label_bits, replace
from .operation import Kinds, ValueOperation, Volumes


@dataclass(frozen=True, repr=False)
class RemapLabels(FixedStep):
    """Replace one label by another: -1, nnU-Net's label outside of the case, by 0, for example.

    Parameters
    ----------
    old : int
        Label to replace, -2^63 to 2^64 - 1. Label maps whose dtype cannot hold it stay as they are.
    new : int
        Label to put in its place.
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all labels.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If a label is not an int, or `p` is not a number.
    ValueError
        If a label or `p` is outside its range. When applied: if the dtype of a label map can hold
        `old` but not `new`.

    See Also
    --------
    MaskImage : Set voxels of images where a label is negative.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RemapLabels(-1, new=0)], seed=7)
    >>> label = np.array([-1, 0, 1, 2]).reshape(4, 1, 1)
    >>> pipeline(label=label, index=0)["label"].ravel()
    array([0, 0, 1, 2])
    """

    target_kind: ClassVar[str | None] = "label"

    old: int
    _: KW_ONLY
    new: int

    def check(self) -> None:
        self._derive(operation=Remapping(self.old, self.new))


@dataclass(frozen=True, repr=False)
class Remapping(ValueOperation):
    """Replace one label by another."""

    target_kind: ClassVar[str] = "label"

    old: int
    new: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("old", "new"):
            object.__setattr__(self, name, as_label(name, getattr(self, name)))

    @classmethod
    def examples(cls) -> tuple["Remapping", ...]:
        return (cls(1, 1),)

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        super().check(volumes, kinds)
        for name, label in self.chosen(volumes, kinds):
            old, new = (label_bits(value, label.dtype) for value in (self.old, self.new))
            if old is not None and new is None:
                raise ValueError(f"{name!r} of {label.dtype} cannot hold the label {self.new}")

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        for _, voxels in self.chosen_channels(volumes, kinds):
            replace(voxels, self.old, self.new, threads)
