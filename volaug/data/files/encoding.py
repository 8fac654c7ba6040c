"""Voxels as a file stores them: in its dtype, with its scale where that holds them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Stored(NamedTuple):
    """Voxels as they are stored: ``slope * voxels + intercept`` are the values."""

    voxels: Array
    slope: float
    intercept: float


def stored_voxels(
    values: Array, dtype: np.dtype[Any], slope: float = 1.0, intercept: float = 0.0
) -> Stored:
    """Return values in the dtype of a file.

    Parameters
    ----------
    values : array
        What the voxels mean.
    dtype : numpy.dtype
        Of the file; any byte order.
    slope, intercept : float
        The file's scale. If integers of the dtype cannot hold all values with it, the scale is
        changed to one that spans the values. Without a scale (1 and 0) values are rounded and
        saturate, as results of integer images do.

    Returns
    -------
    Stored
    """
    if values.dtype == dtype:
        return Stored(values, slope, intercept)
    if (slope, intercept) == (1.0, 0.0):
        return Stored(_rounded(values, dtype), slope, intercept)
    with np.errstate(all="ignore"):
        raw = (values.astype(np.float64) - intercept) / slope
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            finite = values[np.isfinite(values)]
            found = (finite - intercept) / slope if finite.size else np.zeros(1)
            if found.min() < limits.min - 0.5 or found.max() > limits.max + 0.5:
                low, high = float(finite.min()), float(finite.max())
                # headers have 32 bits for each
                slope = float(np.float32((high - low) / (float(limits.max) - float(limits.min))))
                intercept = float(np.float32(low - slope * float(limits.min)))
                raw = (values.astype(np.float64) - intercept) / slope
            raw[np.isnan(raw)] = np.clip(-intercept / slope, limits.min, limits.max)
    return Stored(_rounded(raw, dtype), slope, intercept)


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Values in a dtype; as integers rounded, and saturated if they are out of range."""
    if dtype.kind not in "iu" or values.dtype.kind == "b":
        with np.errstate(over="ignore"):
            return values.astype(dtype)
    limits = np.iinfo(dtype)
    if values.dtype.kind in "iu":
        own = np.iinfo(values.dtype)
        return np.clip(values, max(limits.min, own.min), min(limits.max, own.max)).astype(dtype)
    with np.errstate(invalid="ignore"):
        whole = np.rint(values.astype(np.float64))
    whole[np.isnan(whole)] = 0.0
    # a float64 cannot hold the maximum of 64 bits: what reaches it is set apart
    above, below = whole >= float(limits.max), whole <= float(limits.min)
    result = np.where(above | below, 0.0, whole).astype(dtype)
    result[above], result[below] = limits.max, limits.min
    return result
