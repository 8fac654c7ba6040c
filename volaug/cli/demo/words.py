"""Say in words what was drawn, for a brain whose axes run right, forwards and up."""

from typing import Any

from ... import Record

# Along each axis, the directions of a positive and a negative shift.
WAYS = (("to the right", "to the left"), ("forwards", "to the back"), ("up", "down"))

# About each axis, the effects of a positive and a negative rotation. Right-handed: with the thumb
# along the axis, the fingers point in the direction of a positive one.
TURNS = (
    ("face up", "face down"),
    ("crown to the right", "crown to the left"),
    ("face to the left", "face to the right"),
)
SIDES = ("left and right", "front and back", "top and bottom")
LENGTHS = ("from left to right", "from back to front", "upwards")

# The axis along which planes slide, and the axis along which they slide ever further.
SHEARS = ((0, 1), (0, 2), (1, 2))


def drawn(record: Record) -> Any:
    """The one operation of a record."""
    ((_, operation),) = record.steps
    return operation


def translation(record: Record) -> list[str]:
    """How far along each axis."""
    shifts = enumerate(drawn(record).translation)
    return [f"{abs(mm):.1f} mm {WAYS[axis][mm < 0]}" for axis, mm in shifts]


def rotation(record: Record) -> list[str]:
    """How far about each axis, one after the other."""
    angles = enumerate(drawn(record).degrees)
    return [f"{signed(a, 1)}° about {'xyz'[axis]}: {TURNS[axis][a < 0]}" for axis, a in angles]


def flip(record: Record) -> list[str]:
    """Which sides."""
    return [
        *(f"{SIDES[axis]} exchanged" for axis in drawn(record).axes),
        "(the template is symmetric,",
        "see where the landmarks are)",
    ]


def stretch(record: Record) -> list[str]:
    """How many times as long along each axis."""
    factors = zip(drawn(record).scale, LENGTHS, strict=True)
    return [f"× {factor:.2f} {along}" for factor, along in factors]


def shear(record: Record) -> list[str]:
    """How far the planes slide along each other."""
    slopes = zip(SHEARS, drawn(record).shear, strict=True)
    return [
        f"{abs(slope):.2f} mm {WAYS[moved][slope < 0]} for each mm {WAYS[along][0]}"
        for (moved, along), slope in slopes
    ]


def elastic(record: Record) -> list[str]:
    """How much it bends, and that it does not fold."""
    points = drawn(record).control_points
    return [
        f"cubic B-spline, {' × '.join(map(str, points.shape[1:]))} control points",
        f"moved by up to {abs(points).max():.1f} mm along each axis",
        f"least Jacobian determinant {record.warp.min_jacobian_determinant():.2f}: no fold",
    ]


def contrast(record: Record) -> list[str]:
    """How much stronger or weaker it is."""
    return [f"differences from the mean × {drawn(record).factor:.2f}", "labels and landmarks stay"]


def together(record: Record) -> list[str]:
    """What one call makes of many steps."""
    return [
        f"the same {len(record.steps)} draws in one pipeline:",
        "one warp, one interpolation,",
        "then the contrast",
    ]


def signed(number: float, decimals: int) -> str:
    """A number with its sign; a minus is as wide as a plus."""
    return f"{number:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")
