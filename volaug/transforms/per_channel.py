"""Changes of images, each channel by itself: with what was drawn for all channels, or for each.

Statistics are of the finite voxels of a channel; where there are none, nothing changes. Integers
are rounded, halves away from zero, and saturate; NaN stays.
"""

import abc
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..keys import RandomStream
from ..serialization import normalize, shown
from ..warping.fusion import Grid
from .base import Kinds, ValueOperation, Volumes, Voxels, of_kind
from .ranges import Pair, as_number

FloatPerChannel = float | tuple[float, ...]  # one for all channels, or for each


MAX_VALUE = 1e6


MAX_FACTOR = 100.0


class ChannelId(NamedTuple):
    """Which channel of an image."""

    target: str
    channel: int


class PerChannel(tuple[Any, ...]):
    """What was drawn for each channel: of all images, or, in a dict by name, of each of them."""


class IntensityOperation(ValueOperation):
    """It changes the values of images, each channel by itself."""

    @abc.abstractmethod
    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        """Do it to one channel (n0, n1, n2), which is not bool, in place."""

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        drawn = [value for value in vars(self).values() if isinstance(value, PerChannel | dict)]
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
                self.change(channel, ChannelId(name, number), threads)


def settled(name: str, value: Any, check: Callable[[str, Any], Any], depth: int = 0) -> Any:
    """What `check` makes of a value, or `PerChannel` of what it makes of one for each channel.

    A value for all channels is nested so deep: 0 of a number, 1 of a tuple of numbers. In a
    mapping from names of images there is one for each channel of each.
    """
    value = normalize(value)
    if isinstance(value, dict):
        by_name = {key: settled(f"{name} of {key!r}", v, check, depth) for key, v in value.items()}
        if not by_name or not all(isinstance(v, PerChannel) for v in by_name.values()):
            raise TypeError(f"{name} by name must be one for each channel, got {shown(value)}")
        return by_name
    inner = value
    for _ in range(depth):
        inner = inner[0] if isinstance(inner, tuple) and inner else None
    if not isinstance(inner, tuple):
        return check(name, value)
    if not value:
        raise ValueError(f"{name} must be one for all channels, or one for each, got none")
    return PerChannel(check(name, item) for item in value)


def of_channel(value: Any, channel: ChannelId) -> Any:
    """What was drawn for a channel."""
    if isinstance(value, dict):
        value = value[channel.target]
    return value[channel.channel] if isinstance(value, PerChannel) else value


def settle(operation: Any, name: str, minimum: float, maximum: float) -> None:
    """See that an argument is a number, or one for each channel, within limits."""
    value = settled(name, getattr(operation, name), number_within(minimum, maximum))
    object.__setattr__(operation, name, value)


def number_within(minimum: float, maximum: float) -> Callable[[str, Any], float]:
    """What sees that a number is within limits."""
    return lambda name, value: as_number(name, value, minimum, maximum)


def of_channels(
    per_channel: bool, grid: Grid, stream: RandomStream, draw: Callable[[RandomStream], Any]
) -> Any:
    """One draw for all channels, or one for each: of all images, or of each image by name.

    An image of another name than "image" draws from numbers of its own, so that what it draws
    does not depend on which others there are.
    """
    if not per_channel:
        return draw(stream)
    if isinstance(grid.channels, int):
        return tuple(draw(stream) for _ in range(grid.channels))
    return {
        name: tuple(
            draw(stream if name == "image" else stream.of_target(name)) for _ in range(count)
        )
        for name, count in grid.channels.items()
    }


def evenly(pair: Pair, per_channel: bool, grid: Grid, stream: RandomStream) -> Any:
    """A number that is drawn evenly, for all channels or for each."""
    return of_channels(per_channel, grid, stream, lambda stream: stream.uniform(*pair))


def around_one(pair: Pair, per_channel: bool, grid: Grid, stream: RandomStream) -> Any:
    """As likely below 1 as over it, if the range has both; evenly on each side."""

    def one(stream: RandomStream) -> float:
        low, high = pair
        below = stream.chance(0.5)
        if low < 1.0 < high:
            low, high = (low, 1.0) if below else (1.0, high)
        return stream.uniform(low, high)

    return of_channels(per_channel, grid, stream, one)
