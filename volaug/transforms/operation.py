"""What steps draw: plain numbers, and what they do to a sample."""

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import checks
from ..serialization import arguments, normalize, shown
from ..warping.fusion import Fusion

Voxels = npt.NDArray[Any]


Volumes = dict[str, Any]


Kinds = Mapping[str, str]


class ChannelId(NamedTuple):
    """A channel of a target."""

    target: str
    channel: int


class Rescaling(NamedTuple):
    """What undoes a normalization: ``slope * value + intercept``, as in the header of NIfTI."""

    slope: float
    intercept: float

    def after(self, earlier: "Rescaling") -> "Rescaling":
        """Return what undoes this normalization, and then an earlier one."""
        slope, intercept = earlier
        return Rescaling(slope * self.slope, slope * self.intercept + intercept)


@dataclass(frozen=True, repr=False, kw_only=True)
class Operation:
    """What a step drew: plain numbers, and what they do to a sample.

    Attributes
    ----------
    targets : tuple of str or None
        Names of the targets that it is applied to; None for all.
    channels : tuple of int or None
        Channels of these targets that it is applied to; None for all.
    """

    targets: tuple[str, ...] | None = None
    channels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.targets is not None:
            object.__setattr__(self, "targets", as_names("targets", self.targets))
        if self.channels is not None:
            object.__setattr__(self, "channels", as_channel_numbers(self.channels))

    def __repr__(self) -> str:
        """Show the arguments; of what limits it to some targets or voxels, what is given."""
        first, last = [], []
        for item in arguments(self):
            value = getattr(self, item.name)
            if item.kw_only and value is not None:
                last.append(f"{item.name}={value!r}")
            elif item.repr and not item.kw_only:
                first.append(f"{item.name}={value!r}")
        return f"{type(self).__name__}({', '.join(first + last)})"

    def concerns(self, name: str) -> bool:
        """Whether it is applied to a target."""
        return self.targets is None or name in self.targets

    def concerns_channel(self, number: int) -> bool:
        """Whether it is applied to a channel of its targets."""
        return self.channels is None or number in self.channels


# Abstract for mypy alone: `isinstance` takes five times as long for classes of `abc.ABC`, and each
# draw asks some 20 times.


class SpatialOperation(Operation):
    """An operation that moves voxels: of images, labels, points and boxes."""

    @abc.abstractmethod
    def fuse(self, fusion: Fusion) -> None:
        """Append the operation to the warp that a fusion has so far."""


class ValueOperation(Operation):
    """An operation that changes values and moves nothing."""

    # The kind of targets that it changes.
    target_kind: ClassVar[str] = "image"

    @property
    def needs_memory(self) -> bool:
        """Whether it makes arrays of the size of a volume that cannot lie in a file."""
        return False

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        """Raise if it cannot be applied to these images and labels, of these kinds by name."""
        if not self.channels:
            return
        for name, volume in self.chosen(volumes, kinds):
            if max(self.channels) >= len(volume):
                raise ValueError(
                    f"the channels of {name!r} that {type(self).__name__} changes must be less "
                    f"than {len(volume)}, got {self.channels}"
                )

    @abc.abstractmethod
    def apply(
        self, volumes: Volumes, kinds: Kinds, threads: int
    ) -> Mapping[ChannelId, Rescaling] | None:
        """Apply it to images and labels, in place or by replacing them.

        Return how to undo it for each channel that it normalized.
        """

    def chosen(self, volumes: Mapping[str, Any], kinds: Kinds) -> list[tuple[str, Voxels]]:
        """Return the volumes that it changes, as (C, n0, n1, n2) arrays that share their memory."""
        return of_kind(self.target_kind, volumes, kinds, self.targets)

    def chosen_channels(
        self, volumes: Mapping[str, Any], kinds: Kinds
    ) -> Iterator[tuple[ChannelId, Voxels]]:
        """Yield the channels that it changes, with their voxels (n0, n1, n2)."""
        for name, volume in self.chosen(volumes, kinds):
            for number, voxels in enumerate(volume):
                if self.concerns_channel(number):
                    yield ChannelId(name, number), voxels

    @classmethod
    def examples(cls) -> tuple["ValueOperation", ...]:
        """Return operations that together use all of its kernels, to compile these ahead."""
        return ()


def as_names(name: str, value: Any) -> tuple[str, ...] | None:
    """Return names of targets; None for all."""
    given = normalize(value)
    if given is None:
        return None
    if not isinstance(given, tuple) or not all(isinstance(item, str) for item in given):
        raise TypeError(f"{name} must be a list of names of targets, got {shown(value)}")
    return given


def as_channel_numbers(value: Any) -> tuple[int, ...] | None:
    """Return numbers of channels; None for all."""
    given = normalize(value)
    if given is None:
        return None
    given = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(item, int | float) for item in given):
        raise TypeError(f"channels must be a number or a list of numbers, got {shown(value)}")
    return tuple(checks.as_whole("channels", item, 0, 2**16) for item in given)


def of_kind(
    kind: str, volumes: Mapping[str, Any], kinds: Kinds, names: tuple[str, ...] | None = None
) -> list[tuple[str, Voxels]]:
    """Return the volumes of a kind, or those of some names, as (C, n0, n1, n2) arrays.

    They share their memory.
    """
    found = []
    for name, volume in volumes.items():
        if kinds[name] == kind and (names is None or name in names):
            memory = checks.memory_of(volume)
            found.append((name, memory if memory.ndim == 4 else memory[np.newaxis]))
    return found
