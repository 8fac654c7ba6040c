"""Steps that change the values of images, and leave labels, points and boxes alone.

What is drawn is one number for all channels, or, with `apart`, one for each. Statistics (mean,
standard deviation, range) are of the finite voxels of a channel as it is when the step comes; a
channel without finite voxels stays as it is. Integers are rounded, halves away from zero, and
saturate; NaN stays.
"""

from dataclasses import dataclass, field

from .. import checks
from ..keys import Numbers
from .changes import NOISES, WIDEST, Blur, Brightness, Contrast, Gamma, Noise
from .fusion import Grid
from .operations import Three, as_flag
from .ranges import Pair, Pairs, Range, as_number, factors, positive, symmetric, widths
from .transform import Step

MOST_FACTOR = 100.0

Drawn = float | tuple[float, ...]


@dataclass(frozen=True, repr=False)
class RandomContrast(Step):
    """Multiply the differences from the mean of each channel: below 1 it fades.

    Weaker and stronger contrast are as likely where the range has both, as in nnU-Net
    (`BGContrast` of batchgeneratorsv2): first which of them, then the factor, evenly.

    Parameters
    ----------
    factor : number or pair
        A number `a` means 1 / (1 + a) to 1 + a. 0.75 to 1.25 by default, as in nnU-Net.
    preserve_range : bool
        Cut what then lies beyond the least and the greatest value that the channel had.
    apart : bool
        Draw for each channel.
    p : float
        How likely it happens; 0.15 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    factor: Range = (0.75, 1.25)
    preserve_range: bool = True
    apart: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("preserve_range", self.preserve_range)
        as_flag("apart", self.apart)
        self._derive(_factors=factors("factor", self.factor, MOST_FACTOR))

    def draw(self, grid: Grid, numbers: Numbers) -> Contrast:
        return Contrast(_around_one(self._factors, self.apart, grid, numbers), self.preserve_range)


@dataclass(frozen=True, repr=False)
class RandomBrightness(Step):
    """Multiply the values of each channel, and add to them: over 1 it becomes brighter.

    Darker and brighter are as likely where the range of factors has both, as for
    `RandomContrast`; what is added is drawn evenly.

    Parameters
    ----------
    factor : number or pair
        A number `a` means 1 / (1 + a) to 1 + a. 0.75 to 1.25 by default, as in nnU-Net.
    shift : number or pair
        In standard deviations of the channel; a number `a` means -a to a. None by default.
    apart : bool
        Draw for each channel.
    p : float
        How likely it happens; 0.15 as in nnU-Net.
    name : str, optional
        See `Transform`.
    """

    factor: Range = (0.75, 1.25)
    shift: Range = 0.0
    apart: bool = False
    p: float = field(default=0.15, kw_only=True)
    _factors: Pair = field(init=False, compare=False)
    _shifts: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("apart", self.apart)
        self._derive(
            _factors=factors("factor", self.factor, MOST_FACTOR),
            _shifts=symmetric("shift", self.shift, MOST_FACTOR),
        )

    def draw(self, grid: Grid, numbers: Numbers) -> Brightness:
        return Brightness(
            _around_one(self._factors, self.apart, grid, numbers),
            _evenly(self._shifts, self.apart, grid, numbers),
        )


@dataclass(frozen=True, repr=False)
class RandomGamma(Step):
    """Raise values to a power: below 1 what is dark becomes brighter, over 1 darker.

    Values are taken from 0, the least of the channel, to 1, its greatest, so that negative ones
    have no other rule. Powers below and over 1 are as likely where the range has both, as for
    `RandomContrast`.

    Parameters
    ----------
    gamma : number or pair
        The power; a number `a` means 1 / (1 + a) to 1 + a. 0.7 to 1.5 by default, as in nnU-Net.
    p_inverted : float
        How likely the power is that of what is missing to the greatest value: bright and dark
        change places for it. A quarter by default: nnU-Net does so with 0.1, and not with 0.3.
    retain_statistics : bool
        Bring mean and standard deviation back to what they were, as nnU-Net does.
    apart : bool
        Draw powers for each channel.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.

    Notes
    -----
    Powers are right to 3e-7 of the range.
    """

    gamma: Range = (0.7, 1.5)
    p_inverted: float = 0.25
    retain_statistics: bool = True
    apart: bool = False
    p: float = field(default=0.3, kw_only=True)
    _powers: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("retain_statistics", self.retain_statistics)
        as_flag("apart", self.apart)
        as_number("p_inverted", self.p_inverted, 0.0, 1.0)
        self._derive(_powers=factors("gamma", self.gamma, 10.0))

    def draw(self, grid: Grid, numbers: Numbers) -> Gamma:
        inverted = numbers.chance(self.p_inverted)
        powers = _around_one(self._powers, self.apart, grid, numbers)
        return Gamma(powers, inverted, self.retain_statistics)


@dataclass(frozen=True, repr=False)
class RandomNoise(Step):
    """Add noise, another one for each voxel, channel and target.

    Parameters
    ----------
    deviation : number or pair
        The noise's standard deviation, drawn evenly; a number `a` means 0 to a. In standard
        deviations of the channel. 0 to 0.1 by default, as in nnU-Net, where it is called variance.
    kind : {"gaussian", "rician"}
        Rician is that of a magnitude image, with noise in its real and in its imaginary part: it
        brightens what is dark. For images that begin at 0.
    relative : bool
        Whether deviations are relative; otherwise they are in units of the values.
    apart : bool
        Draw deviations for each channel.
    p : float
        How likely it happens; 0.1 as in nnU-Net.
    name : str, optional
        See `Transform`.

    Notes
    -----
    A voxel's noise follows from its place, the key, the target's name and the channel: the same
    for any number of threads. See `kernels/noise.py`.
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
        deviations = _evenly(self._deviations, self.apart, grid, numbers)
        return Noise(deviations, self.kind, self.relative, key)


@dataclass(frozen=True, repr=False)
class RandomBlur(Step):
    """Take the mean of each voxel and its neighbours, weighted by a Gaussian.

    Parameters
    ----------
    sigma : range
        Its standard deviation, drawn evenly for each axis, in mm (or voxels); a number `a`
        means 0 to a. 0.5 to 1 by default, as in nnU-Net.
    isotropic : bool
        One draw for all axes, each within its own range.
    apart : bool
        Draw for each channel.
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
        def one() -> Three:
            blurred = numbers.chance(self.p_channel) or not self.apart
            ways = [numbers.uniform() for _ in range(3)]
            ways = [ways[0]] * 3 if self.isotropic else ways
            sizes = grid.to_mm.diagonal().tolist()
            a, b, c = (
                min((low + (high - low) * way) / size, WIDEST) if blurred else 0.0
                for way, (low, high), size in zip(ways, self._widths, sizes, strict=True)
            )
            return a, b, c

        sigma = tuple(one() for _ in range(grid.channels)) if self.apart else one()
        return Blur(sigma, self.truncate)


def _around_one(pair: Pair, apart: bool, grid: Grid, numbers: Numbers) -> Drawn:
    """As likely below 1 as over it, if the range has both; evenly on each side."""

    def one() -> float:
        low, high = pair
        below = numbers.chance(0.5)
        if low < 1.0 < high:
            low, high = (low, 1.0) if below else (1.0, high)
        return numbers.uniform(low, high)

    return tuple(one() for _ in range(grid.channels)) if apart else one()


def _evenly(pair: Pair, apart: bool, grid: Grid, numbers: Numbers) -> Drawn:
    if apart:
        return tuple(numbers.uniform(*pair) for _ in range(grid.channels))
    return numbers.uniform(*pair)
