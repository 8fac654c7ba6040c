"""What all steps of a pipeline have in common."""

import abc
from dataclasses import dataclass, field
from typing import Any

from ..keys import Numbers
from ..operations.base import Operation
from ..operations.numbers import Shape, as_number
from ..serialization import arguments, frozen
from ..warping.fusion import Grid


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
            object.__setattr__(self, item.name, frozen(getattr(self, item.name)))
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

    def happens(self, numbers: Numbers) -> bool:
        """Whether it is taken. A `OneOf` that picked it does not ask."""
        return numbers.chance(self.p)

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
    def draw(self, grid: Grid, numbers: Numbers) -> Operation | None:
        """Draw what to do to a picture of this grid, if anything."""

    def spans(self) -> Shape:
        """How many knot spans the lattice has that is drawn, along each axis; 1 of none."""
        return 1, 1, 1

    def distortion(self) -> float:
        """How much more it can enlarge along one direction than along another, at most."""
        return 1.0


class ValueStep(Step):
    """A step that changes values: spatial steps before it and after it are two warps."""
