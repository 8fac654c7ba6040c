"""What operations have in common: some move voxels, and some change their values."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..checks import memory_of
from ..serialization import frozen, shown
from ..warping.fusion import Fusion

Voxels = npt.NDArray[Any]
Volumes = dict[str, Any]
Kinds = Mapping[str, str]


class SpatialOperation(abc.ABC):
    """It moves voxels: of images, labels, points and boxes."""

    @abc.abstractmethod
    def fuse(self, fusion: Fusion) -> None:
        """Do it to the picture that a fusion has so far."""


class ValueOperation(abc.ABC):
    """It changes values and moves nothing."""

    @abc.abstractmethod
    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        """See that it can be done to images and labels, of kinds that are known by name."""

    @abc.abstractmethod
    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        """Do it to images and labels, in place or by putting others there."""


Operation = SpatialOperation | ValueOperation


class Place(NamedTuple):
    """Which channel of an image."""

    target: str
    channel: int


class Apart(tuple[Any, ...]):
    """What was drawn for each channel: of all images, or, in a dict by name, of each of them."""


class IntensityOperation(ValueOperation):
    """It changes the values of images, each channel by itself."""

    @abc.abstractmethod
    def change(self, voxels: Voxels, place: Place, threads: int) -> None:
        """Do it to one channel (n0, n1, n2), which is not bool, in place."""

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        drawn = [value for value in vars(self).values() if isinstance(value, Apart | dict)]
        for name, volume in of_kind("image", volumes, kinds):
            for value in drawn:
                if isinstance(value, dict) and name not in value:
                    raise ValueError(
                        f"{type(self).__name__} was drawn for {', '.join(map(repr, value))} and "
                        f"not for {name!r}: draw with channels={{{name!r}: {len(volume)}}}"
                    )
                own = value[name] if isinstance(value, dict) else value
                if len(volume) > len(own):
                    raise ValueError(
                        f"{type(self).__name__} was drawn for {len(own)} channels, but {name!r} "
                        f"has {len(volume)}: draw with channels={{{name!r}: {len(volume)}}}"
                    )

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        for name, volume in of_kind("image", volumes, kinds):
            if volume.dtype == np.bool:
                continue  # two values have no contrast that could change
            for number, channel in enumerate(volume):
                self.change(channel, Place(name, number), threads)


def of_kind(kind: str, volumes: Mapping[str, Any], kinds: Kinds) -> list[tuple[str, Voxels]]:
    """The volumes of a kind, as (C, n0, n1, n2) arrays that share their memory."""
    found = [(name, memory_of(v)) for name, v in volumes.items() if kinds[name] == kind]
    return [(name, v if v.ndim == 4 else v[np.newaxis]) for name, v in found]


def settled(name: str, value: Any, check: Callable[[str, Any], Any], depth: int = 0) -> Any:
    """What `check` makes of a value, or `Apart` of what it makes of one for each channel.

    A value for all channels is nested so deep: 0 of a number, 1 of a tuple of numbers. In a
    mapping from names of images there is one for each channel of each.
    """
    value = frozen(value)
    if isinstance(value, dict):
        by_name = {key: settled(f"{name} of {key!r}", v, check, depth) for key, v in value.items()}
        if not by_name or not all(isinstance(v, Apart) for v in by_name.values()):
            raise TypeError(f"{name} by name must be one for each channel, got {shown(value)}")
        return by_name
    inner = value
    for _ in range(depth):
        inner = inner[0] if isinstance(inner, tuple) and inner else None
    if not isinstance(inner, tuple):
        return check(name, value)
    if not value:
        raise ValueError(f"{name} must be one for all channels, or one for each, got none")
    return Apart(check(name, item) for item in value)


def of_channel(value: Any, place: Place) -> Any:
    """What was drawn for a channel."""
    if isinstance(value, dict):
        value = value[place.target]
    return value[place.channel] if isinstance(value, Apart) else value
