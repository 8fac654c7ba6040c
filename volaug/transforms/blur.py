"""Blur: convolve an image with a Gaussian."""

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from ..checks import check_flag
from ..keys import RandomStream
from ..warping.engine.gaussian import blur
from ..warping.fusion import Grid
from .base import ValueStep
from .operation import Voxels
from .per_channel import (
    ChannelId,
    IntensityOperation,
    checked,
    draw_per_channel,
    of_channel,
)
from .ranges import (
    Pairs,
    RangePerAxis,
    Three,
    as_number,
    as_triple,
    drawn_for_axes,
    widths,
)

MAX_SIGMA = 100.0  # voxels


@dataclass(frozen=True, repr=False)
class RandomBlur(ValueStep):
    """Blur the image with a Gaussian.

    Parameters
    ----------
    sigma : float, (low, high), or three of these for axes 0, 1, 2; default (0.5, 1.0)
        Standard deviation of the Gaussian in mm (voxels without spacing), 0 to 100, drawn uniformly
        for each axis; a number `a` means 0 to a. The default is nnU-Net's.
    isotropic : bool, default False
        Whether one draw serves all axes, each within its own range.
    per_channel : bool, default False
        Whether each channel of each image gets its own draw.
    p_channel : float, default 1.0
        With `per_channel`, probability of blurring each channel, 0 to 1; nnU-Net uses 0.5.
    truncate : float, default 4.0
        Where the Gaussian ends, in multiples of `sigma`, 1 to 10: 4 in scipy, 3 in
        batchgeneratorsv2.
    p : float, default 0.2
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
        If `sigma`, `p_channel`, `truncate` or `p` is outside its range, or a range is reversed.

    See Also
    --------
    RandomLowResolution : Reduce the resolution by voxels.

    Notes
    -----
    The filter has ``floor(truncate * sigma + 1/4)`` voxels on each side. Outside, the image is
    mirrored at the center of its last voxel, as in batchgeneratorsv2. NaN and infinite voxels
    spread over the filter's extent. Sigmas over 100 voxels are 100 voxels.

    Examples
    --------
    >>> image = np.zeros((9, 9, 9), np.float32)
    >>> image[4, 4, 4] = 1.0
    >>> pipeline = volaug.Compose([volaug.RandomBlur((1, 1), p=1.0)], seed=7)
    >>> round(float(pipeline(image=image, index=0)["image"].max()), 2)
    0.06

    Blur the FLAIR image alone:

    >>> step = volaug.RandomBlur((1, 1), p=1.0, include=["flair"])
    >>> pipeline = volaug.Compose([step], seed=7, targets={"t1": "image", "flair": "image"})
    >>> sample = pipeline(t1=image, flair=image, index=0)
    >>> np.array_equal(sample["t1"], image), np.array_equal(sample["flair"], image)
    (True, False)
    """

    sigma: RangePerAxis = (0.5, 1.0)
    _: KW_ONLY
    isotropic: bool = False
    per_channel: bool = False
    p_channel: float = 1.0
    truncate: float = 4.0
    p: float = field(default=0.2, kw_only=True)
    _widths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        check_flag("isotropic", self.isotropic)
        check_flag("per_channel", self.per_channel)
        as_number("p_channel", self.p_channel, 0.0, 1.0)
        as_number("truncate", self.truncate, 1.0, 10.0)
        self._derive(_widths=widths(self.sigma))

    def draw(self, grid: Grid, stream: RandomStream) -> "Blur":
        sizes = grid.to_mm.diagonal().tolist()

        def one(stream: RandomStream) -> Three:
            blurred = stream.chance(self.p_channel) or not self.per_channel
            drawn = zip(drawn_for_axes(self._widths, self.isotropic, stream), sizes, strict=True)
            a, b, c = (min(width / size, MAX_SIGMA) if blurred else 0.0 for width, size in drawn)
            return a, b, c

        return Blur(draw_per_channel(self.per_channel, grid, stream, one), self.truncate)


@dataclass(frozen=True, repr=False)
class Blur(IntensityOperation):
    """Convolve with a Gaussian of this many voxels along each axis; 0 leaves an axis as it is."""

    sigma: Three | tuple[Three, ...]
    truncate: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "sigma", checked("sigma", self.sigma, _widths, depth=1))
        object.__setattr__(self, "truncate", as_number("truncate", self.truncate, 1.0, 10.0))

    @classmethod
    def examples(cls) -> tuple["Blur", ...]:
        return (cls((1.0, 1.0, 1.0)),)

    def change(self, voxels: Voxels, channel: ChannelId, threads: int) -> None:
        sigma = of_channel(self.sigma, channel)
        a, b, c = (math.floor(self.truncate * width + 0.25) for width in sigma)
        blur(voxels, sigma, (a, b, c), threads)


def _widths(name: str, value: Any) -> Three:
    return as_triple(name, value, 0.0, MAX_SIGMA)
