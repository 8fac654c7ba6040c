"""Label pyramid: a label in several resolutions, for deep supervision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import checks
from ..serialization import normalize
from ..warping.engine.in_place import slowest_first
from .base import FixedStep
from .low_resolution import kept_voxels
from .operation import Kinds, ValueOperation, Volumes
from .ranges import as_triple

Labels = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class LabelPyramid(FixedStep):
    """Replace each label by a list of labels in several resolutions, for deep supervision.

    It must be the last step. A voxel of a lower resolution is the nearest voxel of the full one, by
    the centers of the voxels, as in nnU-Net; if two are equally near, the one with the higher
    index.

    Parameters
    ----------
    scales : list of floats, or of three floats for axes 0, 1, 2
        Share of the voxels along each axis, 0.001 to 1, for each resolution: ``[1, 0.5, 0.25]``.
        With 1 it is the label itself.
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all labels.
    channels : None
        Not for this step: a pyramid has all channels.

    Raises
    ------
    TypeError
        If a scale or `p` is not a number.
    ValueError
        If there is no scale, or a scale is not from 0.001 to 1; in a pipeline, if another step
        follows.

    See Also
    --------
    volaug.presets.nnunet : Its `deep_supervision` adds this step.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.LabelPyramid([1, 0.5])], seed=7)
    >>> labels = pipeline(label=np.zeros((8, 8, 8), np.uint8), index=0)["label"]
    >>> [level.shape for level in labels]
    [(8, 8, 8), (4, 4, 4)]
    """

    target_kind: ClassVar[str | None] = "label"

    scales: Sequence[float | Sequence[float]]

    def check(self) -> None:
        if self.channels is not None:
            raise ValueError(f"a LabelPyramid is of all channels, got channels={self.channels!r}")
        self._derive(operation=Pyramid(self.scales))


@dataclass(frozen=True, repr=False)
class Pyramid(ValueOperation):
    """Replace labels by lists of copies in several resolutions."""

    target_kind: ClassVar[str] = "label"

    scales: Any  # one or more, of three each

    def __post_init__(self) -> None:
        super().__post_init__()
        given = normalize(self.scales)
        if not isinstance(given, tuple) or not given:
            raise ValueError(f"scales must be one or more, each for all axes, got {self.scales!r}")
        scales = tuple(as_triple("scales", scale, 1e-3, 1.0) for scale in given)
        object.__setattr__(self, "scales", scales)

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        for name, _ in self.chosen(volumes, kinds):
            volume = volumes[name]
            memory = checks.memory_of(volume)
            levels = [at_scale(memory, scale) for scale in self.scales]
            volumes[name] = [volume if level is memory else level for level in levels]


def check_pyramid_is_last(steps: Sequence[object], pyramid: type) -> None:
    """Raise if a step follows a pyramid, as a list of labels goes no further."""
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
