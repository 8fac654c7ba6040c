"""Plain arguments: choices, whole numbers, shapes, options by name."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..kernels import MAX_AXIS_LENGTH
from ..serialization import shown


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check that `value` is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_flag(name: str, value: Any) -> None:
    """Check that it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def refuse_positions(call: str, given: tuple[Any, ...]) -> None:
    """Raise if arguments that need names were passed by position."""
    if given:
        raise TypeError(
            f"{call} takes its targets by name, such as image=... and label=..., got "
            f"{', '.join(type(value).__name__ for value in given)} without a name"
        )


def _index(value: Any) -> int:
    if isinstance(value, bool | np.bool):
        raise TypeError
    return operator.index(value)


def as_whole(name: str, value: Any, minimum: int, maximum: int) -> int:
    """Return a whole number within limits."""
    number: int = value
    if type(value) is not int:
        try:
            number = _index(value)
        except Exception:  # a tensor has its own
            raise TypeError(f"{name} must be a whole number, got {shown(value)}") from None
    if not minimum <= number <= maximum:
        raise ValueError(f"{name} must be from {minimum} to {maximum}, got {number}")
    return number


def as_seed(name: str, value: Any) -> int:
    """Return a seed, or another part of a sample's key."""
    return as_whole(name, value, 0, 2**64 - 1)


def as_shape(name: str, value: Any) -> tuple[int, int, int]:
    """Return three lengths of at least one voxel."""
    try:
        shape = tuple(map(_index, value))
    except Exception:  # a tensor has its own
        raise TypeError(f"{name} must be three whole numbers, got {shown(value)}") from None
    if len(shape) != 3 or min(shape) < 1 or max(shape) > MAX_AXIS_LENGTH:
        raise ValueError(
            f"{name} must be three lengths from 1 to {MAX_AXIS_LENGTH} voxels, got {shape}"
        )
    return shape


def by_name(option: str, given: Any, names: Iterable[str], default: Any) -> dict[str, Any]:
    """Return the value of an option for each name: one for all, or a mapping from some of them."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given)
    unknown = set(given) - set(names)
    if unknown:
        raise ValueError(
            f"{option} must be given for {', '.join(map(repr, names))}, "
            f"got {', '.join(map(repr, sorted(unknown, key=str)))}"
        )
    return {name: given.get(name, default) for name in names}
