"""What is done to labels, or to images by them, once nothing moves any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..engine.labels import at_scale, label_bits, replace
from ..serialization import check_known, frozen
from .base import Kinds, ValueOperation, Volumes, Voxels, of_kind
from .numbers import FARTHEST, as_number, as_triple

WIDEST_LABEL = 2**63


@dataclass(frozen=True)
class Mask(ValueOperation):
    """Give voxels of images a value wherever the first channel of a label is negative."""

    label: str = "label"
    value: float = 0.0
    channels: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.label, str):
            raise TypeError(f"label must be the name of a target, got {self.label!r}")
        object.__setattr__(self, "value", as_number("value", self.value, -FARTHEST, FARTHEST))
        if self.channels is not None:
            given = frozen(self.channels)
            given = given if isinstance(given, tuple) else (given,)
            channels = tuple(checks.as_whole("channels", c, 0, 2**16) for c in given)
            object.__setattr__(self, "channels", channels)

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        images = of_kind("image", volumes, kinds)
        if images:
            check_known("label that masks the image", [self.label], labels_of(volumes, kinds))
        for name, image in images:
            checks.as_fills(self.value, image, "value")
            if self.channels and max(self.channels) >= len(image):
                raise ValueError(
                    f"the channels of {name!r} to mask must be less than {len(image)}, "
                    f"got {self.channels}"
                )

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        images = of_kind("image", volumes, kinds)
        if not images:
            return
        outside = labels_of(volumes, kinds)[self.label][0] < 0
        for _, image in images:
            for channel in range(len(image)) if self.channels is None else self.channels:
                np.copyto(image[channel], self.value, where=outside, casting="unsafe")


@dataclass(frozen=True)
class Relabel(ValueOperation):
    """Give the voxels of one label another."""

    old: int
    new: int

    def __post_init__(self) -> None:
        for name in ("old", "new"):
            limits = -WIDEST_LABEL, 2 * WIDEST_LABEL - 1
            label = checks.as_whole(name, getattr(self, name), *limits)
            object.__setattr__(self, name, label)

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        for name, label in labels_of(volumes, kinds).items():
            old, new = (label_bits(value, label.dtype) for value in (self.old, self.new))
            if old is not None and new is None:
                raise ValueError(f"{name!r} of {label.dtype} cannot hold the label {self.new}")

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        for label in labels_of(volumes, kinds).values():
            for channel in label:
                replace(channel, self.old, self.new, threads)


@dataclass(frozen=True)
class Pyramid(ValueOperation):
    """Put copies of labels in several resolutions in place of them: a list."""

    scales: Any  # one or more, of three each

    def __post_init__(self) -> None:
        given = frozen(self.scales)
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


def labels_of(volumes: Mapping[str, Any], kinds: Kinds) -> dict[str, Voxels]:
    """The labels by name, (C, n0, n1, n2) each."""
    return dict(of_kind("label", volumes, kinds))


def check_pyramid_is_last(steps: Sequence[object], pyramid: type) -> None:
    """See that nothing comes after a pyramid, as a list of labels goes no further."""
    if any(isinstance(step, pyramid) for step in steps[:-1]):
        raise ValueError("a LabelPyramid must be the last step, got another after it")
