"""What all steps share: a transform, and the operation that it draws.

A transform draws numbers and never sees a voxel. What it draws is an operation: plain numbers,
and what they do to a sample.
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
    """An operation that moves voxels: of images, labels, points and boxes."""

    @abc.abstractmethod
    def fuse(self, fusion: Fusion) -> None:
        """Append the operation to the warp that a fusion has so far."""


class ValueOperation(abc.ABC):
    """An operation that changes values and moves nothing."""

    @abc.abstractmethod
    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        """Raise if it cannot be applied to these images and labels, of these kinds by name."""

    @abc.abstractmethod
    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> None:
        """Apply it to images and labels, in place or by replacing them."""

    @classmethod
    def examples(cls) -> tuple["ValueOperation", ...]:
        """Return operations that together use all of its kernels, to compile these ahead."""
        return ()


Operation = SpatialOperation | ValueOperation


def of_kind(kind: str, volumes: Mapping[str, Any], kinds: Kinds) -> list[tuple[str, Voxels]]:
    """Return the volumes of a kind, as (C, n0, n1, n2) arrays that share their memory."""
    found = [(name, memory_of(v)) for name, v in volumes.items() if kinds[name] == kind]
    return [(name, v if v.ndim == 4 else v[np.newaxis]) for name, v in found]


def labels_of(volumes: Mapping[str, Any], kinds: Kinds) -> dict[str, Voxels]:
    """Return the labels by name, (C, n0, n1, n2) each."""
    return dict(of_kind("label", volumes, kinds))


@dataclass(frozen=True, repr=False)
class Transform(abc.ABC):
    """A step of a pipeline: it draws numbers and never sees a voxel.

    Attributes
    ----------
    p : float
        Probability of applying the step, 0 to 1.
    name : str or None
        Name of the step in records, from which its random numbers derive. Default: the class name,
        and "RandomFlip 2" for the second of a class. So an unnamed step takes other numbers if one
        of the same class is put before it.
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
        """Show the arguments that differ from their defaults."""
        given = {item.name: getattr(self, item.name) for item in arguments(self)}
        usual = {item.name: item.default for item in arguments(self)}
        names = sorted(given, key=("p", "name").__contains__)  # these two come last
        shown = (f"{n}={given[n]!r}" for n in names if given[n] not in (usual[n], {}))
        return f"{type(self).__name__}({', '.join(shown)})"

    def happens(self, stream: RandomStream) -> bool:
        """Draw whether the step is applied. A `OneOf` that chose it does not ask."""
        return stream.chance(self.p)

    @abc.abstractmethod
    def check(self) -> None:
        """Check the arguments, and derive what draws need."""

    def _derive(self, **values: Any) -> None:
        """Keep what follows from the arguments."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


class Step(Transform):
    """A transform that draws one operation."""

    @abc.abstractmethod
    def draw(self, grid: Grid, stream: RandomStream) -> Operation | None:
        """Draw what to do to an image of this grid, if anything."""

    def spans(self) -> Shape:
        """Return the number of knot spans of its lattice along each axis; 1 without one."""
        return 1, 1, 1

    def distortion(self) -> float:
        """Return how much more it can enlarge along one direction than along another."""
        return 1.0


class ValueStep(Step):
    """A step that changes values. It separates spatial steps before and after it into two warps."""


@dataclass(frozen=True, repr=False)
class LabelStep(ValueStep):
    """A step that draws nothing but whether it is applied."""

    operation: ValueOperation = field(init=False, compare=False)

    def draw(self, grid: Grid, stream: RandomStream) -> ValueOperation:
        return self.operation
