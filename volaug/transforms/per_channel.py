"""Operations on images, one channel at a time: with one draw for all channels, or one for each.

Statistics are of the finite voxels of a channel; without any, nothing changes. Integers are
rounded, halves away from zero, and saturate; NaN stays.
"""

import abc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..keys import RandomStream
from ..serialization import normalize, shown
from ..warping.fusion import Grid
from .operation import ChannelId as ChannelId, Kinds, ValueOperation, Volumes, Voxels
from .ranges import Pair, as_number

FloatPerChannel = float | tuple[float, ...]  # one for all channels, or for each


MAX_VALUE = 1e6


MAX_FACTOR = 100.0


class PerChannel(tuple[Any, ...]):
    """Values for each channel: of all images, or, in a dict by name, of each image."""


DRAWN_PER_CHANNEL = frozenset({PerChannel, dict})


class IntensityOperation(ValueOperation):
    """An operation that changes the values of images, one channel at a time."""

    @abc.abstractmethod
    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        """Change one channel (n0, n1, n2), which is not bool, in place."""

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        super().check(volumes, kinds)
        if DRAWN_PER_CHANNEL.isdisjoint(map(type, vars(self).values())):
            return
        drawn = [value for value in vars(self).values() if type(value) in DRAWN_PER_CHANNEL]
        for name, volume in self.chosen(volumes, kinds):
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
        for channel, voxels in self.chosen_channels(volumes, kinds):
            if voxels.dtype != np.bool:  # two values have no contrast that could change
                self.change(voxels, channel, threads)


def checked(name: str, value: Any, check: Callable[[str, Any], Any], depth: int = 0) -> Any:
    """Check a value, or the values of `PerChannel`, and return them.

    A value for all channels has this depth of nesting: 0 for a number, 1 for a tuple of numbers. In
    a mapping from names of images there is one value for each channel of each image.
    """
    value = normalize(value)
    if isinstance(value, dict):
        by_name = {key: checked(f"{name} of {key!r}", v, check, depth) for key, v in value.items()}
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
    """Return the value of a channel."""
    if isinstance(value, dict):
        value = value[channel.target]
    return value[channel.channel] if isinstance(value, PerChannel) else value


def check_numbers(operation: Any, name: str, minimum: float, maximum: float) -> None:
    """Check that an argument is a number, or one for each channel, within limits."""
    value = checked(name, getattr(operation, name), number_within(minimum, maximum))
    object.__setattr__(operation, name, value)


def number_within(minimum: float, maximum: float) -> Callable[[str, Any], float]:
    """Return a check that a number is within limits."""
    return lambda name, value: as_number(name, value, minimum, maximum)


def draw_per_channel(
    per_channel: bool, grid: Grid, stream: RandomStream, draw: Callable[[RandomStream], Any]
) -> Any:
    """Draw once for all channels, or once for each: of all images, or of each image by name.

    An image of another name than "image" draws from its own stream, so that its draws do not depend
    on which other images there are.
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
    """Draw a number uniformly, for all channels or for each."""
    return draw_per_channel(per_channel, grid, stream, lambda stream: stream.uniform(*pair))


def around_one(pair: Pair, per_channel: bool, grid: Grid, stream: RandomStream) -> Any:
    """Draw below or over 1, equally likely if the range has both, uniformly on each side."""

    def one(stream: RandomStream) -> float:
        low, high = pair
        below = stream.chance(0.5)
        if low < 1.0 < high:
            low, high = (low, 1.0) if below else (1.0, high)
        return stream.uniform(low, high)

    return draw_per_channel(per_channel, grid, stream, one)
