"""Compile kernels before they are needed."""

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import checks
from .transforms.label_values import exchange
from .transforms.operation import ValueOperation
from .transforms.registry import OPERATIONS
from .warping.resample import affine_transform, elastic_deform
from .warping.warp import Warp

CUBE = 40  # voxels on a side, so that a turn is not too small for the kernels that copy

KINDS = {"image": "image", "label": "label"}


def warmup(dtypes: Sequence[npt.DTypeLike] = ("float32",)) -> float:
    """Compile the kernels for some dtypes, or load them from the disk cache.

    Call it in the image of a container or on a cluster: the cache then serves every process on this
    kind of processor. It is in ``NUMBA_CACHE_DIR`` if that is set; else beside the package, or in
    the user's cache folder where the former cannot be written or others can write. `docs/trust.md`
    says who may own it.

    Parameters
    ----------
    dtypes : sequence of dtypes, default ("float32",)
        Dtypes of the volumes to come, of images and labels.

    Returns
    -------
    float
        Seconds it took.

    Raises
    ------
    TypeError
        If one is not a dtype.
    ValueError
        If volaug has no kernels for a dtype.

    See Also
    --------
    set_num_threads : Limit the threads of later calls.

    Examples
    --------
    >>> volaug.warmup(["float32"]) > 0.0
    True
    """
    wanted = [np.dtype(dtype) for dtype in dtypes]
    for dtype in wanted:
        checks.check_choice("dtype", dtype.name, checks.DTYPES)
    start = time.perf_counter()
    control_points = np.zeros((3, 4, 4, 4))
    warp = Warp((CUBE,) * 3, np.eye(3), control_points=control_points)
    warp.min_jacobian_determinant()
    warp.jacobian_determinant()
    warp.points_to_output(np.zeros((1, 3)))
    for dtype in wanted:
        volume = np.zeros((CUBE,) * 3, dtype)
        affine_transform(volume, np.eye(3)[::-1])
        affine_transform(volume, np.diag((1, 1, -1)), (0, 0, CUBE - 1))
        for interpolation in checks.INTERPOLATIONS:
            affine_transform(volume, 0.5 * np.eye(3), interpolation=interpolation)
            elastic_deform(volume, control_points, interpolation=interpolation)
        for operation in OPERATIONS.values():
            for example in operation.examples() if issubclass(operation, ValueOperation) else ():
                volume[0] = 1  # of one value there would be nothing to change
                example.apply({"image": volume, "label": volume}, KINDS, 1)
        exchange(volume, [(0, 1)], 1)
    return time.perf_counter() - start
