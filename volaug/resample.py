"""Resampling of a volume through an affine map or a B-spline deformation, in one pass."""

from typing import Any

import numpy as np
import numpy.typing as npt

from . import checks, layout
from .bspline import spline_map
from .kernels.tiles import PADDING, TILE, warp_tiles
from .threads import run_parts, thread_count

# Below this many voxels the calling thread is done before another has begun.
VOXELS_WORTH_A_THREAD = 2**15


def affine_transform(
    volume: npt.ArrayLike,
    matrix: npt.ArrayLike,
    offset: npt.ArrayLike = 0.0,
    *,
    output_shape: tuple[int, int, int] | None = None,
    interpolation: str = "linear",
    mode: str = "constant",
    cval: float = 0.0,
    out: npt.NDArray[Any] | None = None,
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """Resample a volume through an affine map.

    ``result[o] = volume[matrix @ o + offset]``: the map leads from output voxels to input
    voxels, as in ``scipy.ndimage.affine_transform``. Voxel centres lie at integers.

    Parameters
    ----------
    volume : (n0, n1, n2) or (C, n0, n1, n2) array
        float32 or float64 for "linear"; any boolean, integer or real dtype for "nearest".
        Any strides; read without a copy where voxels lie side by side along one axis.
    matrix : (3, 3), (3, 4) or (4, 4) array_like
        In voxels, the offset in the last column of the latter two; invertible.
    offset : float or (3,) array_like
        In input voxels; only with a (3, 3) matrix.
    output_shape : (3,) ints, optional
        Without the channels. The volume's own shape by default.
    interpolation : {"linear", "nearest"}
        Trilinear; or the nearest voxel, half a voxel rounding up.
    mode : {"constant"}
        What lies outside of the outermost voxel centres: "constant" is `cval`, a hard cut as
        in ``scipy.ndimage``.
    cval : float
        Value outside, in the volume's dtype.
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
    1e-12 voxel outside of the volume, by a rounding error, counts as inside. Weights and sums
    are in the volume's dtype. A voxel that is NaN or infinite reaches only those results for
    which its weight is not zero.
    """
    affine = checks.as_affine(matrix, offset)
    return resample(volume, output_shape, affine, None, interpolation, mode, cval, out, threads)


def elastic_deform(
    volume: npt.ArrayLike,
    control_points: npt.ArrayLike,
    *,
    matrix: npt.ArrayLike | None = None,
    offset: npt.ArrayLike = 0.0,
    output_shape: tuple[int, int, int] | None = None,
    interpolation: str = "linear",
    mode: str = "constant",
    cval: float = 0.0,
    out: npt.NDArray[Any] | None = None,
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
    return resample(volume, output_shape, affine, points, interpolation, mode, cval, out, threads)


def resample(
    volume: npt.ArrayLike,
    output_shape: tuple[int, int, int] | None,
    affine: npt.NDArray[np.float64],
    control_points: npt.NDArray[np.float64] | None,
    interpolation: str,
    mode: str,
    cval: float,
    out: npt.NDArray[Any] | None,
    threads: int | None,
) -> npt.NDArray[Any]:
    """Both operations: check what is left to check, then hand the kernel its tiles."""
    checks.check_choice("interpolation", interpolation, checks.INTERPOLATIONS)
    checks.check_choice("mode", mode, checks.MODES)
    given = checks.as_volume(volume, interpolation)
    fill = checks.as_fill(cval, given.dtype)
    threads = thread_count(threads)
    shape = given.shape[-3:]
    if output_shape is not None:
        shape = checks.as_shape("output_shape", output_shape)
    channels = given.shape[:-3]
    if out is not None:
        checks.as_output(out, (*channels, *shape), given)

    source = layout.source_memory(_with_channels(given))
    count = channels[0] if channels else 1
    if out is None:
        result = layout.empty_like_memory(source, count, shape, given.dtype)
    else:
        result = _with_channels(out)
    written = result
    target = layout.memory_of(written)
    if target is None:  # no axis of `out` has its voxels side by side
        written = layout.empty_like_memory(source, count, shape, given.dtype)
        target = layout.memory_of(written)
        assert target is not None
    _warp(source, target, count, affine, control_points, interpolation, fill, threads)
    if written is not result:
        np.copyto(result, written)
    if out is not None:
        return out
    return result if channels else result[0]


def _with_channels(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array[np.newaxis] if array.ndim == 3 else array


def _warp(
    source: layout.Memory,
    target: layout.Memory,
    channels: int,
    affine: npt.NDArray[np.float64],
    control_points: npt.NDArray[np.float64] | None,
    interpolation: str,
    fill: Any,
    threads: int,
) -> None:
    """Walk the target's tiles with the kernel, in threads."""
    matrix = layout.affine_in_memory(affine, source, target)
    spline = None
    if control_points is not None:
        displacement = np.tensordot(affine[:, :3], control_points, axes=1)
        displacement = layout.displacement_in_memory(displacement, source, target)
        spline = tuple(spline_map(matrix, displacement, target.shape))

    last = tuple(n - 1.0 for n in source.shape)
    # an axis of one voxel has no second one to mix with: its stride is 0, its cell is [0, 1)
    plane = source.strides[1] if source.shape[0] > 1 else 0
    row = source.strides[2] if source.shape[1] > 1 else 0
    top = (last[0] or 1.0, last[1] or 1.0, last[2])
    grid = (float(plane), float(row), *last, *top)
    # where the voxel TILE rows further on reads; bounded, as a matrix need not be sensible
    z, y, x = (max(-1e6, min(step * TILE, 1e6)) for step in matrix[:, 1].tolist())
    ahead = round(z) * plane + round(y) * row + round(x)
    strides = (source.strides[0], plane, row, ahead)
    frame = (channels, *target.shape, *target.strides[:3])

    voxels, values, width = source.flat, target.flat, target.shape[2]
    linear = interpolation == "linear"
    if not linear:  # bits are copied, whatever they mean
        bits = np.dtype(f"u{fill.itemsize}")
        voxels, values, fill = voxels.view(bits), values.view(bits), fill.view(bits)

    def work(first: int, stop: int) -> None:
        fractions = np.empty((3, width + PADDING), voxels.dtype) if linear else None
        warp_tiles(
            voxels, strides, grid, matrix, spline, fractions, fill, values, frame, first, stop
        )

    tiles = -(-target.shape[0] // TILE) * -(-target.shape[1] // TILE)
    if values.size < VOXELS_WORTH_A_THREAD:
        threads = 1
    run_parts(work, tiles, threads)
