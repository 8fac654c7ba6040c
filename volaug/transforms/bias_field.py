"""Bias field: an image multiplied by a field that varies slowly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..kernels.jit.dtypes import as_type
from ..kernels.values.smooth_field import multiply_planes
from ..keys import RandomStream
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.in_place import in_memory_order, slowest_first
from ..warping.fusion import MAX_SPANS, Grid
from ..warping.geometry.bspline import Floats, knot_spacing, row_polynomials
from .base import ValueStep, Voxels
from .per_channel import ChannelId, IntensityOperation, PerChannel, of_channel, of_channels
from .ranges import Pair, Range, Shape, as_flag, positive

MAX_LOG_FIELD = 20.0  # of a field's logarithm


@dataclass(frozen=True, repr=False)
class RandomBiasField(ValueStep):
    """Multiply by a field that varies slowly, as that of a receive coil does.

    Its logarithm is a cubic B-spline whose control points are drawn evenly.

    Parameters
    ----------
    strength : number or pair
        Factors are from ``1 / (1 + strength)`` to ``1 + strength``, whatever is drawn; drawn
        evenly, a number `a` means 0 to a. As a spline takes means of its control points, the
        greatest in an image is about a third of that, by its logarithm: up to 20 % with 0.8, which
        is mild, and up to 50 % with 2, which is strong.
    num_control_points : int, or one for each axis
        4 or more, counting one beyond each end: with 4 it is one cubic polynomial along each
        axis, as smooth as TorchIO's (order 3).
    per_channel : bool
        Draw a field for each channel of each image.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.

    References
    ----------
    K. Van Leemput et al., "Automated model-based bias field correction of MR images of the brain",
    IEEE Transactions on Medical Imaging 18(10), 1999.
    """

    strength: Range = 0.8
    _: KW_ONLY
    num_control_points: int | Sequence[int] = 4
    per_channel: bool = False
    p: float = field(default=0.15, kw_only=True)
    _strengths: Pair = field(init=False, compare=False)
    _lattice: Shape = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("per_channel", self.per_channel)
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

        return BiasField(of_channels(self.per_channel, grid, stream, one))


@dataclass(frozen=True, eq=False)
class BiasField(IntensityOperation):
    """Multiply by the exponential of a cubic B-spline, as an uneven receive coil does.

    Parameters
    ----------
    control_points : (k0, k1, k2) array, or (C, k0, k1, k2) for each of C channels
        Or the latter by the names of images. Of the natural logarithm of the field; 4 or more
        along each axis, as those of an elastic deformation lie over the image.
    """

    control_points: Any = field(repr=False)

    def __post_init__(self) -> None:
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
