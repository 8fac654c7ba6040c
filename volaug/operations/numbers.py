"""Numbers that operations and steps are given, or what is wrong with them."""

from typing import Any

from .. import checks
from ..serialization import frozen, shown

Three = tuple[float, float, float]
Shape = tuple[int, int, int]

# Lengths beyond this, in mm or voxels, are not meant.
FARTHEST = 1e6


def as_number(name: str, value: Any, least: float, greatest: float) -> float:
    """A number within limits."""
    if type(value) not in (float, int):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    if not least <= value <= greatest:  # NaN is not
        raise ValueError(f"{name} must be from {least:g} to {greatest:g}, got {value!r}")
    return float(value)


def as_triple(name: str, value: Any, least: float, greatest: float) -> tuple[float, float, float]:
    """A number for all three axes, or one for each."""
    given = value if isinstance(value, tuple) else (value,) * 3
    if len(given) != 3:
        raise ValueError(f"{name} must be a number, or one for each of three axes, got {value!r}")
    a, b, c = (as_number(name, item, least, greatest) for item in given)
    return a, b, c


def as_axes(value: Any) -> tuple[int, ...]:
    """Some of the axes 0, 1, 2, in order."""
    given = frozen(value)
    given = given if isinstance(given, tuple) else (given,)
    axes = [checks.as_whole("axes", axis, 0, 2) for axis in given]
    if len(set(axes)) != len(axes):
        raise ValueError(f"axes must name each axis once, got {value!r}")
    return tuple(sorted(axes))


def as_flag(name: str, value: Any) -> None:
    """See that it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
