"""Bias field: multiply an image by a field that varies slowly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import check_flag
from ..kernels.jit.dtypes import as_type
from ..kernels.values.smooth_field import multiply_planes
from ..keys import RandomStream
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.in_place import in_memory_order, slowest_first
from ..warping.fusion import Grid
from ..warping.geometry.bspline import MAX_SPANS, Floats, knot_spacing, row_polynomials
from .base import ValueStep
from .operation import Voxels
from .per_channel import ChannelId, IntensityOperation, PerChannel, draw_per_channel, of_channel
from .ranges import Pair, Range, Shape, positive

MAX_LOG_FIELD = 20.0  # of a field's logarithm


@dataclass(frozen=True, repr=False)
class RandomBiasField(ValueStep):
    """Multiply the image by a smooth random field, like that of a receive coil.

    The logarithm of the field is a cubic B-spline. Its control points are drawn uniformly from
    ``-log(1 + s)`` to ``log(1 + s)``, where `s` is the strength that was drawn.

    Parameters
    ----------
    strength : float or (low, high), default 0.8
        Bound of the factors, 0 to 100, drawn uniformly: they lie from ``1 / (1 + s)`` to ``1 + s``.
        A number `a` means 0 to a. A spline averages its control points, so that the maximum in an
        image is about a third of the bound, by its logarithm: up to 20 % with 0.8, which is mild,
        and up to 50 % with 2, which is strong.
    num_control_points : int or three ints, default 4
        Number along each axis, 4 to 67, with one beyond each end. 4 is one cubic polynomial along
        each axis, as smooth as TorchIO's (order 3).
    per_channel : bool, default False
        Whether each channel of each image gets its own field.
    p : float, default 0.15
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all images.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If `strength` is not from 0 to 100, `num_control_points` is not from 4 to 67, or `p` is not
        from 0 to 1.

    See Also
    --------
    RandomBrightness : Multiply by one number.

    References
    ----------
    K. Van Leemput et al., "Automated model-based bias field correction of MR images of the brain",
    IEEE Transactions on Medical Imaging 18(10), 1999.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomBiasField(0.8, p=1.0)], seed=7)
    >>> field = pipeline(image=np.ones((8, 8, 8)), index=0)["image"]
    >>> bool(1 / 1.8 < field.min() < field.max() < 1.8)
    True
    """

    strength: Range = 0.8
    _: KW_ONLY
    num_control_points: int | Sequence[int] = 4
    per_channel: bool = False
    p: float = field(default=0.15, kw_only=True)
    _strengths: Pair = field(init=False, compare=False)
    _lattice: Shape = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("per_channel", self.per_channel)
        given = self.num_control_points
        given = given if isinstance(given, tuple) else (given,) * 3
        lattice = [checks.as_whole("num_control_points", k, 4, MAX_SPANS + 3) for k in given]
        if len(lattice) != 3:
            raise ValueError(
                f"num_control_points must be one or three, got {self.num_control_points!r}"
            )
        strengths = positive("strength", self.strength, 100.0)
        self._derive(_strengths=strengths, _lattice=tuple(lattice))

    def draw(self, grid: Grid, stream: RandomStream) -> "BiasField":
        def one(stream: RandomStream) -> Floats:
            amplitude = math.log1p(stream.uniform(*self._strengths))
            return amplitude * (2.0 * stream.uniforms(*self._lattice) - 1.0)

        return BiasField(draw_per_channel(self.per_channel, grid, stream, one))


@dataclass(frozen=True, eq=False)
class BiasField(IntensityOperation):
    """Multiply by the exponential of a cubic B-spline, like an uneven receive coil.

    Parameters
    ----------
    control_points : (k0, k1, k2) array, or (C, k0, k1, k2) for each of C channels
        Or a mapping from names of images to the latter. Coefficients of the natural logarithm of
        the field, 4 or more along each axis, on the lattice of an elastic deformation.
    """

    control_points: Any = field(repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.control_points
        if isinstance(given, Mapping) and given:
            points: Any = {name: _field_points(value, (4,)) for name, value in given.items()}
        else:
            points = _field_points(given, (3, 4))
        object.__setattr__(self, "control_points", points)

    @classmethod
    def examples(cls) -> tuple["BiasField", ...]:
        return (cls(np.zeros((4, 4, 4))),)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        multiply_field(voxels, of_channel(self.control_points, channel) / math.log(2.0), threads)


def _field_points(value: Any, axes: tuple[int, ...]) -> Any:
    """Control points (k0, k1, k2), or `PerChannel` of some for each channel."""
    wanted = "coefficients (k0, k1, k2), or (C, k0, k1, k2), at least 4 on each axis"
    points = checks.as_floats("control_points", value, wanted)
    if points.ndim not in axes or min(points.shape[-3:]) < 4 or not len(points):
        raise ValueError(f"control_points must be {wanted}, got shape {points.shape}")
    maximum = float(np.abs(points).max())
    if maximum > MAX_LOG_FIELD:
        raise ValueError(f"control_points must be at most {MAX_LOG_FIELD:g}, got {maximum:g}")
    points.flags.writeable = False
    return points if points.ndim == 3 else PerChannel(points)


def multiply_field(channel: npt.NDArray[Any], control_points: Floats, threads: int) -> None:
    """Multiply a channel by 2 to the power of a cubic B-spline over it.

    Parameters
    ----------
    channel : (n0, n1, n2) array
        Of any dtype and strides.
    control_points : (k0, k1, k2) array
        4 or more along each axis; see `warping/geometry/bspline.py`. From -126 to 126.
    threads : int
        At most this many threads.
    """
    points = control_points.transpose(slowest_first(channel))
    with in_memory_order(channel) as voxels:
        shape = voxels.shape
        lattice, starts = row_polynomials(points[np.newaxis], shape[2])
        density = 1.0 / np.array(knot_spacing(shape, points.shape)[:2])
        kind, memory = as_type(voxels.dtype), (voxels.__array_interface__["data"][0], voxels.size)

        def work(first: int, stop: int) -> None:
            multiply_planes(kind, memory, shape, lattice, density, starts, first, stop)

        run_parts(work, shape[0], threads_worth(voxels.size, threads), [voxels])
