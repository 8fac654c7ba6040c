"""The steps of a pipeline in plain words: what each does, within which range, how often."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from ..transforms.base import SelectiveStep, Transform
from ..transforms.group import Group
from ..transforms.ranges import (
    Pair,
    angles,
    as_triple,
    factors,
    lengths,
    positive,
    shares,
    slopes,
    stretches,
    symmetric,
    widths,
)
from ..transforms.registry import (
    CenterCrop,
    LabelPyramid,
    MaskImage,
    Normalize,
    OneOf,
    RandomAffine,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomCubeSymmetry,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    RemapLabels,
)
from .drawn_words import TIMES, number

MAX_FACTOR, MAX_POWER, MAX_STD = 100.0, 10.0, 1e6
INDENT = "  "


def words_of_steps(transforms: Any, depth: int = 0) -> Iterator[str]:
    """Yield a line for each step: how often it is applied, its name, and what it does."""
    for step in transforms:
        often = "each axis" if isinstance(step, RandomFlip) else ""
        share = f"{100 * step.p:.0f} % {often}".strip()
        name = step.name or type(step).__name__
        yield f"{share:>15}  {INDENT * depth}{name}: {step_words(step)}{limits(step)}"
        if isinstance(step, Group):
            yield from words_of_steps(step.transforms, depth + 1)


@functools.singledispatch
def step_words(step: Transform) -> str:
    """Say what a step does, and within which range."""
    return repr(step)


@step_words.register
def _(step: Group) -> str:
    return "all of"


@step_words.register
def _(step: OneOf) -> str:
    if step.weights is None:
        return "one of"
    return f"one of, with the weights {', '.join(map(number, step.weights))}"


@step_words.register
def _(step: RandomFlip) -> str:
    axes = step.axes if isinstance(step.axes, tuple) else (step.axes,)
    return f"mirrors {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"


@step_words.register
def _(step: RandomTranslation) -> str:
    return f"moves by {along(lengths('translation', step.translation), ' mm')}"


@step_words.register
def _(step: RandomRotation) -> str:
    if step.degrees == "uniform":
        return "rotates; all rotations are equally likely"
    pairs = angles(step.degrees)
    if step.axis is None:
        return f"rotates by {along(pairs, '°')}"
    axis = "a random axis" if step.axis == "random" else f"the axis {step.axis}"
    return f"rotates by {span(pairs[0], '°')} about {axis}"


@step_words.register
def _(step: RandomScaling) -> str:
    return f"scales {TIMES} {along(stretches(step.scale))}{together(step)}"


@step_words.register
def _(step: RandomShear) -> str:
    return f"shears by {along(slopes(step.shear))}"


@step_words.register
def _(step: RandomAffine) -> str:
    parts = [
        f"scales {TIMES} {along(stretches(step.scale))}{together(step)}",
        f"shears by {along(slopes(step.shear))}",
        f"rotates by {along(angles(step.degrees), '°')}",
        f"moves by {along(lengths('translation', step.translation), ' mm')}",
    ]
    return "; ".join(parts)


@step_words.register
def _(step: RandomCubeSymmetry) -> str:
    kinds = "permutes and mirrors axes" if step.reflections else "rotates by quarter turns"
    return f"{kinds}, where the axes are equally long"


@step_words.register
def _(step: RandomElastic) -> str:
    reach = as_triple("max_displacement", step.max_displacement, 0.0, MAX_STD)
    text = ", ".join(map(number, reach[:1] if len(set(reach)) == 1 else reach))
    points = step.num_control_points
    lattice = points if isinstance(points, tuple) else (points,) * 3
    folds = ", without folds" if step.folding == "forbid" else ""
    return f"bends by up to {text} mm with {_product(lattice)} control points{folds}"


@step_words.register(RandomCrop)
@step_words.register(CenterCrop)
def _(step: Any) -> str:
    shape = step.shape if isinstance(step.shape, tuple) else (step.shape,) * 3
    where = "anywhere" if isinstance(step, RandomCrop) else "from the middle"
    return f"crops {_product(shape)} voxels {where}"


@step_words.register
def _(step: RandomContrast) -> str:
    return f"differences from the mean {TIMES} {span(factors('factor', step.factor, MAX_FACTOR))}"


@step_words.register
def _(step: RandomBrightness) -> str:
    text = f"values {TIMES} {span(factors('factor', step.factor, MAX_FACTOR))}"
    added = symmetric("std_shift", step.std_shift, MAX_FACTOR)
    return text if added == (0.0, 0.0) else f"{text}, and {span(added)} standard deviations added"


@step_words.register
def _(step: RandomGamma) -> str:
    text = f"power {span(factors('gamma', step.gamma, MAX_POWER))}"
    inverted = f"{100 * step.p_inverted:.0f} %"
    return text if not step.p_inverted else f"{text}, of the inverted image in {inverted}"


@step_words.register
def _(step: RandomHistogramShift) -> str:
    shift = span(symmetric("knot_shift", step.knot_shift, 0.5))
    return f"a random tone curve of {step.num_control_points} points, shifted by {shift} spacings"


@step_words.register
def _(step: RandomNoise) -> str:
    unit = "standard deviations" if step.relative else "in units of the values"
    return f"{step.kind.capitalize()} noise of {span(positive('std', step.std, MAX_STD))} {unit}"


@step_words.register
def _(step: RandomBlur) -> str:
    return f"Gaussian with a sigma of {along(widths(step.sigma), ' mm')}{together(step)}"


@step_words.register
def _(step: RandomLowResolution) -> str:
    pairs = shares(step.resolution)
    return f"resolution {TIMES} {along(pairs)}{together(step)}"


@step_words.register
def _(step: RandomBiasField) -> str:
    low, high = positive("strength", step.strength, MAX_FACTOR)
    points = step.num_control_points
    lattice = points if isinstance(points, tuple) else (points,) * 3
    amount = span((1.0 + low, 1.0 + high))
    return f"a smooth factor of at most {amount}, {_product(lattice)} control points"


@step_words.register
def _(step: Normalize) -> str:
    if step.method == "z-score":
        return "mean 0 and standard deviation 1"
    limits = step.percentiles if step.method == "percentiles" else step.window
    assert limits is not None
    what = "percentiles" if step.method == "percentiles" else "values"
    low, high = step.output_range
    return f"{what} {', '.join(map(number, limits))} become {number(low)} and {number(high)}"


@step_words.register
def _(step: RemapLabels) -> str:
    return f"label {number(step.old)} becomes {number(step.new)}"


@step_words.register
def _(step: MaskImage) -> str:
    return f"the image becomes {number(step.value)} where {step.label} is below 0"


@step_words.register
def _(step: LabelPyramid) -> str:
    return f"the label at the resolutions {', '.join(map(_scale, step.scales))}"


def _product(counts: Sequence[int]) -> str:
    return f" {TIMES} ".join(map(str, counts))


def _scale(scale: Any) -> str:
    return f" {TIMES} ".join(map(number, scale)) if isinstance(scale, tuple) else number(scale)


def span(pair: Pair, unit: str = "") -> str:
    """Return a range, or its one value."""
    low, high = (number(round(value, 3) + 0.0) for value in pair)
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def along(pairs: Any, unit: str = "") -> str:
    """Return a range for each axis, or one for all."""
    spans = [span(pair, unit) for pair in pairs]
    if len(set(spans)) == 1:
        return f"{spans[0]} for each axis"
    active = [axis for axis, pair in enumerate(pairs) if any(pair)]
    return ", ".join(f"{spans[axis]} for axis {axis}" for axis in active)


def together(step: Any) -> str:
    """Say that all axes share one draw, if they do."""
    return ", one draw for all" if step.isotropic else ""


def limits(step: Transform) -> str:
    """Say to which targets, channels and voxels a step is limited."""
    if not isinstance(step, SelectiveStep):
        return ""
    parts = []
    if step.include is not None:
        parts.append(f"only {', '.join(step.include)}")
    if step.exclude is not None:
        parts.append(f"not {', '.join(step.exclude)}")
    if step.channels is not None:
        chosen = step.channels if isinstance(step.channels, tuple) else (step.channels,)
        parts.append(f"channels {', '.join(map(str, chosen))}")
    if getattr(step, "per_channel", False):
        parts.append("each channel by itself")
    mask = getattr(step, "mask", None)
    if mask is not None:
        parts.append(f"where {mask} is over 0" if isinstance(mask, str) else f"over {mask:g}")
    return f" ({'; '.join(parts)})" if parts else ""
