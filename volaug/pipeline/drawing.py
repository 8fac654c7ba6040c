"""Which steps of a pipeline are applied for a key, and what they draw."""

import itertools
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..keys import Key, RandomStream
from ..serialization import check_names
from ..transforms.base import FixedStep, SelectiveStep, Step, Transform
from ..transforms.crop import Crop
from ..transforms.elastic import Elastic
from ..transforms.group import Group
from ..transforms.masked import MaskedStep, check_mask
from ..transforms.operation import Operation, ValueOperation
from ..warping.fusion import Grid
from .record import Record
from .targets import Target, blank, check_cvals

Labels = tuple[str, tuple[Any, ...]]  # of a transform, and of those within it


def labeled(outermost: Transform) -> Labels:
    """Return a label for each transform: its name, or its class and its number in that class."""
    count: Counter[str] = Counter()

    def label(transform: Transform) -> Labels:
        kind = type(transform).__name__
        own = transform.name
        if own is None:
            count[kind] += 1
            own = kind if count[kind] == 1 else f"{kind} {count[kind]}"
        inner = transform.transforms if isinstance(transform, Group) else ()
        return own, tuple(map(label, inner))

    def flat(labels: Labels) -> list[str]:
        return [labels[0], *itertools.chain.from_iterable(map(flat, labels[1]))]

    labels = label(outermost)
    name, times = Counter(flat(labels)).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{times} transforms are named {name!r}; names must be unique")
    return labels


def drawn_steps(
    pipeline: Transform,
    labels: Labels,
    key: Key,
    grid: Grid,
    kinds: Mapping[str, str],
    window: Crop | None,
) -> tuple[tuple[str, Operation], ...]:
    """Return what a pipeline draws for an image, or for a window of it, with the steps' labels.

    `kinds` are those of the targets, by name.
    """
    if isinstance(grid.channels, Mapping) and set(grid.channels) == {"image"}:
        # the same draws, and for images of any name
        grid = grid._replace(channels=grid.channels["image"])
    steps: list[tuple[str, Operation]] = []
    if window is not None:
        steps.append(("window", window))
        grid = grid.cropped(window.start, window.shape)
    draw_steps(pipeline, labels, key, grid, kinds, steps)
    return tuple(steps)


def draw_steps(
    transform: Transform,
    labels: Labels,
    key: Key,
    grid: Grid,
    kinds: Mapping[str, str],
    steps: list[tuple[str, Operation]],
    asked: bool = True,
) -> Grid:
    """Append what a transform draws for an image to the steps; return the grid after them."""
    label, inner_labels = labels
    stream = RandomStream(key, label)
    if asked and not transform.happens(stream):
        return grid
    if isinstance(transform, Step):
        operation = transform.draw(grid, stream)
        if operation is not None:
            steps.append((label, transform.limited(operation, kinds)))
        if isinstance(operation, Crop):
            return grid.cropped(operation.start, operation.shape)
        return grid
    assert isinstance(transform, Group)
    for place in transform.chosen(stream):
        inner = transform.transforms[place], inner_labels[place]
        grid = draw_steps(*inner, key, grid, kinds, steps, transform.asks)
    return grid


def check_volumes(pipeline: Group, table: Mapping[str, Target], volumes: Mapping[str, Any]) -> None:
    """Check that volumes suit a pipeline, by their shapes and dtypes alone.

    Whatever is drawn, their dtypes must hold the values outside, and what steps such as `MaskImage`
    write.

    Raises
    ------
    ValueError
        If a dtype does not hold a `cval` or what a step writes, or a step lacks its label or mask.
    """
    blanks = {name: blank(tuple(v.shape), v.dtype) for name, v in volumes.items()}
    check_cvals(table, blanks)
    kinds = {name: table[name].kind for name in volumes}
    for step in pipeline.steps():
        if isinstance(step, FixedStep):
            operation = step.limited(step.operation, kinds)
            assert isinstance(operation, ValueOperation)
            operation.check(blanks, kinds)
        elif isinstance(step, MaskedStep):
            check_mask(type(step).__name__, step.mask, blanks)


def unknown_targets(pipeline: Group, table: Mapping[str, Target]) -> str:
    """Return what is wrong with the names of `include`, `exclude` and `mask`, or nothing."""
    for step in pipeline.steps():
        if not isinstance(step, SelectiveStep):
            continue
        what = f"target that {type(step).__name__}"
        try:
            check_names(f"{what} includes", step.include or (), table)
            check_names(f"{what} excludes", step.exclude or (), table)
            if isinstance(step, MaskedStep) and isinstance(step.mask, str):
                check_names(f"target that is the mask of {type(step).__name__}", [step.mask], table)
        except ValueError as error:
            return str(error)
        wanted = step.target_kind
        # others beside them are left alone, as in TorchIO
        if wanted and step.include and all(table[n].kind != wanted for n in step.include):
            return (
                f"{type(step).__name__} changes targets of kind {wanted!r}, but it includes "
                f"{', '.join(map(repr, step.include))}"
            )
    return ""


def warn_of_sides(labels: list[str]) -> None:
    """Warn that labels of a mirrored head keep their numbers."""
    warnings.warn(
        f"this pipeline mirrors left and right, and the labels of {', '.join(map(repr, labels))} "
        "keep their numbers: if these tell the sides apart, give the pairs, such as "
        "swap={(17, 53)}, in a file swap = [[17, 53]]; if they do not, give swap=set(), in a file "
        "swap = []",
        stacklevel=4,
    )


def warn_of_folding(record: Record) -> None:
    """Warn that displacements are smaller than drawn."""
    named = [name for name, operation in record.steps if isinstance(operation, Elastic)]
    warnings.warn(
        f"{', '.join(named)}: displacements would fold and were made smaller, to "
        f"{100.0 * min(record.elastic_factors):.0f} % of what was drawn. So will be those of "
        "other samples, without a warning; Record.elastic_factors has the factors. Choose a "
        "smaller max_displacement or num_control_points, or folding='allow'",
        stacklevel=4,
    )
