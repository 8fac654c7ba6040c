"""Cases for training: arrays, files, or a function that loads them. Of each a part can be read."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import checks
from .engine.borders import UNFOLDED
from .geometry.bounds import Box
from .plain import check_known
from .record import Record
from .targets import Shape, Target, as_targets, common_grid

Array = npt.NDArray[Any]
Given = Mapping[str, Any] | Callable[[], Mapping[str, Any]]

# What a case may say beside its targets.
UNITS = ("spacing", "affine")


class CaseError(RuntimeError):
    """A case could not be read or augmented; the cause says why."""


class OpenCase(NamedTuple):
    """A case whose volumes can be read."""

    volumes: dict[str, Any]  # arrays, or what has a shape and a dtype and is sliced like one
    places: dict[str, Array]
    spacing: Any
    affine: Any
    shape: Shape

    def channels(self, table: Mapping[str, Target]) -> int:
        """Of the image that has the most."""
        images = (v for name, v in self.volumes.items() if table[name].kind == "image")
        return max((v.shape[0] if len(v.shape) == 4 else 1 for v in images), default=1)


class Case:
    """What a user gave as one case, opened when it is needed.

    Parameters
    ----------
    given : mapping, or function that returns one
        From the names of a pipeline's targets to arrays; to paths of ``.npy`` files, which are
        mapped into memory, or of images that nibabel reads, of which slices of what is not
        compressed are read; or to what is sliced like an array and read then (of h5py, zarr,
        blosc2). And "spacing" or "affine", which an image file brings along. A function is
        called for each sample.
    table : mapping from names to Target
        Of the pipeline.
    """

    def __init__(self, given: Given, table: Mapping[str, Target]) -> None:
        if not callable(given) and not isinstance(given, Mapping):
            raise TypeError(
                "a case must be a mapping from names to arrays or files, or a function that "
                f"returns one, got {type(given).__name__}"
            )
        self._given, self._table = given, table

    def open(self) -> OpenCase:
        """See what there is, and what is wrong with it."""
        return self._opened(self._given()) if callable(self._given) else self._once

    @cached_property
    def _once(self) -> OpenCase:
        return self._opened(self._given)

    def _opened(self, given: Any) -> OpenCase:
        if not isinstance(given, Mapping):
            raise TypeError(f"a case must be a mapping from names, got {type(given).__name__}")
        named = {name: value for name, value in given.items() if name not in UNITS}
        units = {name: given[name] for name in UNITS if name in given}
        check_known("target of a case", named, self._table)
        lazy: dict[str, Any] = {}
        for name, value in list(named.items()):
            if self._table[name].has_voxels:
                if isinstance(value, str | Path):
                    value, affine = from_file(Path(value))
                    if not units and affine is not None:
                        units = {"affine": affine}
                named[name] = value
                if not is_array(value):
                    lazy[name] = checked_lazy(name, named.pop(name))
        volumes, places = as_targets(self._table, named)
        shapes = {**volumes, **lazy}
        grid = common_grid({name: np.broadcast_to(0, v.shape) for name, v in shapes.items()})
        # in the order that the user gave them
        ordered = {name: shapes[name] for name in given if name in shapes}
        size = checks.as_voxel_size(units.get("spacing"), units.get("affine"))
        return OpenCase(ordered, places, *size, grid)


def is_array(value: Any) -> bool:
    """Whether its memory is there, and no slice has to be read."""
    return isinstance(value, np.ndarray) or any(
        hasattr(value, name) for name in ("__array_interface__", "__dlpack__")
    )


def checked_lazy(name: str, value: Any) -> Any:
    """What is sliced like an array."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None or not hasattr(value, "__getitem__"):
        raise TypeError(
            f"{name!r} must be an array, a path, or what is sliced like an array, "
            f"got {type(value).__name__}"
        )
    checks.as_volume(np.broadcast_to(np.zeros((), np.dtype(dtype)), shape), name)
    return value


class Scan:
    """An image that nibabel reads, channels first, sliced like an array."""

    def __init__(self, image: Any) -> None:
        self._proxy = image.dataobj
        scaled = (getattr(self._proxy, "slope", 1.0), getattr(self._proxy, "inter", 0.0))
        stored = np.dtype(self._proxy.dtype).newbyteorder("=")
        self.dtype = stored if scaled == (1.0, 0.0) else np.dtype(np.float32)
        self.shape = (*image.shape[3:], *image.shape[:3])

    def __getitem__(self, window: Any) -> Array:
        """The voxels of three slices after an ellipsis, or all of them."""
        slices = window[1:] if isinstance(window, tuple) else ()
        part = np.asarray(self._proxy[(*slices, ...)], self.dtype)
        return np.moveaxis(part, -1, 0) if part.ndim == 4 else part


def from_file(path: Path) -> tuple[Any, Array | None]:
    """What is sliced like an array, and the matrix from its voxels to mm if the file has one."""
    if path.suffix == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False), None
    import nibabel

    image: Any = nibabel.load(path)
    return Scan(image), np.asarray(image.affine)


def as_parts(opened: OpenCase, record: Record) -> tuple[dict[str, Array], Shape]:
    """What a record reads of a case, as arrays, and the voxel at which these begin.

    Of volumes that are not in memory no more is read than the first warp can read.
    """
    if all(map(is_array, opened.volumes.values())):
        return dict(opened.volumes), (0, 0, 0)
    targets = [record.targets[name] for name in opened.volumes]
    box: Box = tuple((0, n) for n in opened.shape)  # type: ignore[assignment]
    if all(t.mode in UNFOLDED and t.interpolation != "cubic" for t in targets):
        found = record.warps[0].source_box(opened.shape)
        # of what lies wholly outside, one voxel, which is not looked at
        box = found if all(start < stop for start, stop in found) else ((0, 1),) * 3
    window = (..., *(slice(start, stop) for start, stop in box))
    parts = {name: checks.as_volume(np.asarray(v[window])) for name, v in opened.volumes.items()}
    (a, _), (b, _), (c, _) = box
    return parts, (a, b, c)
