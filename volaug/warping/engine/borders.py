"""What lies outside of a volume: each border rule in numbers, as the kernels take them."""

import functools
import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ...kernels.warp.borders import RULE
from ...kernels.warp.coordinates import ROUNDING

Mode = Literal[
    "constant",
    "grid-constant",
    "edge-constant",
    "nearest",
    "reflect",
    "mirror",
    "wrap",
    "grid-wrap",
]
MODES = get_args(Mode)  # fmt: skip

# With these, the voxels that are read lie where the map goes, and not folded back from there.
UNFOLDED = ("constant", "grid-constant", "edge-constant", "nearest")

# What the coefficients of a cubic spline continue a volume by; scipy's choice.
EXTENSIONS = {
    "constant": "mirror",
    "edge-constant": "mirror",
    "mirror": "mirror",
    "wrap": "mirror",
    "reflect": "reflect",
    "grid-wrap": "grid-wrap",
    "nearest": "nearest",
    "grid-constant": "grid-constant",
}

# No index, and not next to any.
OUTSIDE = -2

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@functools.lru_cache(256)
def border_rules(mode: str, shape: tuple[int, int, int], sampler: str, padding: int = 0) -> Floats:
    """The rule of each axis, (3, len(RULE)): see `volaug.kernels.warp.borders.RULE`.

    Parameters
    ----------
    mode : one of MODES
    shape : (3,) ints
        Of the source.
    sampler : {"nearest", "linear", "cubic"}
        What reads: the nearest voxel, two on each axis, or four.
    padding : int
        How many coefficients exist beyond each end of an axis, for "cubic".
    """
    rules = np.array([_axis_rule(mode, n, sampler, padding) for n in shape])
    if shape[2] == 1 and sampler != "cubic":  # axis 2 has no stride that could be 0
        rules[2, [RULE.index("inner"), RULE.index("above")]] = -1.0, 0.0
    rules.flags.writeable = False
    return rules


def _axis_rule(mode: str, n: int, sampler: str, padding: int) -> list[float]:
    last, half = n - 1.0, n - 0.5
    # cells [0, 1), [1, 2) ... [n - 2, n - 1]; a single voxel is a cell by itself
    rule = {
        "inner_low": 0.0,
        "inner": last if n == 1 or sampler != "linear" else last - ROUNDING,
        "support_low": -math.inf,
        "support_high": math.inf,
        "fold_low": -math.inf,
        "fold_high": math.inf,
        "shift": 0.0,
        "period": 1.0,
        "turn": math.inf,
        "clamp_low": 0.0,
        "clamp_high": last,
        "last_cell": max(last - 1, 0.0),
        "above": math.inf,
        "last_nearest": last,
        "after_nearest": last,
    }
    if mode == "constant":
        rule.update(support_low=0.0, support_high=last)
    elif mode == "edge-constant":  # from -0.5 to just below n - 0.5
        rule.update(support_low=-0.5, support_high=half - ROUNDING)
    elif mode == "grid-constant":
        if sampler == "nearest":
            rule.update(support_low=-0.5, support_high=half - ROUNDING)
        else:
            rule.update(support_low=-1.0, support_high=n - ROUNDING, clamp_low=-1.0, clamp_high=n)
            rule.update(inner=last - ROUNDING, last_cell=math.inf, above=last)
    elif mode == "reflect":
        rule.update(fold_low=0.0, fold_high=last, shift=0.5, period=2.0 * n, turn=2.0 * n)
    elif mode == "mirror":  # n = 1: 0 cannot divide, others do the same
        rule.update(fold_low=0.0, fold_high=last, period=2 * last or 1.0, turn=2 * last or 1.0)
    elif mode == "wrap":
        rule.update(fold_low=0.0, fold_high=last, period=last or 1.0)
    elif mode == "grid-wrap":
        rule.update(fold_low=0.0, fold_high=last, period=float(n))
        if n > 1:
            rule.update(clamp_high=n - ROUNDING, last_cell=math.inf, above=last, after_nearest=0.0)
    if sampler == "cubic":
        rule.update(_cubic_changes(mode, n, padding))
    return [float(rule[name]) for name in RULE]


def _cubic_changes(mode: str, n: int, padding: int) -> dict[str, float]:
    """What differs for "cubic": every coefficient exists that is read, so no cell is special."""
    last, margin = n - 1.0, padding - 2.0
    changes = {"last_cell": math.inf, "above": math.inf}
    if mode == "grid-constant":
        changes.update(support_low=-margin, support_high=last + margin)
    if mode in ("nearest", "grid-constant"):
        changes.update(clamp_low=-margin, clamp_high=last + margin)
    elif mode in ("reflect", "edge-constant"):
        changes.update(clamp_low=-0.5, clamp_high=n - 0.5)
    return changes


def border_index(places: Indices, length: int, mode: str) -> Indices:
    """Which voxel of an axis of `length` a whole place reads, or `OUTSIDE`."""
    if mode in ("constant", "grid-constant", "edge-constant"):
        return np.where((places >= 0) & (places < length), places, OUTSIDE)
    if mode == "nearest":
        return np.clip(places, 0, length - 1)
    if mode == "grid-wrap":
        return places % length
    if mode == "reflect":
        turn = places % (2 * length)
        return np.minimum(turn, 2 * length - 1 - turn)
    period = max(length - 1, 1)
    if mode == "mirror":
        turn = places % (2 * period)
        return np.minimum(np.minimum(turn, 2 * period - turn), length - 1)
    # "wrap": the first voxel and the last are one place; it is the last when coming from below
    outside = np.where(places < 0, period - (-places) % period, places % period)
    return np.where((places >= 0) & (places < length), places, np.minimum(outside, length - 1))
