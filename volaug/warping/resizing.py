"""Resizing of a volume, to a shape or to a spacing."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import Interpolation
from ..kernels.warp.samplers import arithmetic_dtype
from ..threads.limits import thread_count
from .engine.borders import UNFOLDED, Mode
from .engine.gaussian import blur
from .engine.rounding import rounded
from .geometry.alignment import ALIGNS, Align, resizing_map
from .resample import as_request, warp_requests

Shape = tuple[int, int, int]

TRUNCATE = 4.0  # where the Gaussian ends, in multiples of its sigma and rounded: scipy's rule


def resample(
    volume: npt.ArrayLike,
    shape: tuple[int, int, int] | None = None,
    *,
    spacing: npt.ArrayLike | None = None,
    output_spacing: npt.ArrayLike | None = None,
    interpolation: Interpolation = "linear",
    mode: Mode = "nearest",
    cval: npt.ArrayLike = 0.0,
    align: Align = "edges",
    antialias: bool = False,
    out: Any = None,
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """Resize a volume to a shape or to a spacing.

    Parameters
    ----------
    volume : (n0, n1, n2) or (C, n0, n1, n2) array
        As in `affine_transform`.
    shape : (3,) ints, optional
        Shape of the result, without channels. Default: the one that `output_spacing` gives.
    spacing : (3,) array_like, optional
        Size of the volume's voxels along axes 0, 1, 2, in mm.
    output_spacing : (3,) array_like, optional
        Size of the result's voxels, in mm. Their number is rounded, as in nnU-Net:
        ``round(n * spacing / output_spacing)``. With "edges", the result then has voxels of exactly
        ``n * spacing / m``.
    interpolation : {"linear", "nearest", "cubic", "label"}
        As in `affine_transform`; "label" is the vote, for label maps.
    mode : str, default "nearest"
        Values outside of the outermost voxel centers, as in `affine_transform`. "nearest" repeats
        the edge voxel, as torch, skimage (``mode="edge"``) and nnU-Net do.
    cval : float or (C,) array_like, default 0.0
        Value outside, for the modes that fill.
    align : {"edges", "centers"}, default "edges"
        What stays in place. "edges", the outer faces of the volume: output voxel `o` reads
        ``(o + 0.5) * n / m - 0.5``, as in skimage, in nnU-Net, in torch, and in scipy's ``zoom``
        with ``grid_mode=True``. "centers", the centers of the first and the last voxel:
        ``o * (n - 1) / (m - 1)``, as in scipy's ``zoom`` and in torch with ``align_corners=True``.
    antialias : bool, default False
        Whether an axis that shrinks is first convolved with a Gaussian of sigma
        ``(n / m - 1) / 2`` voxels, to 4 sigma on each side: skimage's rule. For "linear" and
        "cubic". The modes that fill continue the edge voxel here.
    out : array, optional
        Array for the result, of the volume's dtype and any strides, which does not overlap it.
    threads : int, optional
        Maximum number of threads. Default: `get_num_threads()`.

    Returns
    -------
    (m0, m1, m2) or (C, m0, m1, m2) array
        `out` if given, else a new array of the volume's dtype and memory order.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If neither a shape nor both spacings are given, shape and spacings disagree, an axis would
        have no voxel, labels are to be smoothed, or as for `affine_transform`.
    MemoryError
        If the result is larger than the memory of the machine.

    See Also
    --------
    Warp.resizing : The same geometry, for several volumes, points and boxes.
    affine_transform : Resample through any affine map.

    Notes
    -----
    skimage's ``resize`` and nnU-Net cut what "cubic" overshoots to the range of the volume; this
    function does not: ``np.clip(result, volume.min(), volume.max())``. Integers are rounded once,
    with `antialias` as well.

    Examples
    --------
    >>> volume = np.arange(8.0).reshape(8, 1, 1)
    >>> volaug.resample(volume, (4, 1, 1)).ravel()
    array([0.5, 2.5, 4.5, 6.5])
    >>> volaug.resample(volume, (3, 1, 1), align="centers").ravel()
    array([0. , 3.5, 7. ])

    Bring a scan with slices of 3 mm to voxels of 1 mm:

    >>> scan = np.zeros((20, 64, 64), np.float32)
    >>> volaug.resample(scan, spacing=(3, 1, 1), output_spacing=(1, 1, 1)).shape
    (60, 64, 64)
    """
    checks.check_flag("antialias", antialias)
    checks.check_choice("align", align, ALIGNS)
    given = checks.as_volume(volume)
    lengths = _three(given.shape[-3:])
    target = _output_shape(lengths, shape, spacing, output_spacing)
    checks.check_memory((*given.shape[:-3], *target), given.dtype)
    request = as_request(given, target, interpolation, mode, cval, out)
    sigmas = _three(max(0.0, (n / m - 1) / 2) for n, m in zip(lengths, target, strict=True))
    if antialias and interpolation not in ("linear", "cubic"):
        raise ValueError(
            'antialias smooths values, for interpolation "linear" or "cubic", got '
            f"{interpolation!r}: leave antialias out for labels"
        )
    checks.warn_of_last_channels("volume", volume, stacklevel=2)
    count = thread_count(threads)
    scales, offsets = resizing_map(lengths, target, align)
    affine = np.column_stack([np.diag(scales), offsets])
    if not antialias or not any(sigmas):
        return warp_requests([request], target, affine, None, count)[0]  # type: ignore[no-any-return]
    smoothed = request._replace(
        volume=_smoothed(given, sigmas, mode, count),
        fills=request.fills.astype(arithmetic_dtype(given.dtype)),
        out=None,
        target=None,
    )
    result = rounded(warp_requests([smoothed], target, affine, None, count)[0], given.dtype)
    if request.target is None:
        return result
    request.target[...] = result
    return request.out  # type: ignore[no-any-return]


def _three(values: Any) -> tuple[Any, Any, Any]:
    a, b, c = values
    return a, b, c


def _output_shape(lengths: Shape, shape: Any, spacing: Any, output_spacing: Any) -> Shape:
    """Return the shape that is asked for, by itself or by spacings; they must agree."""
    if (spacing is None) != (output_spacing is None):
        missing = "spacing" if spacing is None else "output_spacing"
        raise ValueError(f"spacing and output_spacing go together, got no {missing}")
    if shape is None and spacing is None:
        raise ValueError("give the shape of the result, or spacing and output_spacing: got neither")
    wanted = None if shape is None else checks.as_shape("shape", shape)
    if spacing is None:
        assert wanted is not None
        return wanted
    sizes = checks.as_spacing(spacing)
    output_sizes = checks.as_spacing(output_spacing, "output_spacing")
    counts = np.round(np.array(lengths) * sizes / output_sizes)
    for axis, number in enumerate(counts.tolist()):
        if number < 1:
            raise ValueError(
                f"axis {axis} would vanish: {lengths[axis]} voxels of {sizes[axis]:g} mm are less "
                f"than half a voxel of {output_sizes[axis]:g} mm"
            )
    found = checks.as_shape("output_spacing gives a shape, which", counts.astype(np.int64))
    if wanted not in (None, found):
        raise ValueError(f"shape and spacings disagree: {wanted} is asked for, they give {found}")
    return found


def _smoothed(
    volume: npt.NDArray[Any], sigmas: tuple[float, float, float], mode: str, threads: int
) -> npt.NDArray[Any]:
    """Return a volume convolved with a Gaussian, in the floats in which it is calculated."""
    floats = volume.astype(arithmetic_dtype(volume.dtype), order="K")
    reach = _three(int(TRUNCATE * sigma + 0.5) for sigma in sigmas)
    beyond = "nearest" if mode in UNFOLDED else mode
    for channel in floats[np.newaxis] if floats.ndim == 3 else floats:
        blur(channel, sigmas, reach, threads, beyond)
    return floats
