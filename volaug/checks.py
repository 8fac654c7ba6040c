"""Turn what a user passes into what the engine takes, or say what is wrong with it."""

import math
import operator
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels.warp.coordinates import LONGEST_AXIS
from .serialization import shown

INTERPOLATIONS = ("nearest", "linear", "cubic", "label")
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
)  # fmt: skip
NATIVE = {np.dtype(name).str: np.dtype(name) for name in DTYPES}

# A determinant that is less than this share of the sum of the absolute values of its six products
# has at most three digits that are not rounding errors.
SINGULAR = 1e-13

# An array (C, n0, n1, n2) with so many channels, whose last axis is so short, may have its channels
# last: nothing tells it from 16 directions of a slab of 8 slices, so that there is but a warning.
MANY_CHANNELS, FEW_CHANNELS = 16, 8

# An array of three axes may be a picture (C, H, W) of at most so many channels and at least so many
# pixels along both axes.
COLORS, PICTURE = 4, 32

# Voxels are as large, in mm, and their axes span as much of a cube of their lengths.
SMALLEST, LARGEST = 1e-6, 1e6
FLAT = 1e-6


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """See that `value` is one of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def as_array(name: str, value: Any) -> npt.NDArray[Any]:
    """A numpy array of what is one already, or can show its memory as one, or can become one."""
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
    """See that no mask would be dropped."""
    if isinstance(value, np.ma.MaskedArray):
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
    """What to do with a tensor of torch that shows no memory."""
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
    """A native-endian array (n0, n1, n2) or (C, n0, n1, n2)."""
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
    if max(volume.shape[-3:]) > LONGEST_AXIS:
        raise ValueError(f"{name} must be at most {LONGEST_AXIS} voxels long, got {volume.shape}")
    # "long long" is another type than int64 and the same: the view has the latter's
    return volume.view(native) if volume.dtype.isnative else volume.astype(native)


def warn_of_last_channels(name: str, value: Any, stacklevel: int) -> None:
    """Warn once of an array whose channels may be its last axis."""
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
    """Warn once of an array that may be a picture, whose channels are its first axis."""
    shape: tuple[int, ...] = tuple(getattr(value, "shape", ()))
    # one slice is the same voxels as a picture of one channel
    if len(shape) == 3 and 2 <= shape[0] <= COLORS and min(shape[1:]) >= PICTURE:
        warnings.warn(
            f"{name} of shape {shape} is taken as a volume of {shape[0]} slices: give "
            f"{name}[..., None] for a picture with channels",
            stacklevel=stacklevel + 1,
        )


def refuse_what_is_no_array(value: Any, name: str) -> None:
    """Say what to do with what users have at hand, where NumPy would make something else of it."""
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
        instead = "a picture has two axes: give one slice as numpy.asarray(picture)[None]"
    elif isinstance(value, Mapping):
        instead = "give its arrays by their names"
    if instead is not None:
        given = f"the path {value!r}" if isinstance(value, str | os.PathLike) else None
        given = given or ("None" if value is None else type(value).__name__)
        raise TypeError(f"{name} must be an array, got {given}: {instead}")


def refuse_positions(call: str, given: tuple[Any, ...]) -> None:
    """See that nothing was given by its place where names are needed."""
    if given:
        raise TypeError(
            f"{call} takes its targets by name, such as image=... and label=..., got "
            f"{', '.join(type(value).__name__ for value in given)} without a name"
        )


def as_shape(name: str, value: Any) -> tuple[int, int, int]:
    """Three lengths of at least one voxel."""
    try:
        shape = tuple(map(_index, value))
    except Exception:  # a tensor has its own
        raise TypeError(f"{name} must be three whole numbers, got {shown(value)}") from None
    if len(shape) != 3 or min(shape) < 1 or max(shape) > LONGEST_AXIS:
        raise ValueError(
            f"{name} must be three lengths from 1 to {LONGEST_AXIS} voxels, got {shape}"
        )
    return shape


def _index(value: Any) -> int:
    if isinstance(value, bool | np.bool):
        raise TypeError
    return operator.index(value)


def as_whole(name: str, value: Any, least: int, greatest: int) -> int:
    """A whole number within limits."""
    number: int = value
    if type(value) is not int:
        try:
            number = _index(value)
        except Exception:  # a tensor has its own
            raise TypeError(f"{name} must be a whole number, got {shown(value)}") from None
    if not least <= number <= greatest:
        raise ValueError(f"{name} must be from {least} to {greatest}, got {number}")
    return number


def as_seed(name: str, value: Any) -> int:
    """A seed, or another part of a sample's key."""
    return as_whole(name, value, 0, 2**64 - 1)


def as_floats(name: str, value: Any, wanted: str) -> npt.NDArray[np.float64]:
    """A float64 copy in which every number is finite."""
    try:
        given = as_array(name, value)
    except ValueError:
        raise ValueError(f"{name} must be {wanted}, got lists of several lengths") from None
    if given.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be {wanted}, got an array of dtype {given.dtype}")
    floats = given.astype(np.float64)
    if not np.isfinite(floats).all():
        raise ValueError(
            f"{name} must be finite, got {int((~np.isfinite(floats)).sum())} that are not"
        )
    return floats


def as_affine(matrix: Any, offset: Any) -> npt.NDArray[np.float64]:
    """One (3, 4) matrix from `matrix` (3, 3), (3, 4) or (4, 4) and `offset`, a number or three."""
    wanted = "a (3, 3), (3, 4) or (4, 4) matrix of real numbers"
    given = as_floats("matrix", np.eye(3) if matrix is None else matrix, wanted)
    shift = as_floats("offset", offset, "a number or three")
    if given.shape not in ((3, 3), (3, 4), (4, 4)):
        swapped = "; the volume comes first" if given.ndim > 2 else ""
        raise ValueError(f"matrix must be {wanted}, got shape {given.shape}{swapped}")
    if shift.shape not in ((), (3,)):
        raise ValueError(f"offset must be a number or three, got shape {shift.shape}")
    if given.shape == (4, 4) and not np.array_equal(given[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError(f"the last row of a (4, 4) matrix must be 0, 0, 0, 1, got {given[3]}")
    if given.shape != (3, 3) and shift.any():
        raise ValueError(
            f"a matrix of shape {given.shape} has its offset in the last column, "
            f"so that offset must be left out, got {shown(offset)}"
        )
    affine = np.empty((3, 4))
    affine[:, : given.shape[1]] = given[:3]
    if given.shape == (3, 3):
        affine[:, 3] = shift
    if not is_invertible(affine[:, :3]):
        raise ValueError(f"matrix must be invertible, got {affine[:, :3].tolist()}")
    return affine


def is_invertible(matrix: npt.NDArray[np.float64]) -> bool:
    """Whether a (3, 3) matrix has an inverse that is more than rounding errors.

    It has one where its determinant or that of its inverse is more than that. Then the inverse
    has one too, and the matrix may be measured in any units along each axis.
    """
    rows = matrix.tolist()
    # the six products of rows of length one are at most 1 each
    if abs(_volume_of_directions(rows)) >= 6.0 * SINGULAR or _cancellation(rows) >= SINGULAR:
        return True
    try:
        with np.errstate(all="ignore"):
            inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(inverse).all()) and _cancellation(inverse.tolist()) >= SINGULAR


def _cancellation(rows: list[list[float]]) -> float:
    """What is left of a determinant when its six products are added, as a share of them."""
    lengths = [math.hypot(*row) for row in rows]
    if 0.0 in lengths or not all(map(math.isfinite, lengths)):
        return 0.0
    # brought to length one, so that none overflows
    a, b, c = ([x / length for x in row] for row, length in zip(rows, lengths, strict=True))
    products = (
        a[0] * b[1] * c[2], -a[0] * b[2] * c[1], a[1] * b[2] * c[0],
        -a[1] * b[0] * c[2], a[2] * b[0] * c[1], -a[2] * b[1] * c[0],
    )  # fmt: skip
    total = sum(map(abs, products))
    return abs(sum(products)) / total if total > 0.0 else 0.0


def _volume_of_directions(rows: list[list[float]]) -> float:
    """The determinant of three rows brought to length one, so that none overflows."""
    lengths = [math.hypot(*row) for row in rows]
    if 0.0 in lengths:
        return 0.0
    a, b, c = ([x / length for x in row] for row, length in zip(rows, lengths, strict=True))
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def as_control_points(value: Any) -> npt.NDArray[np.float64]:
    """Coefficients (3, k0, k1, k2), in output voxels."""
    wanted = "coefficients of shape (3, k0, k1, k2), at least 4 on each axis"
    points = as_floats("control_points", value, wanted)
    if points.ndim != 4 or points.shape[0] != 3 or min(points.shape[1:]) < 4:
        raise ValueError(f"control_points must be {wanted}, got shape {points.shape}")
    return points


def as_spacing(value: Any) -> npt.NDArray[np.float64]:
    """The size of a voxel along axes 0, 1, 2."""
    wanted = f"three voxel sizes in mm, from {SMALLEST:g} to {LARGEST:g}"
    spacing = as_floats("spacing", value, wanted)
    if spacing.shape != (3,) or not _are_sizes(spacing):
        raise ValueError(f"spacing must be {wanted}, got {shown(value)}")
    return spacing


def as_world(value: Any) -> npt.NDArray[np.float64]:
    """The (4, 4) matrix from voxels to mm that comes with a file."""
    matrix = as_floats("affine", value, "a (4, 4) matrix from voxels to mm")
    if matrix.shape != (4, 4) or not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError(
            "affine must be a (4, 4) matrix from voxels to mm, whose last row is 0, 0, 0, 1, "
            f"got {matrix.tolist()}"
        )
    axes = matrix[:3, :3].T
    if abs(_volume_of_directions(axes.tolist())) < FLAT:
        raise ValueError(f"affine must be invertible, got {matrix.tolist()}")
    if not _are_sizes(np.array([math.hypot(*axis) for axis in axes.tolist()])):
        raise ValueError(
            f"affine must have voxel sizes from {SMALLEST:g} to {LARGEST:g} mm, "
            f"got {matrix.tolist()}"
        )
    return matrix


def _are_sizes(lengths: npt.NDArray[np.float64]) -> bool:
    return bool(((lengths >= SMALLEST) & (lengths <= LARGEST)).all())


def as_voxel_size(spacing: Any, affine: Any) -> tuple[Any, Any]:
    """A tuple of three and None, None and a read-only (4, 4) array, or None twice."""
    if spacing is not None and affine is not None:
        raise ValueError("give spacing or affine, which holds the spacing: got both")
    if affine is not None:
        affine = as_world(affine)
        affine.flags.writeable = False
    return None if spacing is None else tuple(as_spacing(spacing).tolist()), affine


def as_points(value: Any) -> npt.NDArray[np.float64]:
    """Places (N, 3), in voxels."""
    wanted = "places in voxels, of shape (N, 3)"
    points = as_floats("points", value, wanted)
    if points.shape == (0,):  # an empty list: none
        points = points.reshape(0, 3)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points must be {wanted}, got shape {points.shape}")
    return points


def as_boxes(value: Any) -> npt.NDArray[np.float64]:
    """Boxes (N, 2, 3): their least and their greatest corner, in voxels."""
    wanted = "boxes of shape (N, 2, 3): the least and the greatest corner of each, in voxels"
    boxes = as_floats("boxes", value, wanted)
    if boxes.shape == (0,):  # an empty list: none
        boxes = boxes.reshape(0, 2, 3)
    if boxes.ndim != 3 or boxes.shape[1:] != (2, 3):
        raise ValueError(f"boxes must be {wanted}, got shape {boxes.shape}")
    if (boxes[:, 0] > boxes[:, 1]).any():
        first = boxes[(boxes[:, 0] > boxes[:, 1]).any(axis=1)][0].tolist()
        raise ValueError(f"boxes must be {wanted}, got a least corner beyond the greatest: {first}")
    return boxes


def as_fills(cval: Any, volume: npt.NDArray[Any], name: str = "cval") -> npt.NDArray[Any]:
    """`cval`, a number or one a channel, as (C,) of the dtype, which must be able to hold it."""
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


def as_output(
    out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], name: str = "out"
) -> npt.NDArray[Any]:
    """The memory of `out`, if a result of `shape` can be written to it."""
    written = memory_of(out, name)
    if written.shape != shape or written.dtype != dtype:
        raise ValueError(
            f"{name} must be {dtype} of shape {shape}, got {written.dtype} of shape {written.shape}"
        )
    if not written.flags.writeable:
        raise ValueError(f"{name} must be writeable, got a read-only array")
    if _overlaps_itself(written):
        raise ValueError(
            f"{name} must have a place for each voxel, got shape {shape} and strides "
            f"{written.strides}, of which some share their memory"
        )
    return written


def memory_of(out: Any, name: str = "out") -> npt.NDArray[Any]:
    """An array that shares the memory of `out`; never a copy, which the result would be lost in."""
    if type(out) is np.ndarray:
        return out
    refuse_masked(name, out)
    if _is_negated(out):
        raise ValueError(
            f"{name} must hold its values as they are, got a {type(out).__name__} that negates "
            "its memory: give an out of its own"
        )
    if isinstance(out, np.ndarray):
        return out
    if hasattr(out, "__array_interface__"):
        return as_array(name, out)
    if not hasattr(out, "__dlpack__"):
        raise TypeError(f"{name} must be an array that can be written to, got {type(out).__name__}")
    try:
        shared = np.from_dlpack(out)
    except Exception as error:  # every library has its own
        raise TypeError(
            f"{name} must be an array that shares its memory, got {type(out).__name__} ({error})"
        ) from error
    if not shared.flags.writeable and hasattr(out, "__array__"):
        # NumPy 2.0 takes all that comes by DLPack for read-only; torch's own way may share too
        array = np.asarray(out)
        if array.__array_interface__["data"][0] == shared.__array_interface__["data"][0]:
            return array
    return shared


def check_apart(name: str, written: npt.NDArray[Any], others: Sequence[npt.NDArray[Any]]) -> None:
    """See that `written` shares no memory with what is read, or written to as well."""
    for other in others:
        if np.may_share_memory(written, other) and _overlap(written, other):
            raise ValueError(
                f"{name} must not overlap a volume, of which voxels are read after others are "
                "written, or another out"
            )


def _overlaps_itself(array: npt.NDArray[Any]) -> bool:
    """Whether two voxels lie in the same memory, or may do."""
    if array.flags.c_contiguous:
        return False
    axes = sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1)
    extent, nested = array.itemsize, True
    for stride, length in axes:
        nested &= stride >= extent
        extent += stride * (length - 1)
    if nested:  # each step of an axis goes beyond all that lies within
        return False
    # else two that differ along an axis, and not along those before it
    for axis in range(array.ndim):
        first = (slice(0, 1),) * axis
        if _overlap(array[(*first, slice(0, 1))], array[(*first, slice(1, None))]):
            return True
    return False


def _overlap(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    try:
        return bool(np.shares_memory(a, b, max_work=10_000))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def by_name(option: str, given: Any, names: Iterable[str], default: Any) -> dict[str, Any]:
    """The value of an option for each name: one for all, or a mapping from some of them."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given)
    unknown = set(given) - set(names)
    if unknown:
        raise ValueError(
            f"{option} must be given for {', '.join(map(repr, names))}, "
            f"got {', '.join(map(repr, sorted(unknown, key=str)))}"
        )
    return {name: given.get(name, default) for name in names}
