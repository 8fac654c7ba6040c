"""What a sample is and what was drawn for it, in a few lines for people."""

import itertools
from collections.abc import Mapping
from typing import Any

from ..serialization import arguments, normalize, shown
from ..transforms.elastic import Elastic
from ..transforms.operation import Operation, ValueOperation
from ..warping.warp import Warp
from .drawn import Drawn

# Of one step: a step of a user may have drawn long lists.
MAX_LENGTH = 400


def description(targets: Mapping[str, Any], record: Drawn) -> str:
    """Return a line for each target and each step that was applied.

    Parameters
    ----------
    targets : mapping from names to arrays
        Of a sample.
    record : Drawn
        What was drawn for it.
    """
    lines = [f"Sample of {record.key}"]
    width = max(map(len, targets), default=0)
    lines += [f"  {name:{width}}  {_form(value)}" for name, value in targets.items()]
    lines.append("  drawn:" if record.steps else "  drawn: nothing")
    for (name, operation), factor in zip(record.steps, _factors(record), strict=True):
        text = f"    {name}: {_drawn(operation)}"
        if isinstance(operation, Elastic) and factor < 1.0:
            text += f", shrunk to {factor * operation.amplitude:.3g} so that it cannot fold"
        lines.append(text)
    return "\n".join(lines)


def _form(value: Any) -> str:
    """The dtype and the shape of an array, or of each level of a pyramid."""
    if isinstance(value, list):
        return "; ".join(map(_form, value))
    if hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)}"
    return shown(value)


def _drawn(operation: Operation) -> str:
    """What a step drew: the arguments that are not as by default, with few digits."""
    if isinstance(operation, Elastic):
        return repr(operation)
    values = {
        item.name: getattr(operation, item.name)
        for item in arguments(operation)
        if item.repr and getattr(operation, item.name) != item.default
    }
    limits = (item.name for item in arguments(operation) if item.kw_only)  # targets, mask
    last = {name: values.pop(name) for name in limits if name in values}
    numbers = (f"{name}={_rounded(normalize(value))!r}" for name, value in (values | last).items())
    text = f"{type(operation).__name__}({', '.join(numbers)})"
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."


def _rounded(value: Any) -> Any:
    """Numbers to three decimals, or to three digits if less than 1."""
    if isinstance(value, tuple):
        return tuple(map(_rounded, value))
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if not isinstance(value, float):
        return value
    return round(value, 3) if abs(value) >= 1.0 else float(f"{value:.3g}")


def _factors(record: Drawn) -> list[float]:
    """For each step, the factor that the displacements of its warp were shrunk by."""
    factors: list[float] = []
    # where targets have warps of their own, each has a factor of its own, which is not kept
    known = zip(record.warp_stages, record.elastic_factors, strict=True)
    warps = iter([factor if isinstance(warp, Warp) else 1.0 for warp, factor in known])
    runs = itertools.groupby(record.steps, lambda step: isinstance(step[1], ValueOperation))
    for number, (changes_values, steps) in enumerate(runs):
        if changes_values and number == 0:
            next(warps)  # the first warp moves nothing
        factor = 1.0 if changes_values else next(warps)
        factors += [factor for _ in steps]
    return factors
