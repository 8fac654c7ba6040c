"""Which kernel samples a row, for an interpolation and a dtype."""

import functools
from typing import Any

import numpy as np
from numba import from_dtype

from ..jit.dtypes import arithmetic
from ..jit.function_pointers import address_of
from .cubic import cubic_row
from .label_rows import label_row
from .linear import linear_row
from .nearest import nearest_row

SAMPLERS = {"nearest": nearest_row, "linear": linear_row, "cubic": cubic_row, "label": label_row}


@functools.cache
def arithmetic_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The float dtype in which voxels of a dtype are interpolated, as a dtype of numpy."""
    return np.dtype(arithmetic(from_dtype(dtype)).name)


def fraction_dtype(interpolation: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the weights; nothing is calculated with what is picked or voted for."""
    interpolates = interpolation in ("linear", "cubic")
    return arithmetic_dtype(dtype) if interpolates else np.dtype(np.float32)


@functools.cache
def sampler_address(interpolation: str, dtype: np.dtype[Any]) -> int:
    """The address of the compiled sampler of volumes of a dtype."""
    target = dtype
    if interpolation in ("nearest", "label"):  # bits are copied and compared, whatever they mean
        signed = interpolation == "label" and dtype.kind == "i"
        target = np.dtype(f"{'i' if signed else 'u'}{dtype.itemsize}")
    source = arithmetic_dtype(dtype) if interpolation == "cubic" else target
    fraction = fraction_dtype(interpolation, dtype)
    types = (from_dtype(kind) for kind in (source, target, fraction))
    return address_of(SAMPLERS[interpolation], *types)
