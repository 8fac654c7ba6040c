"""Resampling of a volume through an affine map or a B-spline deformation, in one pass."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import Interpolation
from ..threads.limits import thread_count
from .engine import copies, memory_layout as layout
from .engine.allocation import keep_for_next_call
from .engine.borders import EXTENSIONS, MODES, Mode
from .engine.packing import packed_channels, packed_fills, unpack_channels
from .engine.prefilter import padded_coefficients
from .engine.walk import Sampling, warp_volumes


def affine_transform(
    volume: npt.ArrayLike,
    matrix: npt.ArrayLike,
    offset: npt.ArrayLike = 0.0,
    *,
    output_shape: tuple[int, int, int] | None = None,
    interpolation: Interpolation = "linear",
    mode: Mode = "constant",
    cval: npt.ArrayLike = 0.0,
    out: Any = None,
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """Resample a volume through an affine map.

    ``result[o] = volume[matrix @ o + offset]``: the map leads from output voxels to input voxels,
    as in ``scipy.ndimage.affine_transform``. Voxel centers lie at integers.

    Parameters
    ----------
    volume : (n0, n1, n2) or (C, n0, n1, n2) array
        Volume of bool, integers, float16, float32 or float64, in any strides and byte order: a
        NumPy array, or what shares its memory as one, such as a CPU tensor of torch. It is read
        without a copy where voxels are adjacent along one axis.
    matrix : (3, 3), (3, 4) or (4, 4) array_like
        Invertible matrix, in voxels. The last column of the latter two is the offset.
    offset : float or (3,) array_like, default 0.0
        Offset in input voxels; only with a (3, 3) matrix.
    output_shape : (3,) ints, optional
        Shape of the result without channels. Default: the volume's.
    interpolation : {"linear", "nearest", "cubic", "label"}
        "linear": the trilinear mean of eight voxels. "nearest": the nearest voxel, half rounds up.
        "cubic": the cubic B-spline through the voxels, which can exceed their range. "label", for
        label maps: the label with the largest sum of trilinear weights; among ties, that of the
        nearest voxel, or else the smallest.
    mode : str, default "constant"
        Values outside of the outermost voxel centers, by the names and rules of ``scipy.ndimage``:
        "constant" (`cval`, a hard cut), "grid-constant" (blends into `cval` over one voxel: torch's
        zeros), "nearest" (d d d | d), "reflect" (c d | d c), "mirror" (c | d | c), "wrap" (period
        n - 1), "grid-wrap" (period n); and ITK's "edge-constant" (the edge voxel goes on for half a
        voxel, then `cval`).
    cval : float or (C,) array_like, default 0.0
        Value outside, one or one per channel; the volume's dtype must hold it.
    out : (m0, m1, m2) or (C, m0, m1, m2) array, optional
        Array for the result, of the volume's dtype and any strides, which does not overlap it.
    threads : int, optional
        Maximum number of threads. Default: `get_num_threads()`.

    Returns
    -------
    (m0, m1, m2) or (C, m0, m1, m2) array
        `out` if given, else a new array of the volume's dtype and memory order. The bits are the
        same for any number of threads.

    Raises
    ------
    TypeError
        If the volume's dtype is none of these, or an argument is not of the type above.
    ValueError
        If a shape is wrong, the matrix is singular or not finite, a choice is unknown, the dtype
        does not hold `cval`, or `out` does not fit or overlaps. Errors are raised before any work.

    See Also
    --------
    elastic_deform : Resample through a deformation.
    Warp : The same map for several volumes, points and boxes.

    Notes
    -----
    Coordinates are float64, rounded to multiples of 2^-32 voxel, so that a coordinate 1e-12 voxel
    outside of the volume, by a rounding error, counts as inside. A map of whole voxels to whole
    voxels (a flip, a whole shift, a quarter turn) copies.

    "linear" and "cubic" calculate in float32, and in float64 for integers of 32 and 64 bits and for
    float64. Integers round half away from zero and saturate. "nearest" and "label" copy bits, and
    "label" compares them (so that 0.0 and -0.0 are two labels): labels never pass through a float.

    A NaN or infinite voxel affects only results that read it with a weight that is not zero; with
    "cubic", a whole neighborhood (see `spline_filter`). "cubic" stores coefficients for the whole
    volume, and keeps up to 128 MiB of memory for the next call; all else needs a few rows per
    thread.

    "label" is the argmax of the linearly interpolated indicators of all labels, as in nnU-Net
    (`batchgeneratorsv2`, ``SpatialTransform`` with ``mode_seg="bilinear"``), in one pass. nnU-Net
    rounds sums to float16, and so can choose another label where two differ by less than 1e-3. Here
    weights are rounded to 2^-17 voxel, so that sums and ties are exact.

    The channels of a label map that hold 0 and 1 vote together: a label is a combination of
    channels. So one-hot labels stay one-hot, and regions that overlap stay consistent. Voxels
    outside belong to the channels that `cval` says: (1, 0, 0) is the first of three, and 0 is none.
    Channels with other numbers vote one by one, and so do more than 62 channels that overlap.

    Examples
    --------
    >>> volume = np.arange(8.0).reshape(8, 1, 1)
    >>> volaug.affine_transform(volume, np.eye(3), (0.5, 0, 0)).ravel()
    array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 0. ])
    """
    affine = checks.as_affine(matrix, offset)
    shape = None if output_shape is None else checks.as_shape("output_shape", output_shape)
    request = as_request(volume, shape, interpolation, mode, cval, out)
    checks.warn_of_last_channels("volume", volume, stacklevel=2)
    result: npt.NDArray[Any] = warp_requests([request], shape, affine, None, threads)[0]
    return result


def elastic_deform(
    volume: npt.ArrayLike,
    control_points: npt.ArrayLike,
    *,
    matrix: npt.ArrayLike | None = None,
    offset: npt.ArrayLike = 0.0,
    output_shape: tuple[int, int, int] | None = None,
    interpolation: Interpolation = "linear",
    mode: Mode = "constant",
    cval: npt.ArrayLike = 0.0,
    out: Any = None,
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """Resample a volume through a cubic B-spline deformation and an affine map.

    ``result[o] = volume[matrix @ (o + u(o)) + offset]``, where the displacement ``u`` is a cubic
    B-spline over the output grid.

    Parameters
    ----------
    volume : (n0, n1, n2) or (C, n0, n1, n2) array
        As in `affine_transform`.
    control_points : (3, k0, k1, k2) array_like
        Coefficients of the displacement along axes 0, 1, 2, in output voxels; 4 or more along each
        axis. The spline approximates them: no displacement exceeds the largest coefficient. Knots
        are ``(m - 1) / (k - 3)`` voxels apart on an axis of `m` voxels; the first span begins at
        the first voxel.
    matrix : (3, 3), (3, 4) or (4, 4) array_like, optional
        As in `affine_transform`. Default: the identity.
    offset, output_shape, interpolation, mode, cval, out, threads : optional
        As in `affine_transform`.

    Returns
    -------
    (m0, m1, m2) or (C, m0, m1, m2) array
        As in `affine_transform`.

    Raises
    ------
    TypeError, ValueError
        As `affine_transform`; also if the control points are not (3, k0, k1, k2) finite numbers
        with 4 or more along each axis.

    See Also
    --------
    affine_transform : Resample through an affine map.
    RandomElastic : Random deformations of a pipeline.

    References
    ----------
    D. Rueckert et al., "Nonrigid registration using free-form deformations", IEEE
    Transactions on Medical Imaging 18(8), 1999.

    Examples
    --------
    >>> control_points = np.zeros((3, 4, 4, 4))
    >>> control_points[0] = 1.0  # all voxels are read one further along axis 0
    >>> volaug.elastic_deform(np.arange(8.0).reshape(8, 1, 1), control_points).ravel().round(6)
    array([1., 2., 3., 4., 5., 6., 7., 0.])
    """
    affine = checks.as_affine(matrix, offset)
    points = checks.as_control_points(control_points)
    shape = None if output_shape is None else checks.as_shape("output_shape", output_shape)
    request = as_request(volume, shape, interpolation, mode, cval, out)
    checks.warn_of_last_channels("volume", volume, stacklevel=2)
    result: npt.NDArray[Any] = warp_requests([request], shape, affine, points, threads)[0]
    return result


class Request(NamedTuple):
    """One volume to be warped: the checked arguments of a user."""

    name: str  # of its `out`, for messages
    volume: npt.NDArray[Any]  # with or without channels
    interpolation: str
    mode: str
    fills: npt.NDArray[Any]  # one a channel
    out: Any  # as it was given, to be returned
    target: npt.NDArray[Any] | None  # the memory of `out`


def as_request(
    volume: npt.ArrayLike,
    shape: tuple[int, int, int] | None,
    interpolation: str,
    mode: str,
    cval: npt.ArrayLike,
    out: Any,
    name: str = "out",
) -> Request:
    """Check all arguments of one volume; `shape` is its own if None."""
    checks.check_choice("interpolation", interpolation, checks.INTERPOLATIONS)
    checks.check_choice("mode", mode, MODES)
    given = checks.as_volume(volume)
    fills = checks.as_fills(cval, given)
    target = None
    if out is not None:
        wanted = (*given.shape[:-3], *(given.shape[-3:] if shape is None else shape))
        target = checks.as_output(out, wanted, given.dtype)
    return Request(name, given, interpolation, mode, fills, out, target)


def warp_requests(
    requests: Sequence[Request],
    shape: tuple[int, int, int] | None,
    affine: npt.NDArray[np.float64],
    control_points: npt.NDArray[np.float64] | None,
    threads: int | None,
) -> list[Any]:
    """Warp some volumes, each into its `out` or a new array of its memory order.

    `shape` is that of the only volume if None.
    """
    count = thread_count(threads)
    if shape is None:
        (request,) = requests
        n0, n1, n2 = request.volume.shape[-3:]
        shape = n0, n1, n2
    voxel_map = None if control_points is not None else copies.whole_voxel_map(affine, shape)
    for number, request in enumerate(requests):
        if request.target is not None:
            others = [other.volume for other in requests]
            others += [o.target for o in requests[:number] if o.target is not None]
            checks.check_apart(request.name, request.target, others)
    results, samplings = [], []
    in_place_of: list[tuple[Sampling, Sampling]] = []  # packed labels, of channels
    coefficients = []
    for request in requests:
        source = _with_channels(request.volume)
        if request.target is None:
            memory = layout.memory_of(source)
            order = (0, 1, 2) if memory is None else memory.order
            target = layout.empty_in_order(order, source.shape[0], shape, source.dtype)
            results.append(target if request.volume.ndim == 4 else target[0])
        else:
            target = _with_channels(request.target)
            results.append(request.out)
        if voxel_map is not None:
            copies.copy_voxels(source, target, voxel_map, request.mode, request.fills, count)
            continue
        padding = 0
        if request.interpolation == "cubic":
            extension = EXTENSIONS[request.mode]
            source, padding = padded_coefficients(source, extension, request.fills, count)
            coefficients.append(source)
        sampling = Sampling(
            source, target, request.interpolation, request.mode, request.fills, padding
        )
        if request.interpolation == "label" and (packed := _packed(sampling)) is not None:
            in_place_of.append((packed, sampling))
            sampling = packed
        samplings.append(sampling)
    warp_volumes(samplings, affine, control_points, count)
    for packed, sampling in in_place_of:
        unpack_channels(packed.target[0], sampling.fills, sampling.target, count)
    for array in coefficients:
        keep_for_next_call(array)
    return results


def _packed(label: Sampling) -> Sampling | None:
    """Return the label map to warp in place of channels of zeros and ones, or None."""
    packed = packed_channels(label.source)
    if packed is None:
        return None
    memory = layout.memory_of(label.target)
    order = (0, 1, 2) if memory is None else memory.order
    warped = layout.empty_in_order(order, 1, label.target.shape[1:], packed.dtype)
    outside = np.full(1, packed_fills(label.fills), packed.dtype)
    return label._replace(source=packed, target=warped, fills=outside)


def _with_channels(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array[np.newaxis] if array.ndim == 3 else array
