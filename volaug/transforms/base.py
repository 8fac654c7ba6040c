"""What all steps have in common: what a user says, what is drawn, and what that does.

A transform draws numbers and never sees a voxel. What it drew is an operation: plain numbers, and
what they do to a sample.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import memory_of
from ..keys import RandomStream
from ..serialization import arguments, normalize
from ..warping.fusion import Fusion, Grid
from .ranges import Shape, as_number

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

    @classmethod
    def examples(cls) -> tuple["ValueOperation", ...]:
        """Some of its kind that together use all of its kernels, to compile these ahead."""
        return ()


Operation = SpatialOperation | ValueOperation


def of_kind(kind: str, volumes: Mapping[str, Any], kinds: Kinds) -> list[tuple[str, Voxels]]:
    """The volumes of a kind, as (C, n0, n1, n2) arrays that share their memory."""
    found = [(name, memory_of(v)) for name, v in volumes.items() if kinds[name] == kind]
    return [(name, v if v.ndim == 4 else v[np.newaxis]) for name, v in found]


def labels_of(volumes: Mapping[str, Any], kinds: Kinds) -> dict[str, Voxels]:
    """The labels by name, (C, n0, n1, n2) each."""
    return dict(of_kind("label", volumes, kinds))


@dataclass(frozen=True, repr=False)
class Transform(abc.ABC):
    """A step of a pipeline: it draws numbers and never sees a voxel.

    Attributes
    ----------
    p : float
        How likely the step is taken, 0 to 1.
    name : str or None
        Under which a sample's record shows it, and from which its random numbers derive. By
        default that is its type, and "RandomFlip 2" for the second of a type: so a step of the
        same type put before it takes its numbers, if neither has a name.
    """

    p: float = field(default=1.0, kw_only=True)
    name: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for item in arguments(self):
            object.__setattr__(self, item.name, normalize(getattr(self, item.name)))
        object.__setattr__(self, "p", as_number("p", self.p, 0.0, 1.0))
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"name must be a string, got {self.name!r}")
        self.check()

    def __repr__(self) -> str:
        """How it was made, without what is as it is by default."""
        given = {item.name: getattr(self, item.name) for item in arguments(self)}
        usual = {item.name: item.default for item in arguments(self)}
        names = sorted(given, key=("p", "name").__contains__)  # these two come last
        shown = (f"{n}={given[n]!r}" for n in names if given[n] not in (usual[n], {}))
        return f"{type(self).__name__}({', '.join(shown)})"

    def happens(self, stream: RandomStream) -> bool:
        """Whether it is taken. A `OneOf` that picked it does not ask."""
        return stream.chance(self.p)

    @abc.abstractmethod
    def check(self) -> None:
        """See that it was given what it can draw from, and derive what draws need."""

    def _derive(self, **values: Any) -> None:
        """Keep what follows from the arguments, and so is none."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


class Step(Transform):
    """A transform that draws one operation."""

    @abc.abstractmethod
    def draw(self, grid: Grid, stream: RandomStream) -> Operation | None:
        """Draw what to do to a picture of this grid, if anything."""

    def spans(self) -> Shape:
        """How many knot spans the lattice has that is drawn, along each axis; 1 of none."""
        return 1, 1, 1

    def distortion(self) -> float:
        """How much more it can enlarge along one direction than along another, at most."""
        return 1.0


class ValueStep(Step):
    """A step that changes values: spatial steps before it and after it are two warps."""


@dataclass(frozen=True, repr=False)
class LabelStep(ValueStep):
    """A step with nothing to draw but whether it happens."""

    operation: ValueOperation = field(init=False, compare=False)

    def draw(self, grid: Grid, stream: RandomStream) -> ValueOperation:
        return self.operation
