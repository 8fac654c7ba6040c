"""Resampling of a volume through an affine map or a B-spline deformation, in one pass."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import Interpolation
from ..threads.limits import thread_count
from .engine import copies, memory_layout as layout
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

    ``result[o] = volume[matrix @ o + offset]``: the map leads from output voxels to input
    voxels, as in ``scipy.ndimage.affine_transform``. Voxel centers lie at integers.

    Parameters
    ----------
    volume : (n0, n1, n2) or (C, n0, n1, n2) array
        bool, integers, float16, float32 or float64, in any strides and byte order: a numpy array
        or what can show its memory as one, such as a CPU tensor of torch. Read without a copy
        where voxels lie side by side along one axis.
    matrix : (3, 3), (3, 4) or (4, 4) array_like
        In voxels, the offset in the last column of the latter two; invertible.
    offset : float or (3,) array_like
        In input voxels; only with a (3, 3) matrix.
    output_shape : (3,) ints, optional
        Without the channels. The volume's own shape by default.
    interpolation : {"linear", "nearest", "cubic", "label"}
        "linear": the trilinear mean of eight voxels. "nearest": the nearest voxel, half a voxel
        rounding up. "cubic": the cubic B-spline through the voxels, which may go beyond their
        range. "label", for label maps: the label with the largest sum of trilinear weights; of
        ties, that of the nearest voxel, or else the least.
    mode : str
        What lies outside of the outermost voxel centers, by the names and rules of
        ``scipy.ndimage``: "constant" (`cval`, a hard cut), "grid-constant" (blends into `cval`
        over one voxel: torch's zeros), "nearest" (d d d | d), "reflect" (c d | d c), "mirror"
        (c | d | c), "wrap" (period n - 1), "grid-wrap" (period n). And "edge-constant", ITK's
        rule: the edge goes on for half a voxel, and then comes `cval`.
    cval : float or (C,) array_like
        Value outside, for all channels or one for each; the volume's dtype must hold it.
    out : (m0, m1, m2) or (C, m0, m1, m2) array, optional
        Where to write the result: of the volume's dtype, not overlapping it, any strides.
    threads : int, optional
        At most this many threads; see `set_num_threads`.

    Returns
    -------
    (m0, m1, m2) or (C, m0, m1, m2) array of the volume's dtype
        `out` if it was given, else a new array in the volume's memory order. The same bits
        for any number of threads.

    Raises
    ------
    TypeError, ValueError
        Before any work, saying what was wanted and what was given.

    Notes
    -----
    Coordinates are float64 and rounded to a multiple of 2^-32 voxel, so that a coordinate
    1e-12 voxel outside of the volume, by a rounding error, counts as inside. A map of whole
    voxels to whole voxels (a flip, a whole shift, a quarter turn) copies.

    "linear" and "cubic" calculate in float32, and in float64 for integers of 32 and 64 bits and
    for float64; integers are rounded, halves away from zero, and saturate. "nearest" and "label"
    copy bits, and "label" compares them (so that 0.0 and -0.0 are two labels): identifiers never
    pass through a float.

    A voxel that is NaN or infinite reaches only those results for which its weight is not zero;
    but with "cubic" a whole neighborhood, see `spline_filter`, which "cubic" calls. It holds
    coefficients for the whole volume, while all else needs a few rows a thread.

    "label" gives what nnU-Net's label path means, the largest of the linearly interpolated
    indicators of all labels (`batchgeneratorsv2`, ``SpatialTransform`` with
    ``mode_seg="bilinear"``), in one pass. That one rounds sums to float16, and so may give
    another label where two differ by less than 1e-3; here weights are rounded to 2^-17 voxel,
    so that sums are exact, and a tie is one.

    The channels of a label map that hold 0 and 1 vote together: a label is a combination of
    channels. So a one-hot label stays one-hot, and regions that overlap stay consistent. What
    lies outside belongs to the channels that `cval` says, (1, 0, 0) for the first of three, and by
    default to none. Channels with other numbers vote each by itself, and so do more than 62
    channels that overlap.
    """
    affine = checks.as_affine(matrix, offset)
    shape = None if output_shape is None else checks.as_shape("output_shape", output_shape)
    request = as_request(volume, shape, interpolation, mode, cval, out)
    checks.warn_of_last_channels("volume", volume, stacklevel=2)
    result: npt.NDArray[Any] = resample([request], shape, affine, None, threads)[0]
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

    ``result[o] = volume[matrix @ (o + u(o)) + offset]``, where the displacement ``u`` is a
    cubic B-spline over the output grid.

    Parameters
    ----------
    volume : (n0, n1, n2) or (C, n0, n1, n2) array
        As for `affine_transform`.
    control_points : (3, k0, k1, k2) array_like
        Coefficients of the displacement along axes 0, 1, 2, in output voxels, at least 4 on
        each axis of the lattice. The spline approximates them, so that no displacement is
        greater than the greatest coefficient. Knots are ``(m - 1) / (k - 3)`` voxels apart
        on an axis of `m` voxels; the first span begins on the first voxel.
    matrix, offset : optional
        As for `affine_transform`; the identity by default.
    output_shape, interpolation, mode, cval, out, threads
        As for `affine_transform`.

    Returns
    -------
    (m0, m1, m2) or (C, m0, m1, m2) array of the volume's dtype

    Raises
    ------
    TypeError, ValueError
        Before any work, saying what was wanted and what was given.

    References
    ----------
    D. Rueckert et al., "Nonrigid registration using free-form deformations", IEEE
    Transactions on Medical Imaging 18(8), 1999.
    """
    affine = checks.as_affine(matrix, offset)
    points = checks.as_control_points(control_points)
    shape = None if output_shape is None else checks.as_shape("output_shape", output_shape)
    request = as_request(volume, shape, interpolation, mode, cval, out)
    checks.warn_of_last_channels("volume", volume, stacklevel=2)
    result: npt.NDArray[Any] = resample([request], shape, affine, points, threads)[0]
    return result


class Request(NamedTuple):
    """One volume to be warped: what a user asked for, checked."""

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
    """Check all that is said of one volume; `shape` is its own if None."""
    checks.check_choice("interpolation", interpolation, checks.INTERPOLATIONS)
    checks.check_choice("mode", mode, MODES)
    given = checks.as_volume(volume)
    fills = checks.as_fills(cval, given)
    target = None
    if out is not None:
        wanted = (*given.shape[:-3], *(given.shape[-3:] if shape is None else shape))
        target = checks.as_output(out, wanted, given.dtype)
    return Request(name, given, interpolation, mode, fills, out, target)


def resample(
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
    return results


def _packed(label: Sampling) -> Sampling | None:
    """The label map to be warped in place of channels of zeros and ones; None of other channels."""
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
