"""Volumes that are read part by part, whatever they are of, as parts of one grid."""

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

# Numbers of labels are whole up to this: a scaled 2 may be 2.00003.
ROUNDING = 1e-3

# What labels become that are stored as floats or scaled: the first that holds them. Nearly always
# that is the very first, so that the cases of one dataset agree; it also holds a -1 for outside.
LABEL_DTYPES = (np.int16, np.int32, np.int64)


class Source:
    """A volume that is read when a part of it is needed.

    Parameters
    ----------
    voxels : object
        With a shape (n0, n1, n2) or (C, n0, n1, n2) and a dtype, and sliced like an array.
    title : str
        What errors call it.
    dtype : numpy.dtype, optional
        Of the parts; by default that of the voxels. Floats become integers by rounding.
    turn : Reorientation, optional
        The axes of the parts; by default those of the voxels.
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
        """The voxels of three slices after an ellipsis, or all of them."""
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
        # a proxy of nibabel has a lock, which a child that is forked now would find taken
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
    """Whether its memory is there, and no slice has to be read."""
    return isinstance(value, np.ndarray) or any(
        hasattr(value, name) for name in ("__array_interface__", "__dlpack__")
    )


def check_lazy(name: str, value: Any) -> None:
    """See that a volume can be sliced like an array."""
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
    """Whether it is the data of an image of nibabel, whose dtype is the one before scaling."""
    return getattr(voxels, "is_proxy", None) is True


def dtype_of(voxels: Any) -> np.dtype[Any]:
    """The dtype of what is read, in the byte order of this processor."""
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
        If they are not whole numbers.
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
    """A part as another dtype, floats rounded for integers.

    Raises
    ------
    FloatingPointError
        If a number is too large for it.
    """
    if part.dtype == dtype:
        return part
    if dtype.kind != "f" and part.dtype.kind == "f":
        part = np.rint(part)
    with np.errstate(over="raise"):
        return part.astype(dtype)
