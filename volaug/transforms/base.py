"""What all steps share: a transform draws numbers, and never sees a voxel."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ..keys import RandomStream
from ..serialization import arguments, normalize
from ..warping.fusion import Grid
from .operation import Operation, ValueOperation, as_channel_numbers, as_names
from .ranges import Shape, as_number


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
        texts = (f"{n}={given[n]!r}" for n in names if given[n] not in (usual[n], {}))
        return f"{type(self).__name__}({', '.join(texts)})"

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

    # The kind of targets that it changes; None for all.
    target_kind: ClassVar[str | None] = None

    @abc.abstractmethod
    def draw(self, grid: Grid, stream: RandomStream) -> Operation | None:
        """Draw what to do to an image of this grid, if anything."""

    def limited(self, operation: Operation, kinds: Mapping[str, str]) -> Operation:
        """Return an operation for the targets that the step is for, of these kinds by name."""
        return operation

    def spans(self) -> Shape:
        """Return the number of knot spans of its lattice along each axis; 1 without one."""
        return 1, 1, 1

    def distortion(self) -> float:
        """Return how much more it can enlarge along one direction than along another."""
        return 1.0


@dataclass(frozen=True, repr=False)
class SelectiveStep(Step):
    """A step that can be applied to some targets, or some of their channels, alone.

    Attributes
    ----------
    include, exclude : tuple of str or None
        Names of the targets that it is applied to, or not applied to; None for all.
    channels : tuple of int or None
        Channels of these targets that it is applied to; None for all.
    """

    include: Sequence[str] | None = field(default=None, kw_only=True)
    exclude: Sequence[str] | None = field(default=None, kw_only=True)
    channels: int | Sequence[int] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("include", "exclude"):
            object.__setattr__(self, name, as_names(name, getattr(self, name)))
        object.__setattr__(self, "channels", as_channel_numbers(self.channels))
        if self.include is not None and self.exclude is not None:
            raise ValueError(
                f"include and exclude must not both be given, got {self.include!r} and "
                f"{self.exclude!r}"
            )
        super().__post_init__()

    def limited(self, operation: Operation, kinds: Mapping[str, str]) -> Operation:
        if self.include is None and self.exclude is None and self.channels is None:
            return operation
        chosen = self.include
        if self.exclude is not None:
            wanted = self.target_kind
            possible = [name for name, kind in kinds.items() if wanted in (None, kind)]
            chosen = [name for name in possible if name not in self.exclude]
        return replace(operation, targets=chosen, channels=self.channels)  # type: ignore[arg-type]


class ValueStep(SelectiveStep):
    """A step that changes values. It separates spatial steps before and after it into two warps."""

    target_kind: ClassVar[str | None] = "image"


@dataclass(frozen=True, repr=False)
class FixedStep(ValueStep):
    """A step that draws nothing but whether it is applied."""

    operation: ValueOperation = field(init=False, compare=False)

    def draw(self, grid: Grid, stream: RandomStream) -> ValueOperation:
        return self.operation
