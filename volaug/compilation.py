"""Compile kernels before they are needed."""

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import checks
from .resample import affine_transform, elastic_deform


def warmup(dtypes: Sequence[npt.DTypeLike] = ("float32",)) -> float:
    """Compile the kernels for some dtypes, or load them from the disk cache.

    For images and clusters: the cache then serves every process of this kind of processor.
    It lies in ``NUMBA_CACHE_DIR`` if that is set, else beside the package or, where that is
    read-only, in the user's cache.

    Parameters
    ----------
    dtypes : sequence of dtypes
        Of the volumes to come.

    Returns
    -------
    float
        Seconds it took.
    """
    wanted = [np.dtype(dtype) for dtype in dtypes]
    for dtype in wanted:
        checks.check_choice("dtype", dtype.name, checks.DTYPES)
    start = time.perf_counter()
    for dtype in wanted:
        volume = np.zeros((4, 4, 4), dtype)
        for interpolation in checks.INTERPOLATIONS:
            if interpolation == "linear" and dtype.name not in checks.LINEAR_DTYPES:
                continue
            affine_transform(volume, np.eye(3), interpolation=interpolation)
            elastic_deform(volume, np.zeros((3, 4, 4, 4)), interpolation=interpolation)
    return time.perf_counter() - start
