"""Arrays of users: volumes, and whatever can be converted to an array of numbers."""

import math
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..kernels import MAX_AXIS_LENGTH
from ..serialization import shown

Interpolation = Literal["nearest", "linear", "cubic", "label"]
INTERPOLATIONS = get_args(Interpolation)


DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
)  # fmt: skip


NATIVE = {np.dtype(name).str: np.dtype(name) for name in DTYPES}


# An array (C, n0, n1, n2) may have its channels last if C is at least the first number, and n2 at
# most the second. 16 channels of a slab of 8 slices have the same shape, so this is a warning only.
MANY_CHANNELS, FEW_CHANNELS = 16, 8


# An array of three axes may be a 2D image (C, H, W) with at most COLORS channels, and at least
# PICTURE pixels along both axes.
COLORS, PICTURE = 4, 32

# Of so few numbers, plain ones take less time: 25 microseconds for a matrix and an offset, where
# other work has used the caches.
FEW = 16


def as_array(name: str, value: Any) -> npt.NDArray[Any]:
    """Return a NumPy array: the object itself, its memory, or a conversion."""
    if type(value) is np.ndarray:  # nearly always; all that follows takes 1.5 microseconds
        return value
    refuse_masked(name, value)
    if _is_negated(value):  # torch negates lazily
        value = value.resolve_neg()
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except Exception as error:  # every library has its own
        if isinstance(value, list | tuple) and isinstance(error, ValueError):
            raise ValueError(f"{name} must be one array, got lists of several lengths") from None
        raise TypeError(
            f"{name} must be an array in the processor's memory, got {type(value).__name__} "
            f"({_first_line(error)}){_conversion(value)}"
        ) from error


def refuse_masked(name: str, value: Any) -> None:
    """Raise for a masked array, whose mask would be lost."""
    # without the test NumPy would import `ma` here: a tenth of the time of a first call
    if "numpy.ma" in sys.modules and isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be an array without a mask, got a masked array: give its "
            "filled(value), or its data"
        )


def _is_negated(value: Any) -> bool:
    is_neg = getattr(value, "is_neg", None)
    return callable(is_neg) and bool(is_neg())


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _conversion(value: Any) -> str:
    """Advise on a torch tensor that does not share its memory."""
    if not hasattr(value, "requires_grad"):
        return ""
    if getattr(value, "is_quantized", False):
        return ": give tensor.dequantize()"
    if str(getattr(value, "layout", "")) != "torch.strided":
        return ": give tensor.to_dense()"
    if str(getattr(value, "device", "cpu")) == "meta":
        return ": a meta tensor holds no values"
    calls = ".detach()" if value.requires_grad else ""
    calls += "" if str(getattr(value, "device", "cpu")) == "cpu" else ".cpu()"
    calls += ".float()" if "bfloat16" in str(value.dtype) or "float8" in str(value.dtype) else ""
    return f": give tensor{calls}" if calls else ""


def as_volume(value: Any, name: str = "volume") -> npt.NDArray[Any]:
    """Return a native-endian array (n0, n1, n2) or (C, n0, n1, n2)."""
    if type(value) is not np.ndarray:
        refuse_what_is_no_array(value, name)
    volume = as_array(name, value)
    native = NATIVE.get(volume.dtype.newbyteorder("=").str)
    if native is None:
        whose = "" if isinstance(value, np.ndarray) else f" of {type(value).__name__}"
        raise TypeError(f"{name} must be of dtype {', '.join(DTYPES)}, got {volume.dtype}{whose}")
    if volume.ndim not in (3, 4) or volume.size == 0:
        hints = {
            2: f": give one slice as {name}[None]",
            5: ": give the samples of a batch one by one",
        }
        raise ValueError(
            f"{name} must have the shape (n0, n1, n2) or (channels, n0, n1, n2) and no axis of "
            f"length 0, got shape {volume.shape}{hints.get(volume.ndim, '')}"
        )
    if max(volume.shape[-3:]) > MAX_AXIS_LENGTH:
        raise ValueError(
            f"{name} must be at most {MAX_AXIS_LENGTH} voxels long, got {volume.shape}"
        )
    # "long long" is another type than int64 and the same: the view has the latter's
    return volume.view(native) if volume.dtype.isnative else volume.astype(native)


def warn_of_last_channels(name: str, value: Any, stacklevel: int) -> None:
    """Warn once of an array whose last axis may be its channels."""
    shape: tuple[int, ...] = tuple(getattr(value, "shape", ()))
    if len(shape) != 4 or shape[0] < MANY_CHANNELS:
        return
    if shape[3] <= FEW_CHANNELS < min(shape[1:3]):
        warnings.warn(
            f"{name} of shape {shape} is taken as {shape[0]} channels of "
            f"{shape[1:]}: if its channels are its last axis, give "
            f"numpy.moveaxis({name}, -1, 0)",
            stacklevel=stacklevel + 1,
        )


def warn_of_first_channels(name: str, value: Any, stacklevel: int) -> None:
    """Warn once of an array that may be a 2D image, whose first axis is its channels."""
    shape: tuple[int, ...] = tuple(getattr(value, "shape", ()))
    # one slice has the same voxels as a 2D image of one channel
    if len(shape) == 3 and 2 <= shape[0] <= COLORS and min(shape[1:]) >= PICTURE:
        warnings.warn(
            f"{name} of shape {shape} is taken as a volume of {shape[0]} slices: give "
            f"{name}[..., None] for a 2D image with channels",
            stacklevel=stacklevel + 1,
        )


def refuse_what_is_no_array(value: Any, name: str) -> None:
    """Advise on common objects that NumPy would convert to something else."""
    instead = None
    if value is None:
        instead = "leave out what there is not"
    elif isinstance(value, str | bytes | os.PathLike):
        instead = "load the file, with nibabel or SimpleITK say; a Stream loads files itself"
    elif hasattr(value, "dataobj"):  # nibabel
        instead = "give numpy.asarray(image.dataobj), and affine=image.affine"
    elif hasattr(value, "GetPixelIDTypeAsString"):  # SimpleITK
        instead = (
            "give SimpleITK.GetArrayFromImage(image), whose axes are z, y, x, and "
            "spacing=image.GetSpacing()[::-1]"
        )
    elif type(value).__module__.partition(".")[0] == "PIL":
        instead = "a 2D image has two axes: give one slice as numpy.asarray(image)[None]"
    elif isinstance(value, Mapping):
        instead = "give its arrays by their names"
    if instead is not None:
        given = f"the path {value!r}" if isinstance(value, str | os.PathLike) else None
        given = given or ("None" if value is None else type(value).__name__)
        raise TypeError(f"{name} must be an array, got {given}: {instead}")


def as_floats(name: str, value: Any, wanted: str) -> npt.NDArray[np.float64]:
    """Return a float64 copy in which every number is finite."""
    try:
        given = as_array(name, value)
    except ValueError:
        raise ValueError(f"{name} must be {wanted}, got lists of several lengths") from None
    if given.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be {wanted}, got an array of dtype {given.dtype}")
    floats = given.astype(np.float64)
    if not _are_finite(floats):
        raise ValueError(
            f"{name} must be finite, got {int((~np.isfinite(floats)).sum())} that are not"
        )
    return floats


def _are_finite(floats: npt.NDArray[np.float64]) -> bool:
    if floats.size <= FEW:
        return all(map(math.isfinite, floats.ravel().tolist()))
    return bool(np.isfinite(floats).all())


def as_fills(cval: Any, volume: npt.NDArray[Any], name: str = "cval") -> npt.NDArray[Any]:
    """Return `cval`, one number or one per channel, as (C,) of the dtype, which must hold it."""
    channels = volume.shape[0] if volume.ndim == 4 else 1
    if type(cval) in (float, int) and cval == 0 and math.copysign(1.0, cval) > 0.0:
        # nearly always: 1 microsecond, where what follows takes 30 after a kernel has run
        return np.zeros(channels, volume.dtype)
    try:
        values = as_array(name, cval)
    except ValueError:  # a list of lists of several lengths
        values = np.asarray(None)
    if not all(isinstance(value, bool | int | float) for value in values.ravel().tolist()):
        raise TypeError(f"{name} must be a number or one for each channel, got {shown(cval)}")
    if values.shape not in ((), (channels,)):
        raise ValueError(
            f"{name} must be a number or one for each of {channels} channels, got {shown(cval)}"
        )
    dtype = volume.dtype
    if dtype.kind in "biu":
        limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        for value in values.ravel().tolist():
            if not limits[0] <= value <= limits[1] or value != int(value):
                raise ValueError(
                    f"{name} must be a whole number that fits into {dtype}, {limits[0]} to "
                    f"{limits[1]}, got {shown(cval)}"
                )
    fills = np.empty(channels, dtype)
    try:
        with np.errstate(over="raise"):
            fills[...] = values
    except (FloatingPointError, OverflowError):
        raise ValueError(f"{name} must fit into {dtype}, got {shown(cval)}") from None
    return fills
