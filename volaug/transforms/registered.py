"""The steps of users by name, and the parameters that records keep of them."""

import json
import math
from typing import Any

from ..serialization import normalize, shown

REGISTERED: dict[str, type[Any]] = {}


def registered_steps() -> dict[str, type[Any]]:
    """Return the steps of users by name."""
    return dict(REGISTERED)


def registered(name: str, *methods: str) -> type[Any]:
    """Return the step of a user, which has one of some methods, or raise."""
    kind = REGISTERED.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(map(repr, REGISTERED)) or "none"
        raise ValueError(
            f"the step {name!r} is not registered here, there are {known}: import the module that "
            "defines it with @volaug.register"
        )
    if methods and not any(hasattr(kind, method) for method in methods):
        raise ValueError(f"the step {name!r} must have {' or '.join(methods)}, and has none")
    return kind


def _is_plain(value: Any) -> bool:
    """Whether a normalized value comes back from JSON."""
    if type(value) is float and math.isfinite(value):  # nearly all, in a tenth of the time
        return True
    try:
        return bool(normalize(json.loads(json.dumps(value, allow_nan=False))) == value)
    except (TypeError, ValueError):
        return False


def as_parameters(step: str, given: Any) -> dict[str, Any]:
    """Return the parameters of a draw as plain values, or raise."""
    values = normalize(given)
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise TypeError(f"{step} must draw parameters by name, in a dict, got {shown(given)}")
    for name, value in values.items():
        if not _is_plain(value):
            raise TypeError(
                f"the parameter {name!r} of {step} must be made of finite numbers, strings and "
                f"lists, which a record can hold, got {shown(value)}"
            )
    return values
