"""Remap labels: one label becomes another."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..kernels.jit.dtypes import as_type
from ..kernels.values.relabel import replace_bits
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.in_place import in_memory_order
from .base import Kinds, LabelStep, ValueOperation, Volumes, labels_of
from .channels import BLOCK

Labels = npt.NDArray[Any]

MAX_LABEL = 2**63


@dataclass(frozen=True, repr=False)
class RemapLabels(LabelStep):
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

    old: int
    _: KW_ONLY
    new: int

    def check(self) -> None:
        self._derive(operation=Remapping(self.old, self.new))


@dataclass(frozen=True)
class Remapping(ValueOperation):
    """Replace one label by another."""

    old: int
    new: int

    def __post_init__(self) -> None:
        for name in ("old", "new"):
            limits = -MAX_LABEL, 2 * MAX_LABEL - 1
            label = checks.as_whole(name, getattr(self, name), *limits)
            object.__setattr__(self, name, label)

    @classmethod
    def examples(cls) -> tuple["Remapping", ...]:
        return (cls(1, 1),)

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        for name, label in labels_of(volumes, kinds).items():
            old, new = (label_bits(value, label.dtype) for value in (self.old, self.new))
            if old is not None and new is None:
                raise ValueError(f"{name!r} of {label.dtype} cannot hold the label {self.new}")

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        for label in labels_of(volumes, kinds).values():
            for channel in label:
                replace(channel, self.old, self.new, threads)


def replace(labels: Labels, old: int, new: int, threads: int) -> None:
    """Replace the label `old` by `new`, which the dtype must be able to hold.

    Parameters
    ----------
    labels : (n0, n1, n2) array
        Of any dtype and strides. If its dtype cannot hold `old`, nothing is done.
    old, new : int
        The labels.
    threads : int
        Maximum number of threads.
    """
    bits = label_bits(old, labels.dtype), label_bits(new, labels.dtype)
    if bits[0] is None:
        return
    if old == 0 and labels.dtype.kind == "f":  # which has two zeros
        np.copyto(labels, new, where=labels == 0)
        return
    with in_memory_order(labels) as voxels:
        unsigned = np.dtype(f"u{voxels.itemsize}")
        kind, (before, after) = as_type(unsigned), map(unsigned.type, bits)
        memory = voxels.__array_interface__["data"][0], voxels.size

        def work(first: int, stop: int) -> None:
            last = min(stop * BLOCK, memory[1])
            replace_bits(kind, memory, before, after, first * BLOCK, last)

        blocks = -(-voxels.size // BLOCK)
        run_parts(work, blocks, threads_worth(voxels.size, threads), [voxels])


def label_bits(label: int, dtype: np.dtype[Any]) -> int | None:
    """The bits of a label in a dtype; None if it cannot hold it."""
    if dtype.kind in "biu":
        limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not limits[0] <= label <= limits[1]:
            return None
    with np.errstate(over="ignore"):
        value = np.array(label).astype(dtype)
    return int(value.view(f"u{dtype.itemsize}")) if value.item() == label else None
