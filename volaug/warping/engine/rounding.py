"""Floats as voxels of a dtype, for what no kernel writes."""

from typing import Any

import numpy as np
import numpy.typing as npt


def rounded(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return floats as voxels: as integers, rounded half away from zero, and within the limits."""
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    whole = np.trunc(values)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        whole += np.copysign(np.abs(values - whole) >= 0.5, values)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    result = np.empty_like(values, dtype)
    beyond = whole >= float(high)  # a float may be the limit of 64 bits only by rounding up
    result[...] = np.where(beyond, float(low), np.maximum(whole, float(low)))
    result[beyond] = high
    return result
