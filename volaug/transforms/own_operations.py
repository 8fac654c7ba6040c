"""What users' steps do to an image with the parameters that were drawn."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import checks
from ..serialization import PLAIN, shown
from ..warping.engine.rounding import rounded
from ..warping.fusion import Fusion
from ..warping.geometry.bspline import Floats
from .operation import Kinds, Operation, SpatialOperation, ValueOperation, Voxels
from .per_channel import ChannelId, IntensityOperation
from .registered import REGISTERED, as_parameters, registered

# What users' steps have, one of them each.
SPATIAL_METHODS, VALUE_METHOD = ("matrix", "points_to_input"), "change"

# Voxels along each axis that are checked for NaN. To check all takes longer than many functions do.
LOOKED_AT = 8


@dataclass(frozen=True, repr=False)
class OwnOperation(Operation):
    """What a user's step drew: the name of its class, and parameters by name."""

    # One of these the step must have.
    methods: ClassVar[tuple[str, ...]]

    step: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        registered(self.step, *self.methods)
        object.__setattr__(self, "parameters", as_parameters(self.step, self.parameters))

    def copied(self) -> dict[str, Any]:
        """Return the parameters, of which a step may change its copy alone."""
        if all(type(value) in PLAIN for value in self.parameters.values()):
            return dict(self.parameters)  # in a third of the time
        return copy.deepcopy(self.parameters)

    def __reduce__(self) -> Any:
        """Pickle the class of the step too, so that its module is imported where it is read."""
        return _reread, (registered(self.step), type(self), vars(self))


class OwnWarp(OwnOperation, SpatialOperation):
    """Move the image as a user's step does."""

    methods: ClassVar[tuple[str, ...]] = SPATIAL_METHODS

    def fuse(self, fusion: Fusion) -> None:
        kind, grid = registered(self.step), fusion.grid
        if hasattr(kind, "matrix"):
            fusion.move(*as_matrix(self.step, kind.matrix(grid, **self.copied())))
            return

        def to_input(points: Floats) -> Floats:
            found = kind.points_to_input(points.copy(), grid, **self.copied())
            return as_finite(f"points_to_input of {self.step}", found, points.shape)

        fusion.deform(to_input, self.step)


class OwnChange(OwnOperation, IntensityOperation):
    """Change values as a user's step does."""

    methods: ClassVar[tuple[str, ...]] = (VALUE_METHOD,)

    @property
    def needs_memory(self) -> bool:
        return True

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        ValueOperation.check(self, volumes, kinds)  # the parameters are for all channels

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        kind = registered(self.step)
        given = voxels
        if kind.dtype is not None and voxels.dtype != kind.dtype:
            given = voxels.astype(kind.dtype)
        before = _some(given).copy()
        more = {"threads": threads} if kind.takes_threads else {}
        result = kind.change(given, **self.copied(), **more)
        if result is None:
            result = given
        what = f"change of {self.step}"
        checks.refuse_masked(f"the result of {what}", result)
        if not isinstance(result, np.ndarray) or result.dtype != given.dtype:
            got = result.dtype if isinstance(result, np.ndarray) else type(result).__name__
            raise TypeError(f"{what} must return an array of {given.dtype}, got {got}")
        if result.shape != given.shape:
            raise ValueError(f"{what} must return the shape {given.shape}, got {result.shape}")
        # integers cannot hold any, and so all voxels are looked at
        is_whole = voxels.dtype.kind in "iu" and result.dtype.kind == "f"
        if (np.isnan(result) if is_whole else np.isnan(_some(result)) & ~np.isnan(before)).any():
            raise ValueError(
                f"{what} made NaN of numbers in channel {channel.channel} of {channel.target!r}"
            )
        if result is not voxels:
            store(result, voxels)


def store(values: Voxels, voxels: Voxels) -> None:
    """Write values into voxels: integers round halves away from zero, and saturate."""
    if voxels.dtype.kind in "iu" and values.dtype.kind == "f":
        values = rounded(values, voxels.dtype)
    np.copyto(voxels, values, casting="unsafe")


def _reread(step: type, kind: type, values: dict[str, Any]) -> Any:
    REGISTERED.setdefault(step.__name__, step)  # some pickles hold the class, and import nothing
    return kind(**values)


def _some(voxels: Voxels) -> Voxels:
    """Some voxels, spread over a volume."""
    return voxels[tuple(slice(None, None, -(-n // LOOKED_AT)) for n in voxels.shape)]


def as_matrix(step: str, value: Any) -> tuple[Floats, Floats]:
    """Return the (3, 3) matrix and the translation that a step returns, or raise."""
    what = f"matrix of {step}"
    matrix = as_finite(what, value, (3, 3), (4, 4))
    if len(matrix) == 4 and matrix[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
        raise ValueError(f"{what} must have the last row 0, 0, 0, 1, got {matrix[3].tolist()}")
    linear = matrix[:3, :3]
    if not checks.is_invertible(linear):
        raise ValueError(f"{what} must have an inverse, got {shown(linear.tolist())}")
    return linear, matrix[:3, 3] if len(matrix) == 4 else np.zeros(3)


def as_finite(what: str, value: Any, *shapes: tuple[int, ...]) -> Floats:
    """Return finite numbers of one of some shapes, or raise."""
    found: npt.NDArray[Any] = checks.as_array(f"the result of {what}", value)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"{what} must return numbers, got {shown(value)}")
    if found.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ValueError(f"{what} must return the shape {wanted}, got {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{what} must return finite numbers, got NaN or infinite ones")
    return found.astype(np.float64)
