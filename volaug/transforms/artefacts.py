"""Steps that do to an image what a scanner does: noise, blur, few voxels, an uneven field.

As those of `intensity.py`, but that a voxel's place or its neighbours matter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import checks
from ..keys import Numbers
from ..operations.artefacts import NOISES, WIDEST, BiasField, Blur, LowResolution, Noise
from ..operations.numbers import Shape, Three, as_flag, as_number
from ..warping.fusion import MOST_SPANS, Grid
from ..warping.geometry.bspline import Floats
from .intensity import evenly, of_channels
from .ranges import Pair, Pairs, Range, drawn_for_axes, positive, shares, widths
from .transform import ValueStep


@dataclass(frozen=True, repr=False)
class RandomNoise(ValueStep):
    """Add noise, another one for each voxel, channel and target.

    Parameters
    ----------
    deviation : number or pair
        The noise's standard deviation, drawn evenly; a number `a` means 0 to a. In standard
        deviations of the channel. 0 to 0.1 by default, as in nnU-Net, where it is called variance.
    kind : {"gaussian", "rician"}
        Rician is that of a magnitude image, with noise in its real and in its imaginary part: it
        brightens what is dark. A magnitude is never negative: in a channel that has negative
        values, as after a normalization by mean and standard deviation, magnitudes are taken
        from its least value. So that value should be that of air, without any signal.
    relative : bool
        Whether deviations are relative; otherwise they are in units of the values.
    apart : bool
        Draw deviations for each channel of each image.
    p : float
        How likely it happens; 0.1 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    A voxel's noise follows from its place, the key, the target's name and the channel: the same
    for any number of threads. See `kernels/values/normal_noise.py`.
    """

    deviation: Range = 0.1
    kind: str = "gaussian"
    relative: bool = True
    apart: bool = False
    p: float = field(default=0.1, kw_only=True)
    _deviations: Pair = field(init=False, compare=False)

    def check(self) -> None:
        checks.check_choice("kind", self.kind, NOISES)
        as_flag("relative", self.relative)
        as_flag("apart", self.apart)
        self._derive(_deviations=positive("deviation", self.deviation, 1e6))

    def draw(self, grid: Grid, numbers: Numbers) -> Noise:
        key = numbers.whole(0, 2**53 - 1)
        deviations = evenly(self._deviations, self.apart, grid, numbers)
        return Noise(deviations, self.kind, self.relative, key)


@dataclass(frozen=True, repr=False)
class RandomBlur(ValueStep):
    """Take the mean of each voxel and its neighbours, weighted by a Gaussian.

    Parameters
    ----------
    sigma : range
        Its standard deviation, drawn evenly for each axis, in mm (or voxels); a number `a`
        means 0 to a. 0.5 to 1 by default, as in nnU-Net.
    isotropic : bool
        One draw for all axes, each within its own range.
    apart : bool
        Draw for each channel of each image.
    p_channel : float
        With `apart`, how likely each channel is blurred; 0.5 in nnU-Net.
    truncate : float
        The Gaussian ends at this many `sigma`: 4 as in scipy; 3 in batchgeneratorsv2.
    p : float
        How likely it happens; 0.2 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    It reaches ``floor(truncate * sigma + 1/4)`` voxels to each side. Beyond the border the image
    goes on as in a mirror at the last voxel's centre, as in batchgeneratorsv2. A voxel that is not
    finite spoils those that it reaches.
    """

    sigma: Range = (0.5, 1.0)
    isotropic: bool = False
    apart: bool = False
    p_channel: float = 1.0
    truncate: float = 4.0
    p: float = field(default=0.2, kw_only=True)
    _widths: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        as_flag("apart", self.apart)
        as_number("p_channel", self.p_channel, 0.0, 1.0)
        as_number("truncate", self.truncate, 1.0, 10.0)
        self._derive(_widths=widths(self.sigma))

    def draw(self, grid: Grid, numbers: Numbers) -> Blur:
        sizes = grid.to_mm.diagonal().tolist()

        def one(numbers: Numbers) -> Three:
            blurred = numbers.chance(self.p_channel) or not self.apart
            drawn = zip(drawn_for_axes(self._widths, self.isotropic, numbers), sizes, strict=True)
            a, b, c = (min(width / size, WIDEST) if blurred else 0.0 for width, size in drawn)
            return a, b, c

        return Blur(of_channels(self.apart, grid, numbers, one), self.truncate)


@dataclass(frozen=True, repr=False)
class RandomLowResolution(ValueStep):
    """Keep fewer voxels along each axis, and interpolate as many as there were between them.

    Parameters
    ----------
    scale : range
        The share of the voxels that are kept, drawn evenly; a number `a` means a to 1. 0.5 to 1
        by default, as in nnU-Net. For slices that are far apart ``((1, 1), (0.5, 1), (0.5, 1))``,
        which keeps all of them: what nnU-Net calls dummy 2D.
    isotropic : bool
        One draw for all axes, each within its own range, as in nnU-Net.
    apart : bool
        Draw for each channel of each image.
    p_channel : float
        With `apart`, how likely each channel is changed; 0.5 in nnU-Net.
    p : float
        How likely it happens; 0.25 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    The nearest voxels are kept, and all are mixed linearly from these, both by the centres of the
    voxels, so that nothing moves; but that of two voxels that are as near, as with half of an even
    number, the one behind is kept. That is what batchgeneratorsv2 does with torch's
    "nearest-exact" and "trilinear", which rounds such ties in float32.
    """

    scale: Range = (0.5, 1.0)
    isotropic: bool = True
    apart: bool = False
    p_channel: float = 1.0
    p: float = field(default=0.25, kw_only=True)
    _shares: Pairs = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("isotropic", self.isotropic)
        as_flag("apart", self.apart)
        as_number("p_channel", self.p_channel, 0.0, 1.0)
        self._derive(_shares=shares(self.scale))

    def draw(self, grid: Grid, numbers: Numbers) -> LowResolution:
        def one(numbers: Numbers) -> Three:
            lowered = numbers.chance(self.p_channel) or not self.apart
            a, b, c = drawn_for_axes(self._shares, self.isotropic, numbers)
            return (a, b, c) if lowered else (1.0, 1.0, 1.0)

        return LowResolution(of_channels(self.apart, grid, numbers, one))


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
    control_points : int, or one for each axis
        4 or more, counting one beyond each end: with 4 it is one cubic polynomial along each
        axis, as smooth as TorchIO's (order 3).
    apart : bool
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
    control_points: int | Sequence[int] = 4
    apart: bool = False
    p: float = field(default=0.15, kw_only=True)
    _strengths: Pair = field(init=False, compare=False)
    _lattice: Shape = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("apart", self.apart)
        given = self.control_points
        given = given if isinstance(given, tuple) else (given,) * 3
        lattice = [checks.as_whole("control_points", k, 4, MOST_SPANS + 3) for k in given]
        if len(lattice) != 3:
            raise ValueError(f"control_points must be one or three, got {self.control_points!r}")
        strengths = positive("strength", self.strength, 100.0)
        self._derive(_strengths=strengths, _lattice=tuple(lattice))

    def draw(self, grid: Grid, numbers: Numbers) -> BiasField:
        def one(numbers: Numbers) -> Floats:
            most = math.log1p(numbers.uniform(*self._strengths))
            return most * (2.0 * numbers.uniforms(*self._lattice) - 1.0)

        return BiasField(of_channels(self.apart, grid, numbers, one))
