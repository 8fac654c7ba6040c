"""Label pyramid: a label in several resolutions, for deep supervision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..serialization import normalize
from ..warping.engine.in_place import slowest_first
from .base import Kinds, LabelStep, ValueOperation, Volumes
from .low_resolution import kept_voxels
from .ranges import as_triple

Labels = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class LabelPyramid(LabelStep):
    """Make of each label a list of labels in several resolutions, for deep supervision.

    It must be the last step. A voxel of a lower resolution is the nearest one of the full, by the
    centers of the voxels, as in nnU-Net; of two that are as near, the one behind.

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


@dataclass(frozen=True)
class Pyramid(ValueOperation):
    """Put copies of labels in several resolutions in place of them: a list."""

    scales: Any  # one or more, of three each

    def __post_init__(self) -> None:
        given = normalize(self.scales)
        if not isinstance(given, tuple) or not given:
            raise ValueError(f"scales must be one or more, each for all axes, got {self.scales!r}")
        scales = tuple(as_triple("scales", scale, 1e-3, 1.0) for scale in given)
        object.__setattr__(self, "scales", scales)

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        """Any labels will do."""

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        for name, volume in list(volumes.items()):
            if kinds[name] == "label":
                memory = checks.memory_of(volume)
                levels = [at_scale(memory, scale) for scale in self.scales]
                volumes[name] = [volume if level is memory else level for level in levels]


def check_pyramid_is_last(steps: Sequence[object], pyramid: type) -> None:
    """See that nothing comes after a pyramid, as a list of labels goes no further."""
    if any(isinstance(step, pyramid) for step in steps[:-1]):
        raise ValueError("a LabelPyramid must be the last step, got another after it")


def at_scale(labels: Labels, scale: tuple[float, float, float]) -> Labels:
    """The nearest labels in this share of the voxels, by their centers; a new array, or the same.

    Parameters
    ----------
    labels : (..., n0, n1, n2) array
    scale : (3,) floats
        0 to 1. There are ``round(n * scale)`` voxels, at least one; as many as there were are
        the array itself.
    """
    before = labels.shape[-3:]
    after = tuple(max(1, round(n * s)) for n, s in zip(before, scale, strict=True))
    if after == before:
        return labels
    order = slowest_first(labels)
    kept: Labels = labels.transpose(order)
    for axis, number in enumerate(order):
        spatial = number - (labels.ndim - 3)
        if spatial >= 0:
            kept = _kept(kept, axis, kept_voxels(before[spatial], after[spatial]))
    return kept.copy(order="C").transpose(np.argsort(order))


def _kept(labels: Labels, axis: int, index: npt.NDArray[np.int64]) -> Labels:
    """Some voxels along an axis: seen, and not copied, where they are evenly spaced."""
    first, step = int(index[0]), int(index[1] - index[0]) if len(index) > 1 else 1
    if (np.diff(index) == step).all():
        stop = first + step * len(index)
        return labels[(slice(None),) * axis + (slice(first, stop, step),)]
    return labels.take(index, axis)
