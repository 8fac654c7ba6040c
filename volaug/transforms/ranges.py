"""Numbers and ranges of users: a number, a pair, or one of these for each axis."""

from collections.abc import Callable, Sequence
from typing import Any

from .. import checks
from ..keys import RandomStream
from ..serialization import normalize, shown

Three = tuple[float, float, float]


Shape = tuple[int, int, int]


# What a user gives: a number or a pair (low, high), or one of these for each of three axes.
Range = float | Sequence[float]
RangePerAxis = Range | Sequence[Range]


Pair = tuple[float, float]


Pairs = tuple[Pair, Pair, Pair]


Kind = Callable[[str, Any, float], Pair]


MIN_RESOLUTION = 1e-3


# Lengths beyond this, in mm or voxels, are not meant.
MAX_LENGTH = 1e6


def as_number(name: str, value: Any, minimum: float, maximum: float) -> float:
    """Return a number within limits."""
    if type(value) not in (float, int):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    if not minimum <= value <= maximum:  # NaN is not
        raise ValueError(f"{name} must be from {minimum:g} to {maximum:g}, got {value!r}")
    return float(value)


def as_triple(name: str, value: Any, minimum: float, maximum: float) -> tuple[float, float, float]:
    """Return a number for all three axes, or one for each."""
    given = value if isinstance(value, tuple) else (value,) * 3
    if len(given) != 3:
        raise ValueError(f"{name} must be a number, or one for each of three axes, got {value!r}")
    a, b, c = (as_number(name, item, minimum, maximum) for item in given)
    return a, b, c


def as_axes(value: Any) -> tuple[int, ...]:
    """Return some of the axes 0, 1, 2, in order."""
    given = normalize(value)
    given = given if isinstance(given, tuple) else (given,)
    axes = [checks.as_whole("axes", axis, 0, 2) for axis in given]
    if len(set(axes)) != len(axes):
        raise ValueError(f"axes must name each axis once, got {value!r}")
    return tuple(sorted(axes))


def only(axis: int, one: Any, others: Any) -> tuple[Any, Any, Any]:
    """Return a value for one axis, and another for the other two."""
    a, b, c = (one if number == axis else others for number in range(3))
    return a, b, c


def symmetric(name: str, value: Any, maximum: float) -> Pair:
    """Return the pair, or -a to a for a number `a`."""
    if isinstance(value, tuple):
        return _as_pair(name, value, -maximum, maximum)
    limit = as_number(name, value, 0.0, maximum)
    return -limit, limit


def positive(name: str, value: Any, maximum: float) -> Pair:
    """Return the pair, or 0 to a for a number `a`."""
    if isinstance(value, tuple):
        return _as_pair(name, value, 0.0, maximum)
    return 0.0, as_number(name, value, 0.0, maximum)


def factors(name: str, value: Any, maximum: float) -> Pair:
    """Return the pair, or 1 / (1 + a) to 1 + a for a number `a`, which must be less than 1.

    Otherwise ``scale=1``, meant as no scaling, would be 0.5 to 2.
    """
    if isinstance(value, tuple):
        return _as_pair(name, value, 1.0 / maximum, maximum)
    more = 1.0 + as_number(name, value, 0.0, maximum - 1.0)
    if more >= 2.0:
        raise ValueError(
            f"{name} must be less than 1 where it is one number a, which means 1 / (1 + a) to "
            f"1 + a, got {value!r}: for no change write 0 or (1, 1), and for a wider range "
            "(low, high)"
        )
    return 1.0 / more, more


def angles(value: Any) -> Pairs:
    """Return ranges of degrees about each axis."""
    return _for_axes(symmetric, "degrees", value, 360.0)


def stretches(value: Any) -> Pairs:
    """Return ranges of factors along each axis."""
    return _for_axes(factors, "scale", value, 10.0)


def slopes(value: Any) -> Pairs:
    """Return ranges of shears, each of an axis along another."""
    return _for_axes(symmetric, "shear", value, 10.0)


def lengths(name: str, value: Any) -> Pairs:
    """Return ranges of lengths along each axis."""
    return _for_axes(symmetric, name, value, MAX_LENGTH)


def widths(value: Any) -> Pairs:
    """Return ranges of standard deviations along each axis."""
    return _for_axes(positive, "sigma", value, 100.0)


def shares(value: Any) -> Pairs:
    """Return ranges of shares along each axis."""
    return _for_axes(_share, "resolution", value, 1.0)


def _share(name: str, value: Any, maximum: float) -> Pair:
    """Return the pair, or a to 1 for a number `a`."""
    if isinstance(value, tuple):
        return _as_pair(name, value, MIN_RESOLUTION, maximum)
    return as_number(name, value, MIN_RESOLUTION, maximum), maximum


def drawn_for_axes(ranges: Pairs, together: bool, stream: RandomStream) -> Three:
    """Draw uniformly for three axes: one draw, each axis within its range, or one draw per axis."""
    ways = [stream.uniform() for _ in ranges]
    a, b, c = (
        low + (high - low) * (ways[0] if together else way)
        for way, (low, high) in zip(ways, ranges, strict=True)
    )
    return a, b, c


def in_proportion(ranges: Pairs, together: bool, stream: RandomStream) -> Three:
    """Draw log-uniformly for three axes: one draw for all, or one per axis."""
    ways = [stream.uniform() for _ in ranges]
    a, b, c = (
        low * (high / low) ** (ways[0] if together else way)
        for way, (low, high) in zip(ways, ranges, strict=True)
    )
    return a, b, c


def _for_axes(kind: Kind, name: str, value: Any, maximum: float) -> Pairs:
    """Apply `kind` to each of three values, or three times to one."""
    if isinstance(value, tuple) and len(value) not in (2, 3):
        raise ValueError(
            f"{name} must be a number, a pair (low, high), or one of these for each of three "
            f"axes, got {value!r}"
        )
    given = value if isinstance(value, tuple) and len(value) == 3 else (value,) * 3
    a, b, c = (kind(name, item, maximum) for item in given)
    return a, b, c


def _as_pair(name: str, value: tuple[Any, ...], minimum: float, maximum: float) -> Pair:
    if len(value) != 2:
        raise ValueError(f"{name} must be a number or a pair (low, high), got {value!r}")
    low, high = (as_number(name, item, minimum, maximum) for item in value)
    if low > high:
        raise ValueError(f"{name} must be a pair (low, high), got {value!r}, which is reversed")
    return low, high
