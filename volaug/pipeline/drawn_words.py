"""What was drawn for a sample, in plain words: a line for each step."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..transforms.operation import Operation
from ..transforms.registry import (
    Affine,
    BiasField,
    Blur,
    Brightness,
    Contrast,
    Crop,
    CubeSymmetry,
    Elastic,
    Flip,
    Gamma,
    HistogramShift,
    LowResolution,
    Mask,
    Noise,
    OwnChange,
    OwnWarp,
    Pyramid,
    RangeMapping,
    Remapping,
    ZScores,
)
from ..warping.geometry.anatomy import directed_axes
from .drawn import Drawn

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"

# By the axes of the body: what increases along it, and the letters of its two ends.
SIDES = (("left and right", "R", "L"), ("front and back", "A", "P"), ("top and bottom", "S", "I"))


class Axes(NamedTuple):
    """What is known of the axes of an array."""

    unit: str  # of lengths: "mm" or "voxels"
    sides: tuple[str, ...]  # what lies at the ends of each axis
    ends: tuple[tuple[str, str], ...]  # where indices increase to, and decrease to


def words_of_record(record: Drawn) -> list[str]:
    """Return a line for each step that was applied, or one that says that none was."""
    axes = axes_of(record)
    lines = [f"{name}: {drawn_words(item, axes)}{limits(item)}" for name, item in record.steps]
    if any(factor < 1.0 for factor in record.elastic_factors):
        lines.append(
            f"displacements shrunk to {100 * min(record.elastic_factors):.0f} % so that "
            "nothing folds"
        )
    return lines or ["nothing was drawn"]


def axes_of(record: Drawn) -> Axes:
    """Return the unit and the names of the axes that a record knows."""
    unit = "voxels" if record.spacing is None and record.affine is None else "mm"
    sides, ends = [f"axis {axis}" for axis in range(3)], [("", "")] * 3
    if record.affine is not None:
        for (both, high, low), axis, sign in zip(SIDES, *directed_axes(record.affine), strict=True):
            sides[axis] = both
            ends[axis] = (high, low) if sign > 0 else (low, high)
    return Axes(unit, tuple(sides), tuple(ends))


@functools.singledispatch
def drawn_words(operation: Operation, axes: Axes) -> str:
    """Say what a step drew."""
    return repr(operation)


@drawn_words.register
def _(operation: Affine, axes: Axes) -> str:
    parts = []
    if operation.scale != (1.0, 1.0, 1.0):
        parts.append(f"scaled {TIMES} {numbers(operation.scale)}")
    if any(operation.shear):
        parts.append(f"sheared by {numbers(operation.shear)}")
    if any(operation.degrees):
        parts.append(f"rotated by {_turn(operation.degrees)}")
    if any(operation.translation):
        parts.append(f"moved by {_translation(operation.translation, axes)}")
    return "; ".join(parts) or "nothing moves"


def _turn(degrees: Sequence[float]) -> str:
    turns = [(axis, angle) for axis, angle in enumerate(degrees) if angle]
    return ", ".join(f"{numbers(angle, 1, '°')} about axis {axis}" for axis, angle in turns)


def _translation(lengths: Sequence[float], axes: Axes) -> str:
    """Say how far, and to which side of the body if that is known."""
    if not axes.ends[0][0]:
        return f"{numbers(lengths, 1)} {axes.unit}"
    ways = zip(lengths, axes.ends, strict=True)
    return ", ".join(f"{abs(way):.1f} {axes.unit} to {ends[way < 0]}" for way, ends in ways if way)


@drawn_words.register
def _(operation: Flip, axes: Axes) -> str:
    return f"{', '.join(axes.sides[axis] for axis in operation.axes)} mirrored"


@drawn_words.register
def _(operation: CubeSymmetry, axes: Axes) -> str:
    order = ", ".join(map(str, operation.order))
    mirrored = ", ".join(map(str, operation.reversed_axes))
    return f"axes in the order {order}" + (f", {mirrored} mirrored" if mirrored else "")


@drawn_words.register
def _(operation: Elastic, axes: Axes) -> str:
    lattice = f" {TIMES} ".join(map(str, operation.control_points.shape[1:]))
    return f"bent by up to {operation.amplitude:.1f} {axes.unit}, {lattice} control points"


@drawn_words.register
def _(operation: Crop, axes: Axes) -> str:
    shape = f" {TIMES} ".join(map(str, operation.shape))
    return f"{shape} voxels from voxel {', '.join(map(str, operation.start))} on"


@drawn_words.register
def _(operation: Contrast, axes: Axes) -> str:
    return f"differences from the mean {TIMES} {numbers(operation.factor)}"


@drawn_words.register
def _(operation: Brightness, axes: Axes) -> str:
    text = f"values {TIMES} {numbers(operation.factor)}"
    shifts = operation.std_shift
    return text if shifts == 0.0 else f"{text}, and {numbers(shifts)} standard deviations added"


@drawn_words.register
def _(operation: Gamma, axes: Axes) -> str:
    inverted = ", of the inverted image" if np.any(operation.inverted) else ""
    return f"power {numbers(operation.exponent)}{inverted}"


@drawn_words.register
def _(operation: HistogramShift, axes: Axes) -> str:
    curves = channels_of(operation.levels)
    levels = curves[0] if isinstance(curves[0], Sequence) else operation.levels
    return f"levels at {numbers(levels)} of the range"


@drawn_words.register
def _(operation: Noise, axes: Axes) -> str:
    unit = "standard deviations" if operation.relative else "in units of the values"
    kind = operation.kind.capitalize()
    return f"{kind} noise of {numbers(operation.std)} {unit}"


@drawn_words.register
def _(operation: Blur, axes: Axes) -> str:
    return f"Gaussian with a sigma of {numbers(operation.sigma)} {axes.unit}"


@drawn_words.register
def _(operation: LowResolution, axes: Axes) -> str:
    return f"resolution {TIMES} {numbers(operation.resolution)}"


@drawn_words.register
def _(operation: BiasField, axes: Axes) -> str:
    points = operation.control_points
    fields = points.values() if isinstance(points, Mapping) else [points]
    most = max(float(np.abs(np.asarray(field)).max()) for field in fields)
    return f"values {TIMES} {np.exp(-most):.2f} to {np.exp(most):.2f}, smoothly over space"


@drawn_words.register
def _(operation: ZScores, axes: Axes) -> str:
    return "mean 0 and standard deviation 1"


@drawn_words.register
def _(operation: RangeMapping, axes: Axes) -> str:
    what = "percentiles" if operation.method == "percentiles" else "values"
    low, high = operation.output_range
    return f"{what} {numbers(operation.limits)} to {number(low)} and {number(high)}"


@drawn_words.register
def _(operation: Remapping, axes: Axes) -> str:
    return f"label {number(operation.old)} becomes {number(operation.new)}"


@drawn_words.register
def _(operation: Mask, axes: Axes) -> str:
    return f"the image is {number(operation.value)} where {operation.label} is below 0"


@drawn_words.register
def _(operation: Pyramid, axes: Axes) -> str:
    return f"the label at {len(operation.scales)} resolutions"


@drawn_words.register(OwnWarp)
@drawn_words.register(OwnChange)
def _(operation: Any, axes: Axes) -> str:
    parameters = ", ".join(f"{name} {value!r}" for name, value in operation.parameters.items())
    return parameters if len(parameters) <= 80 else parameters[:77] + "..."


def limits(operation: Operation) -> str:
    """Say to which targets and channels a step was limited, if it was."""
    names = "" if operation.targets is None else f" of {', '.join(operation.targets)}"
    if operation.channels is None:
        return f" (only{names})" if names else ""
    return f" (only channels {', '.join(map(str, operation.channels))}{names})"


def channels_of(value: Any) -> Any:
    """Return the values of the first image, if each image has its own."""
    return next(iter(value.values())) if isinstance(value, Mapping) else value


def numbers(value: Any, decimals: int = 2, unit: str = "") -> str:
    """Return numbers, with a true minus and none at zero; of channels, one after the other."""
    value = channels_of(value)
    if isinstance(value, Sequence) and value and isinstance(value[0], Sequence):
        return "; ".join(numbers(item, decimals, unit) for item in value)
    given = value if isinstance(value, Sequence) else [value]
    if len(given) == 3 and len(set(given)) == 1:
        given = given[:1]
    return ", ".join(f"{item:z.{decimals}f}{unit}".replace("-", MINUS) for item in given)


def number(value: float) -> str:
    """Return a number as short as it is, with a true minus."""
    return f"{value:zg}".replace("-", MINUS)
