"""Cases for training: arrays, files, or functions that load them. They are read part by part."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import checks
from ..pipeline.targets import Shape, Target, as_targets, common_grid
from ..serialization import check_names
from ..warping.geometry.bspline import Floats
from ..warping.geometry.orientation import Reorientation, reorientation
from .files.opening import affine_of, as_path, is_path, open_volume, outline_of
from .files.safety import FileError, naming
from .sources import Source, check_lazy, is_array, is_proxy, label_dtype

Array = npt.NDArray[Any]
Given = Mapping[str, Any] | Callable[[], Mapping[str, Any]]

# What a case may have besides its targets.
UNITS = ("spacing", "affine")
FOREGROUND = "foreground"

# Dtypes that images can be converted to.
IMAGE_DTYPES = ("float16", "float32", "float64")


class CaseError(RuntimeError, ValueError):
    """A case could not be read or augmented; its cause says why.

    It is also a `ValueError`, as a case is an argument of a `Stream`. `Stream` raises it.

    Parameters
    ----------
    reason : str
        What is wrong, with the path of the file if it is about one.
    case : int
        Number of the case in `cases`.
    epoch, index : int, optional
        Epoch and index of the sample; None if the case was opened before any sample.
    file : str, optional
        Path of the file.

    See Also
    --------
    Stream : Opens cases.

    Examples
    --------
    >>> try:
    ...     volaug.Stream([{}], volaug.Compose([]), patch_shape=8, batch_size=1, seed=0)
    ... except volaug.CaseError as error:
    ...     print(error.case)
    0
    """

    def __init__(
        self,
        reason: str,
        case: int,
        epoch: int | None = None,
        index: int | None = None,
        file: str | None = None,
    ) -> None:
        super().__init__(reason, case, epoch, index, file)
        self.reason, self.case, self.epoch, self.index, self.file = self.args

    def __str__(self) -> str:
        sample = "" if self.epoch is None else f" (epoch {self.epoch}, index {self.index})"
        return f"case {self.case}{sample}: {self.reason}"

    @classmethod
    def of(
        cls, error: Exception, case: int, epoch: int | None = None, index: int | None = None
    ) -> "CaseError":
        """The error of a case, from the exception that it caused."""
        reason = str(error) or type(error).__name__
        return cls(reason, case, epoch, index, getattr(error, "file", None))


class OpenCase(NamedTuple):
    """A case whose volumes can be read."""

    volumes: dict[str, Any]  # arrays, or objects with shape and dtype, sliced like them
    coordinates: dict[str, Array]
    spacing: Any
    affine: Any
    shape: Shape
    turns: dict[str, Reorientation]  # of files that know where they lie, into the common grid
    foreground: Any = None  # voxels by class, or a function that returns them


class Case:
    """One case as a user gave it, opened when it is needed.

    Parameters
    ----------
    given : mapping, or function that returns one
        Keys: the names of a pipeline's targets. Values: arrays, paths of files (see `open_volume`),
        or objects that are sliced like arrays and read then (of h5py, zarr, blosc2). It can have
        "spacing" or "affine", which image files need not, and "foreground", see `as_foreground`.
        A function is called for each sample.
    table : mapping from names to Target
        The targets of the pipeline.
    dtype : numpy.dtype, optional
        Dtype to convert images to.
    opener : function, optional
        Makes a volume of a path. Default: `open_volume`.

    Notes
    -----
    All files must lie in one grid: that of the first image whose position is known (a file, or an
    array if the case has an "affine"). The axes of other files are brought into the order and the
    direction of that grid. Do not write to a file in use: the next read of it raises an error.
    """

    def __init__(
        self,
        given: Given,
        table: Mapping[str, Target],
        dtype: np.dtype[Any] | None = None,
        opener: Callable[[Path], Any] = open_volume,
    ) -> None:
        if not callable(given) and not isinstance(given, Mapping):
            raise TypeError(
                "a case must be a mapping from names to arrays or files, or a function that "
                f"returns one, got {type(given).__name__}"
            )
        self._given, self._table, self._dtype, self._opener = given, table, dtype, opener
        # not `functools.cached_property`: another thread may hold its lock at a fork
        self._once: OpenCase | None = None

    @property
    def is_function(self) -> bool:
        """Whether the case is a function, which is called each time the case is needed."""
        return callable(self._given)

    def outline(self) -> str:
        """What is known of the case without reading it, whatever folder its files lie in."""
        if callable(self._given):
            return "a function"
        return repr(sorted((name, outline_of(value)) for name, value in self._given.items()))

    def open(self) -> OpenCase:
        """Open the volumes, or raise what is wrong with them."""
        if self._once is not None:
            return self._once
        opened = self._opened(self._given() if callable(self._given) else self._given)
        if not callable(self._given):
            self._once = opened
        return opened

    def _opened(self, given: Any) -> OpenCase:
        if not isinstance(given, Mapping):
            raise TypeError(f"a case must be a mapping from names, got {type(given).__name__}")
        named = {name: value for name, value in given.items() if name not in (*UNITS, FOREGROUND)}
        units = {name: given[name] for name in UNITS if name in given}
        check_names("target of a case", named, self._table)
        volumes = {name: v for name, v in named.items() if self._table[name].has_voxels}
        paths = {name: as_path(value) for name, value in volumes.items() if is_path(value)}
        volumes |= {name: self._opener(path) for name, path in paths.items()}
        for name, value in volumes.items():
            if not is_array(value):
                check_lazy(name, value)
        arrays, coordinates = as_targets(
            self._table,
            {n: v for n, v in named.items() if n not in volumes or is_array(v)},
        )
        spacing, affine = checks.as_voxel_size(units.get("spacing"), units.get("affine"))
        volumes |= arrays
        affines = _affines({name: volumes[name] for name in paths}, paths, bool(units))
        turns, world = self._turns(volumes, affines, paths, affine)
        for name, value in volumes.items():
            dtype = self._dtype_of(name, value, paths.get(name))
            if name not in arrays or dtype is not None:
                title = f"{name!r} ({paths[name]})" if name in paths else repr(name)
                volumes[name] = Source(value, title, dtype, turns.get(name))
        grid = common_grid({_title(name, paths): volume for name, volume in volumes.items()})
        if not units and world is not None:
            spacing, affine = checks.as_voxel_size(None, world)
        known = given.get(FOREGROUND)
        return OpenCase(volumes, coordinates, spacing, affine, grid, turns, known)

    def _dtype_of(self, name: str, voxels: Any, path: Path | None) -> np.dtype[Any] | None:
        """The dtype to convert the voxels of a target to, or None."""
        if self._table[name].kind == "image":
            return None if self._dtype == voxels.dtype else self._dtype
        if path is None:
            return label_dtype(voxels) if is_proxy(voxels) else None
        with naming(path):
            return label_dtype(voxels)

    def _turns(
        self,
        volumes: Mapping[str, Any],
        affines: Mapping[str, Floats],
        paths: Mapping[str, Path],
        given: Floats | None,
    ) -> tuple[dict[str, Reorientation], Floats | None]:
        """How to turn each file into the common grid, and the affine of that grid if known.

        Parameters
        ----------
        affines : mapping
            Affines of the files that have one.
        given : (4, 4) array or None
            The affine that the case gives, which is that of its arrays.
        """
        by_kind = sorted(volumes, key=lambda name: self._table[name].kind != "image")
        turns: dict[str, Reorientation] = {}
        arrays = [name for name in by_kind if name not in paths]
        world: Floats | None
        if given is not None and arrays:  # arrays lie there, and files must as well
            first, world, grid = arrays[0], given, "the case's affine"
        else:
            first = next((name for name in by_kind if name in affines), "")
            world, grid = affines.get(first), _title(first, paths)
        if world is None:
            return turns, None
        shape = spatial(volumes[first])
        for name, affine in affines.items():
            try:
                turns[name] = reorientation(shape, world, spatial(volumes[name]), affine)
            except ValueError as error:
                raise FileError(
                    str(paths[name]),
                    f"{name!r} must lie in the grid of {grid}, but {error}",
                ) from None
        return turns, world


def _affines(
    files: Mapping[str, Any], paths: Mapping[str, Path], replaced: bool
) -> dict[str, Floats]:
    """The affines (voxels to mm) of the files that have one.

    If the case gives its own spacing or affine (`replaced`), invalid affines are left out.
    """
    found = {}
    for name, volume in files.items():
        try:
            affine = affine_of(volume, paths[name])
        except FileError:
            if not replaced:
                raise
            continue
        if affine is not None:
            found[name] = affine
    # a file whose header gives no position is taken to lie in the grid of the others
    stated = {name: a for name, a in found.items() if getattr(files[name], "is_placed", True)}
    return stated or found


def _title(name: str, paths: Mapping[str, Path]) -> str:
    return f"{name} ({paths[name]})" if name in paths else name


def spatial(volume: Any) -> Shape:
    """The lengths of the spatial axes of a volume."""
    n0, n1, n2 = (int(n) for n in volume.shape[-3:])
    return n0, n1, n2


def as_image_dtype(value: Any) -> np.dtype[Any] | None:
    """The dtype that images are converted to, or None if each keeps its own."""
    if value is None:
        return None
    try:
        dtype: np.dtype[Any] = np.dtype(value).newbyteorder("=")
    except TypeError:
        dtype = np.dtype(object)
    if dtype.name not in IMAGE_DTYPES:
        raise ValueError(f"dtype must be {', '.join(IMAGE_DTYPES)} or None, got {value!r}")
    return dtype
