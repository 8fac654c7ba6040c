"""Volumes of any library, read part by part, with the axes of one grid."""

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..kernels import MAX_AXIS_LENGTH
from ..serialization import shown
from ..warping.geometry.bounds import Box
from ..warping.geometry.orientation import Reorientation

Array = npt.NDArray[Any]

# How far labels may be from whole numbers: a scaled 2 may be 2.00003.
ROUNDING = 1e-3

# Dtypes for labels that are stored as floats or scaled: the first that holds all their values.
# Nearly always that is int16, so that the cases of a dataset agree. It also holds -1 for outside.
LABEL_DTYPES = (np.int16, np.int32, np.int64)


class Source:
    """A volume of which a part is read when it is needed.

    Parameters
    ----------
    voxels : object
        Has a shape (n0, n1, n2) or (C, n0, n1, n2) and a dtype, and is sliced like an array.
    title : str
        Its name in errors.
    dtype : numpy.dtype, optional
        Dtype of the parts. Default: that of the voxels. Floats are rounded to integers.
    turn : Reorientation, optional
        How to turn the axes of the parts. Default: not at all.
    """

    def __init__(
        self,
        voxels: Any,
        title: str,
        dtype: np.dtype[Any] | None = None,
        turn: Reorientation | None = None,
    ) -> None:
        self._voxels, self._title, self._turn = voxels, title, turn
        self._stored = dtype_of(voxels)
        self.dtype = self._stored if dtype is None else dtype
        *channels, n0, n1, n2 = (int(n) for n in voxels.shape)
        self._channels = tuple(channels)
        self.shape = (*channels, *((n0, n1, n2) if turn is None else turn.shape))

    def __getitem__(self, window: Any) -> Array:
        """The voxels of ``[..., a:b, c:d, e:f]``, or all of them for ``[...]``."""
        if isinstance(window, tuple):
            a, b, c = ((s.start, s.stop) for s in window[1:])
        else:
            a, b, c = ((0, n) for n in self.shape[-3:])
        part = self._part((a, b, c) if self._turn is None else self._turn.box((a, b, c)))
        try:
            part = converted(part, self.dtype)
        except FloatingPointError:
            raise ValueError(
                f"{self._title} must fit into {self.dtype}, got {part.min():g} to {part.max():g}"
            ) from None
        return part if self._turn is None else self._turn.apply(part)

    def _part(self, box: Box) -> Array:
        # a proxy of nibabel has a lock; a child that is forked now would find it taken
        voxels = self._voxels.copy() if is_proxy(self._voxels) else self._voxels
        given = voxels[(..., *(slice(start, stop) for start, stop in box))]
        if np.ma.is_masked(given):
            raise TypeError(f"{self._title} must give all of its voxels, got masked ones")
        part = checks.as_volume(given, self._title)
        wanted = (*self._channels, *(stop - start for start, stop in box))
        if part.shape != wanted:
            raise ValueError(
                f"{self._title} must give the part that is asked for, of shape {wanted}, got shape "
                f"{part.shape}"
            )
        if part.dtype != self._stored:
            raise TypeError(
                f"{self._title} must give voxels of its dtype, {self._stored}, got {part.dtype}"
            )
        return part


def is_array(value: Any) -> bool:
    """Whether it is in memory, so that nothing has to be read."""
    return isinstance(value, np.ndarray) or any(
        hasattr(value, name) for name in ("__array_interface__", "__dlpack__")
    )


def check_lazy(name: str, value: Any) -> None:
    """Check that a volume can be sliced like an array."""
    checks.refuse_what_is_no_array(value, repr(name))
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None or not hasattr(value, "__getitem__"):
        raise TypeError(
            f"{name!r} must be an array, a path, or what is sliced like an array, "
            f"got {type(value).__name__}"
        )
    try:
        voxel = np.zeros((), np.dtype(dtype))
    except Exception:  # other libraries have dtypes of their own
        raise TypeError(f"{name!r} must have a dtype of NumPy, got {shown(dtype)}") from None
    try:
        lengths = tuple(map(operator.index, shape))
    except Exception:  # a shape may be anything
        raise TypeError(
            f"{name!r} must have a shape of whole numbers, got {shown(shape)}"
        ) from None
    try:
        volume = np.broadcast_to(voxel, lengths)
    except ValueError:  # too long, or negative
        raise ValueError(
            f"{name!r} must have a shape of lengths from 1 to {MAX_AXIS_LENGTH}, "
            f"got {shown(lengths)}"
        ) from None
    checks.as_volume(volume, name)


def is_proxy(voxels: Any) -> bool:
    """Whether it is the ``dataobj`` of a nibabel image; its dtype is the one before scaling."""
    return getattr(voxels, "is_proxy", None) is True


def dtype_of(voxels: Any) -> np.dtype[Any]:
    """The dtype of the voxels as they are read, in the byte order of this processor."""
    if is_proxy(voxels):
        dtype = np.asarray(voxels[(slice(0, 1),) * len(voxels.shape)]).dtype
    else:
        dtype = np.dtype(voxels.dtype)
    native: np.dtype[Any] = dtype.newbyteorder("=")
    return native


def label_dtype(voxels: Any) -> np.dtype[Any]:
    """The integer type for labels that are stored as integers, as floats, or scaled.

    Raises
    ------
    ValueError
        If they are not whole numbers, or do not fit into int64.
    """
    stored = dtype_of(voxels)
    if stored.kind in "biu":
        return stored
    values = np.asarray(voxels[...])
    with np.errstate(invalid="ignore"):  # inf - inf
        wrong = ~(np.abs(values - np.rint(values)) <= ROUNDING)
    if wrong.any():
        raise ValueError(
            f"labels must be whole numbers, got {int(wrong.sum())} voxels of other values, "
            f"{values[wrong][0]:.6g} for example"
        )
    low, high = float(values.min()), float(values.max())
    for dtype in LABEL_DTYPES:
        limits = np.iinfo(dtype)
        if limits.min - ROUNDING <= low and high <= limits.max + ROUNDING:
            return np.dtype(dtype)
    raise ValueError(f"labels must fit into int64, got {low:g} to {high:g}")


def converted(part: Array, dtype: np.dtype[Any]) -> Array:
    """A part in another dtype; floats are rounded to integers.

    Raises
    ------
    FloatingPointError
        If a number is too large for the dtype.
    """
    if part.dtype == dtype:
        return part
    if dtype.kind != "f" and part.dtype.kind == "f":
        part = np.rint(part)
    with np.errstate(over="raise"):
        return part.astype(dtype)
