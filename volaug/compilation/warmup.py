"""Compile kernels for this processor, or load them."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..kernels.warp.samplers import sampler_address
from ..transforms.label_values import exchange
from ..transforms.operation import ValueOperation
from ..transforms.registry import OPERATIONS
from ..warping.resample import affine_transform, elastic_deform
from ..warping.warp import Warp
from .bar import progress_bar
from .processes import report_done, run_in_parts

CUBE = 40  # voxels on a side, so that a turn is not too small for the kernels that copy

KINDS = {"image": "image", "label": "label"}

MAX_PROCESSES = 1024

COMPILE_PART = """
from volaug.compilation.warmup import compile_part
compile_part({dtypes}, *part)
"""


def warmup(
    dtypes: Sequence[npt.DTypeLike] = ("float32",), *, processes: int = 1, progress: bool = False
) -> float:
    """Compile the kernels for some dtypes, or load them from the disk cache or a pack.

    Call it in the image of a container or on a cluster: the cache then serves every process on this
    kind of processor. It is in ``NUMBA_CACHE_DIR`` if that is set; else beside the package, or in
    the user's cache folder where the former cannot be written or others can write. `docs/trust.md`
    says who may own it, and `docs/first_call.md` what serves several kinds of processors.

    Parameters
    ----------
    dtypes : sequence of dtypes, default ("float32",)
        Dtypes of the volumes to come, of images and labels.
    processes : int, default 1
        How many processes compile side by side; they share the disk cache.
    progress : bool, default False
        Whether a bar on standard error shows how far it is. That needs rich (``volaug[cli]``).

    Returns
    -------
    float
        Seconds it took.

    Raises
    ------
    TypeError
        If an item is not a dtype, or an argument is not of the type above.
    ValueError
        If volaug has no kernels for a dtype, or the number of processes is not from 1 to 1024.
    ModuleNotFoundError
        If a bar is wanted and rich is not installed.

    See Also
    --------
    set_num_threads : Limit the threads of later calls.

    Examples
    --------
    >>> volaug.warmup(["float32"]) > 0.0
    True
    """
    names = dtype_names(dtypes)
    processes = checks.as_whole("processes", processes, 1, MAX_PROCESSES)
    checks.check_flag("progress", progress)
    start = time.perf_counter()
    tasks = list(_tasks(names))
    if processes > 1:
        code = COMPILE_PART.format(dtypes=names)
        with progress_bar(progress, "Compiling kernels", len(tasks)) as advance:
            run_in_parts(code, processes, advance)  # what one of them leaves is compiled below
    with progress_bar(progress, "Loading kernels", len(tasks)) as advance:
        for task in tasks:
            task()
            advance()
    return time.perf_counter() - start


def dtype_names(dtypes: Sequence[npt.DTypeLike]) -> list[str]:
    """Return the names of dtypes that there are kernels for."""
    names = [np.dtype(dtype).name for dtype in dtypes]
    for name in names:
        checks.check_choice("dtype", name, checks.DTYPES)
    return names


def compile_part(dtypes: Sequence[str], number: int, parts: int) -> None:
    """Do the tasks ``number``, ``number + parts``, ... that compile kernels for some dtypes."""
    for task in list(_tasks(dtypes))[number::parts]:
        task()
        report_done()


def _tasks(dtypes: Sequence[str]) -> Iterator[Callable[[], object]]:
    """What calls every kernel, in pieces that have few kernels in common; the longest first."""
    control_points = np.zeros((3, 4, 4, 4))
    warp = Warp((CUBE,) * 3, np.eye(3), control_points=control_points)
    volumes = [np.zeros((CUBE,) * 3, dtype) for dtype in dtypes]
    for volume in volumes:  # the walks, and the sampler of both
        yield partial(affine_transform, volume, 0.5 * np.eye(3))
        yield partial(elastic_deform, volume, control_points)
    for volume in volumes:
        for interpolation in checks.INTERPOLATIONS:
            yield partial(sampler_address, interpolation, volume.dtype)
    yield warp.min_jacobian_determinant
    yield partial(warp.points_to_output, np.zeros((1, 3)))
    yield warp.jacobian_determinant
    for volume in volumes:
        for operation in OPERATIONS.values():
            for example in operation.examples() if issubclass(operation, ValueOperation) else ():
                yield partial(_apply, example, volume)
    for volume in volumes:
        yield partial(affine_transform, volume, np.eye(3)[::-1])
        yield partial(affine_transform, volume, np.diag((1, 1, -1)), (0, 0, CUBE - 1))
        yield partial(exchange, volume, [(0, 1)], 1)
        # what is left: the spline filter, and walks with other weights
        for interpolation in checks.INTERPOLATIONS:
            yield partial(affine_transform, volume, 0.5 * np.eye(3), interpolation=interpolation)
            yield partial(elastic_deform, volume, control_points, interpolation=interpolation)


def _apply(operation: ValueOperation, volume: npt.NDArray[Any]) -> None:
    """Apply an operation in place."""
    volume[0] = 1  # of one value there would be nothing to change
    operation.apply({"image": volume, "label": volume}, KINDS, 1)
