"""Transforms that consist of others."""

import abc
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

from ..keys import RandomStream
from ..serialization import MAX_NESTING, shown
from .base import Transform
from .ranges import as_number

AnyGroup = TypeVar("AnyGroup", bound="Group")


@dataclass(frozen=True, repr=False)
class Group(Transform):
    """Transforms among which a draw chooses."""

    transforms: Sequence[Transform]

    _depth: int = field(init=False, compare=False)

    # Whether each that is chosen is asked by its own `p` as well.
    asks: ClassVar[bool] = True

    def __new__(cls, *arguments: Any, **_: Any) -> Self:
        """Raise if transforms are not in one list."""
        if any(isinstance(argument, Transform) for argument in arguments[1:]):
            raise TypeError(
                f"transforms must be one list, got {len(arguments)} arguments: write "
                f"{cls.__name__}([first, second])"
            )
        return super().__new__(cls)

    def check(self) -> None:
        given = self.transforms
        if not isinstance(given, tuple) or not all(isinstance(t, Transform) for t in given):
            raise TypeError(
                f"transforms must be a list of transforms, got {shown(given)}"
                f"{_instead(type(self).__name__, given)}"
            )
        depth = 1 + max((t._depth for t in given if isinstance(t, Group)), default=0)
        if depth > MAX_NESTING:
            raise ValueError(f"groups of transforms must be nested at most {MAX_NESTING} deep")
        self._derive(_depth=depth)

    @abc.abstractmethod
    def chosen(self, stream: RandomStream) -> Sequence[int]:
        """Return the positions of the transforms that are applied."""

    def inner_groups(self) -> Iterator["Group"]:
        """Yield all groups within this one."""
        for transform in self.transforms:
            if isinstance(transform, Group):
                yield transform
                yield from transform.inner_groups()

    def steps(self) -> Iterator[Transform]:
        """Yield all steps within this group and the groups in it, in order."""
        for transform in self.transforms:
            if isinstance(transform, Group):
                yield from transform.steps()
            else:
                yield transform


def signature_of_init(cls: type[AnyGroup]) -> type[AnyGroup]:
    """Let `help` and editors show a group's `__init__`, which `Group.__new__` would hide."""
    signature = inspect.signature(cls.__init__)
    _, *parameters = signature.parameters.values()  # but `self`
    cls.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return cls


def _instead(kind: str, given: Any) -> str:
    """What to write for what is no list of transforms."""
    if isinstance(given, Transform):
        return f": write {kind}([...]), with a list"
    items = given if isinstance(given, tuple) else (given,)
    for item in items:
        if isinstance(item, type) and issubclass(item, Transform):
            return f": write {item.__name__}(), with parentheses"
        if callable(item):
            return (
                ": a function becomes a step as the method of a class that is derived from "
                "volaug.IntensityTransform or volaug.SpatialTransform; see docs/own_steps.md"
            )
        if isinstance(item, tuple):
            return ": a list within the list is a group, such as Compose([...]) or OneOf([...])"
    return ""


def happens_always(wanted: type[Transform], transform: Transform, asked: bool = True) -> bool:
    """Whether all steps of a type within a transform happen in each draw."""
    is_certain = not asked or transform.p == 1.0
    if not isinstance(transform, Group):
        return is_certain or not isinstance(transform, wanted)
    steps = [*transform.steps()]
    if not any(isinstance(step, wanted) for step in steps):
        return True
    if not is_certain or (isinstance(transform, OneOf) and len(transform.transforms) > 1):
        return False
    return all(happens_always(wanted, inner, transform.asks) for inner in transform.transforms)


@signature_of_init
@dataclass(frozen=True, repr=False)
class OneOf(Group):
    """Apply one of several transforms, chosen by weight.

    Parameters
    ----------
    transforms : list of transforms
        What to choose from. The chosen one is always applied, whatever its own `p`; but
        `RandomFlip` still draws each axis.
    weights : list of floats, optional
        Weight of each transform, 0 to 1e9; its probability is its share of the sum. Default: equal.
    p : float, default 1.0
        Probability of applying any of them, 0 to 1.
    name : str, optional
        Name, from which its random numbers derive. Default: the class name.

    Raises
    ------
    TypeError
        If `transforms` is not a list of transforms, or a weight is not a number.
    ValueError
        If there is no transform, groups are nested too deeply, the number of weights is another
        one, or all weights are 0.

    See Also
    --------
    Compose : Apply all of several transforms.

    Examples
    --------
    >>> smooth = volaug.OneOf([volaug.RandomBlur(), volaug.RandomLowResolution()], weights=[2, 1])
    >>> record = volaug.Compose([smooth], seed=7).draw((8, 8, 8), index=0)
    >>> len(record.steps)
    1
    """

    weights: Sequence[float] | None = None

    asks: ClassVar[bool] = False

    def check(self) -> None:
        super().check()
        if not self.transforms:
            raise ValueError("transforms must be at least one, got none")
        if self.weights is None:
            return
        if not isinstance(self.weights, tuple) or len(self.weights) != len(self.transforms):
            raise ValueError(
                f"weights must be one number for each of {len(self.transforms)} transforms, "
                f"got {self.weights!r}"
            )
        if sum(as_number("weights", weight, 0.0, 1e9) for weight in self.weights) == 0.0:
            raise ValueError(f"weights must not all be 0, got {self.weights!r}")

    def likely(self) -> list[Transform]:
        """Return the transforms that can be chosen."""
        weights = self.weights or (1.0,) * len(self.transforms)
        return [t for t, weight in zip(self.transforms, weights, strict=True) if weight > 0.0]

    def chosen(self, stream: RandomStream) -> Sequence[int]:
        return (stream.pick(tuple(self.weights or (1.0,) * len(self.transforms))),)
