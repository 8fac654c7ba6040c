"""Low resolution: a channel as if it had been scanned with fewer voxels."""

import itertools
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..checks import check_flag
from ..kernels.jit.dtypes import as_type
from ..kernels.values.resolution import coarse_planes, lower_planes
from ..kernels.warp.samplers import arithmetic_dtype
from ..keys import RandomStream
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.in_place import in_memory_order, slowest_first
from ..warping.fusion import Grid
from .base import ValueStep
from .channels import Channel
from .operation import Voxels
from .per_channel import (
    ChannelId,
    IntensityOperation,
    checked,
    draw_per_channel,
    of_channel,
)
from .ranges import (
    MIN_RESOLUTION,
    Pairs,
    RangePerAxis,
    Three,
    as_number,
    as_triple,
    drawn_for_axes,
    shares,
)

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class RandomLowResolution(ValueStep):
    """Reduce the resolution: keep fewer voxels along each axis, and interpolate between them.

    Parameters
    ----------
    resolution : float, (low, high), or three of these for axes 0, 1, 2; default (0.5, 1.0)
        Share of the voxels that is kept, 0.001 to 1, drawn uniformly; a number `a` means a to 1.
        The default is nnU-Net's. For thick slices across axis 0, ``((1, 1), (0.5, 1), (0.5, 1))``
        keeps all slices, which nnU-Net calls dummy 2D.
    isotropic : bool, default True
        Whether one draw serves all axes, each within its own range, as in nnU-Net.
    per_channel : bool, default False
        Whether each channel of each image gets its own draw.
    p_channel : float, default 1.0
        With `per_channel`, probability of changing each channel, 0 to 1; nnU-Net uses 0.5.
    p : float, default 0.25
        Probability of applying the step, 0 to 1; nnU-Net's.
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
        If a number is outside its range, or a range is reversed.

    See Also
    --------
    RandomBlur : Blur with a Gaussian.

    Notes
    -----
    The nearest voxels are kept, and all voxels are interpolated linearly from these; both by the
    centers of the voxels, so that nothing moves. If two voxels are equally near, as for half of an
    even number, the one with the higher index is kept. batchgeneratorsv2 does the same with torch's
    "nearest-exact" and "trilinear"; it rounds such ties in float32.

    Examples
    --------
    >>> step = volaug.RandomLowResolution((0.5, 0.5), p=1.0)
    >>> image = np.arange(8.0).reshape(8, 1, 1)
    >>> volaug.Compose([step], seed=7)(image=image, index=0)["image"].ravel()
    array([1. , 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7. ])
    """

    resolution: RangePerAxis = (0.5, 1.0)
    _: KW_ONLY
    isotropic: bool = True
    per_channel: bool = False
    p_channel: float = 1.0
    p: float = field(default=0.25, kw_only=True)
    _shares: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("isotropic", self.isotropic)
        check_flag("per_channel", self.per_channel)
        as_number("p_channel", self.p_channel, 0.0, 1.0)
        self._derive(_shares=shares(self.resolution))

    def draw(self, grid: Grid, stream: RandomStream) -> "LowResolution":
        def one(stream: RandomStream) -> Three:
            lowered = stream.chance(self.p_channel) or not self.per_channel
            a, b, c = drawn_for_axes(self._shares, self.isotropic, stream)
            return (a, b, c) if lowered else (1.0, 1.0, 1.0)

        return LowResolution(draw_per_channel(self.per_channel, grid, stream, one))


@dataclass(frozen=True, repr=False)
class LowResolution(IntensityOperation):
    """Keep this share of the voxels along each axis, and interpolate the others."""

    resolution: Three | tuple[Three, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(
            self, "resolution", checked("resolution", self.resolution, _shares, depth=1)
        )

    @classmethod
    def examples(cls) -> tuple["LowResolution", ...]:
        return (cls((0.5, 0.5, 0.5)),)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        resolution = of_channel(self.resolution, channel)
        pairs = zip(voxels.shape, resolution, strict=True)
        a, b, c = (max(1, round(length * share)) for length, share in pairs)
        lower_resolution(voxels, (a, b, c), threads)


def _shares(name: str, value: Any) -> Three:
    return as_triple(name, value, MIN_RESOLUTION, 1.0)


class AxisWeights(NamedTuple):
    """For one axis: indices of the kept voxels, and for each voxel its two kept neighbors and the
    weight of the upper one.
    """

    kept: Indices
    below: Indices
    above: Indices
    weights: npt.NDArray[Any]


def lower_resolution(channel: Channel, lengths: tuple[int, int, int], threads: int) -> None:
    """Keep so many voxels along each axis, the nearest ones, and mix them linearly to all again.

    Both by the centers of the voxels: of `m` voxels that share the extent of `n`, the center of
    the i-th lies at ``(i + 1/2) n / m - 1/2`` of them. Nothing is shifted, but where that is the
    middle between two: the one behind is kept.

    Parameters
    ----------
    channel : (n0, n1, n2) array
        Of any dtype and strides.
    lengths : (3,) ints
        From 1 to the channel's own.
    threads : int
        At most this many threads.
    """
    if tuple(lengths) == channel.shape:
        return
    real = arithmetic_dtype(channel.dtype)
    axis0, axis1, axis2 = (
        _axis_weights(channel.shape[axis], lengths[axis], real) for axis in slowest_first(channel)
    )
    along2 = axis2.kept[axis2.below], axis2.kept[axis2.above], axis2.weights
    with in_memory_order(channel) as voxels:
        shape = voxels.shape
        kind, memory = as_type(voxels.dtype), (voxels.__array_interface__["data"][0], voxels.size)
        threads = threads_worth(voxels.size, threads)
        edges = [shape[0] * part // threads for part in range(threads + 1)]
        slabs = [slab for slab in itertools.pairwise(edges) if slab[0] < slab[1]]
        # what slabs read of one another, before anything is written
        needed = [(axis0.below[first], axis0.above[stop - 1]) for first, stop in slabs]
        ends = np.empty((len(slabs), 2, *shape[1:]), real)
        planes, flat = axis0.kept[np.ravel(needed)], ends.reshape(-1, *shape[1:])
        coarse_planes(kind, memory, shape, planes, axis1.kept, axis1[1:], along2, flat)

        def lower(first: int, stop: int) -> None:
            for slab in range(first, stop):
                kept, lines = (axis0.kept, axis1.kept), (axis0[1:], axis1[1:], along2)
                lower_planes(kind, memory, shape, *kept, *lines, ends[slab], *slabs[slab])

        run_parts(lower, len(slabs), threads, [voxels])


def kept_voxels(length: int, count: int) -> Indices:
    """Which of so many voxels lie the nearest to the centers of fewer; of two, the one behind."""
    return (2 * np.arange(count) + 1) * length // (2 * count)


def _axis_weights(length: int, count: int, real: np.dtype[Any]) -> AxisWeights:
    # in units of 1 / (2 length), so that a weight of 0 is exactly that
    places = np.clip((2 * np.arange(length) + 1) * count - length, 0, 2 * length * (count - 1))
    below, rest = np.divmod(places, 2 * length)
    weights = (rest / (2 * length)).astype(real)
    return AxisWeights(kept_voxels(length, count), below, below + (weights > 0.0), weights)
