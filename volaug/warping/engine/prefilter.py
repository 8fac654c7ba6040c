"""Coefficients of the cubic B-spline that interpolates a volume."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ... import checks
from ...kernels.spline.prefilter import OUTSIDE, filter_columns, filter_planes
from ...threads.limits import thread_count
from ...threads.parts import run_parts, threads_worth
from . import memory_layout as layout
from .allocation import memory_of_last_call
from .borders import Mode, border_index

MODES = ("mirror", "reflect", "grid-wrap")

POLE = np.sqrt(3.0) - 2.0

# Levels of the reduction, until what it drops is below the rounding: kernels/spline/prefilter.py.
LEVELS = {"float32": 4, "float64": 5}

# Beyond the volume, coefficients of a mirrored or periodic signal are those inside again: a spline
# that is sampled inside reads two of them. Those of a constant extension approach it as fast as
# the pole decays: after 12 voxels, scipy's choice, 1.4e-7 of the difference is left, and after 20
# 4e-12. Where the padding ends, up to ten times as much is wrong.
READ_BY_TAPS, DECAY = 2, {"float32": 12, "float64": 20}

# Planes that are copied, and filtered before they leave the cache; 1 to 16 are alike.
SLAB = 4

# Columns of all planes that are filtered together along axis 0: in the L2 cache, and read in long
# stretches. On a Zen 4 core at 256^3: 256 to 2048 are alike, 52 take three times as long.
COLUMNS = 512


class Filter(NamedTuple):
    """The numbers of the filter in one precision."""

    margin: int  # samples by which a line is longer at each end
    pole: Any
    sides: npt.NDArray[Any]  # (n,) weight of either side at each level of the reduction


def spline_filter(
    volume: npt.ArrayLike, *, mode: Mode = "mirror", threads: int | None = None
) -> npt.NDArray[Any]:
    """Return the coefficients of the cubic B-spline through the voxels of a volume.

    They are those of ``scipy.ndimage.spline_filter`` of order 3.

    Parameters
    ----------
    volume : (n0, n1, n2) or (C, n0, n1, n2) array
        Volume of bool, integers or real numbers, in any strides.
    mode : {"mirror", "reflect", "grid-wrap"}
        Extension outside: ``d c b | a b c d | c b a``, ``d c b a | a b c d | d c b a`` or
        ``a b c d | a b c d | a b c d``.
    threads : int, optional
        Maximum number of threads. Default: `get_num_threads()`.

    Returns
    -------
    array
        Of the volume's shape and memory order. float32 for bool, integers of 8 and 16 bits, float16
        and float32; float64 for the others. The bits are the same for any number of threads.

    Raises
    ------
    TypeError
        If the volume's dtype is none of these, or `threads` is not an int.
    ValueError
        If the volume's shape is wrong, `mode` is unknown, or `threads` is less than 1.

    See Also
    --------
    affine_transform : Its "cubic" interpolation calls this.

    Notes
    -----
    Each coefficient depends on the whole volume, by a weight that decays by 0.27 per voxel. A NaN
    or infinite voxel leaves NaN all along two axes and, to either side of it, along 15 voxels
    (float64: 31) of the axis whose voxels are adjacent in memory; in scipy, in the whole volume.

    A coefficient of a magnitude below 5.6e-17 (float64: 1.6e-260) is set to zero, so that the tails
    over a background of zeros do not become denormal numbers, which are slow on some processors. In
    a channel without a voxel of 1.5e-8 (2.3e-243), the limit is 2^-28 (2^-57) of its maximum
    magnitude, so that an image of tiny values is as exact as any. Denormal voxels are read as they
    are.

    References
    ----------
    M. Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Processing
    Magazine 16(6), 1999.

    Examples
    --------
    >>> volaug.spline_filter(np.full((8, 8, 8), 3.0))[0, 0, :3].round(9)
    array([3., 3., 3.])
    """
    checks.check_choice("mode", mode, MODES)
    given = checks.as_volume(volume)
    threads = thread_count(threads)
    channels = given if given.ndim == 4 else given[np.newaxis]
    coefficients = _filter(channels, 0, mode, np.zeros(len(channels)), threads)
    return coefficients if given.ndim == 4 else coefficients[0]


def padded_coefficients(
    volume: npt.NDArray[Any], extension: str, fill: npt.NDArray[Any], threads: int
) -> tuple[npt.NDArray[Any], int]:
    """Coefficients on a grid that is larger, so that a spline is sampled without its border.

    Parameters
    ----------
    volume : (C, n0, n1, n2) array
        Of any dtype that `spline_filter` takes.
    extension : str
        One of `MODES`, "nearest" (the outermost voxels go on) or "grid-constant" (`fill`).
    fill : (C,) array
        What lies around each channel; read for "grid-constant" alone.
    threads : int
        At most this many threads.

    Returns
    -------
    (C, n0 + 2 p, n1 + 2 p, n2 + 2 p) array
        Of the volume's memory order, and of the dtype that `spline_filter` gives it. Its memory is
        for `keep_for_next_call`.
    p : int
        Voxels added to each end of each axis.
    """
    arithmetic = np.result_type(volume.dtype, np.float32).name
    padding = READ_BY_TAPS if extension in MODES else DECAY[arithmetic]
    with memory_of_last_call():
        return _filter(volume, padding, extension, fill, threads), padding


def _filter(
    volume: npt.NDArray[Any],
    padding: int,
    extension: str,
    fill: npt.NDArray[Any],
    threads: int,
) -> npt.NDArray[Any]:
    """Coefficients (C, n0 + 2 p, n1 + 2 p, n2 + 2 p) of the infinite extension of a volume."""
    dtype = np.result_type(volume.dtype, np.float32)
    shape = tuple(n + 2 * padding for n in volume.shape[1:])
    memory = layout.memory_of(volume)
    order = (0, 1, 2) if memory is None else memory.order
    result = layout.empty_in_order(order, len(volume), shape, dtype)
    threads = threads_worth(volume.size, threads)
    for samples, coefficients, value in zip(volume, result, fill.astype(dtype), strict=True):
        # separable, and so indifferent to the order of the axes
        ordered = samples.transpose(order), coefficients.transpose(order)
        _filter_channel(*ordered, padding, extension, value, threads)
    return result


def _filter_channel(
    samples: npt.NDArray[Any],
    coefficients: npt.NDArray[Any],
    padding: int,
    extension: str,
    fill: Any,
    threads: int,
) -> None:
    """Filter samples of any dtype and strides into C-contiguous `coefficients`.

    The kernels are compiled for no dtype but that of the coefficients. So other samples are copied,
    some planes at a time.
    """
    margin, pole, sides = _filter_in(coefficients.dtype)
    around = fill if extension == "grid-constant" else 0.0
    negligible = _negligible(samples, around, coefficients.dtype)
    index0, index1, index2 = (_line_index(n, padding, margin, extension) for n in samples.shape)
    depth = len(samples)
    flat_planes = coefficients.reshape(len(coefficients), -1)
    size = flat_planes.shape[1]

    def filter_slabs(first: int, stop: int) -> None:
        for begin in range(first * SLAB, min(stop * SLAB, depth), SLAB):
            slab = np.require(samples[begin : begin + SLAB], coefficients.dtype, ["C", "A", "W"])
            filter_planes(
                slab, coefficients, padding + begin, padding, margin,
                index1, index2, fill, pole, negligible, sides,
            )  # fmt: skip

    def filter_blocks(first: int, stop: int) -> None:
        for begin in range(first * COLUMNS, min(stop * COLUMNS, size), COLUMNS):
            end = min(begin + COLUMNS, size)
            filter_columns(flat_planes, begin, end, padding, margin, index0, fill, pole, negligible)

    run_parts(filter_slabs, -(-depth // SLAB), threads)
    run_parts(filter_blocks, -(-size // COLUMNS), threads)


def _negligible(samples: npt.NDArray[Any], fill: Any, dtype: np.dtype[Any]) -> Any:
    """The magnitude below which a coefficient counts as zero, so that none becomes denormal.

    What a spline reads gets a product of three weights, see kernels/warp/cubic.py. From this
    magnitude on no such product is denormal, and it is far below the rounding; but not in a volume
    whose values are all tiny. There it is far below the rounding of the greatest value.
    """
    number = np.finfo(dtype)
    tiny, rounding = float(number.tiny), float(number.epsneg)
    negligible = tiny / rounding**3  # 5.6e-17 in float32
    enough = 16.0 * negligible / rounding  # 1.5e-8
    maximum = float(abs(fill))
    if samples.dtype.kind != "f" or samples.dtype == np.float16:
        maximum = enough  # whatever is not zero
    depth = len(samples)
    for z in sorted(range(depth), key=lambda z: abs(2 * z - depth)):  # the middle one first:
        if maximum >= enough:  # as a rule, that is all
            break
        maximum = float(np.fmax(maximum, np.fmax.reduce(np.abs(samples[z]), axis=None)))
    negligible *= min(1.0, maximum / enough)
    return dtype.type(negligible if negligible >= tiny else 0.0)


def _filter_in(dtype: np.dtype[Any]) -> Filter:
    """The filter's numbers as `dtype`; see kernels/spline/prefilter.py for their source."""
    middle, side = 4.0, -1.0
    sides = []
    for _ in range(LEVELS[dtype.name]):
        sides.append(side / (middle + 2.0 * side))
        middle, side = middle**2 - 2.0, 1.0
    return Filter(2 ** len(sides) - 1, dtype.type(POLE), np.array(sides, dtype))


def _line_index(length: int, padding: int, margin: int, extension: str) -> npt.NDArray[np.int64]:
    """Which samples an extended line of a padded axis has, or `OUTSIDE`."""
    places = np.arange(-padding - margin, length + padding + margin)
    index = border_index(places, length, extension)
    return np.where(index < 0, OUTSIDE, index)
