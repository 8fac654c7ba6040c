"""Steps that change each voxel of an image by its value, and leave labels and places alone.

What is drawn is one number for all channels, or, with `apart`, one for each of each image: by the
image's name, so that it does not depend on which other images there are. Statistics (mean,
standard deviation, range) are of the finite voxels of a channel as it is when the step comes; a
channel without finite voxels stays as it is. Integers are rounded, halves away from zero, and
saturate; NaN stays.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import checks
from ..keys import Numbers
from ..operations.intensity import Brightness, Contrast, Gamma, HistogramShift
from ..operations.numbers import as_flag, as_number
from ..warping.fusion import Grid
from .ranges import Pair, Range, factors, symmetric
from .transform import ValueStep

MOST_FACTOR = 100.0


@dataclass(frozen=True, repr=False)
class RandomContrast(ValueStep):
    """Multiply the differences from the mean of each channel: below 1 it fades.

    Weaker and stronger contrast are as likely where the range has both, as in nnU-Net
    (`BGContrast` of batchgeneratorsv2): first which of them, then the factor, evenly.

    Parameters
    ----------
    factor : number or pair
        A number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.75 to 1.25 by default, as in
        nnU-Net.
    preserve_range : bool
        Cut what then lies beyond the least and the greatest value that the channel had.
    apart : bool
        Draw for each channel of each image.
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
class RandomBrightness(ValueStep):
    """Multiply the values of each channel, and add to them: over 1 it becomes brighter.

    Darker and brighter are as likely where the range of factors has both, as for
    `RandomContrast`; what is added is drawn evenly.

    Parameters
    ----------
    factor : number or pair
        A number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.75 to 1.25 by default, as in
        nnU-Net.
    shift : number or pair
        In standard deviations of the channel; a number `a` means -a to a. None by default.
    apart : bool
        Draw for each channel of each image.
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
            evenly(self._shifts, self.apart, grid, numbers),
        )


@dataclass(frozen=True, repr=False)
class RandomGamma(ValueStep):
    """Raise values to a power: below 1 what is dark becomes brighter, over 1 darker.

    Values are taken from 0, the least of the channel, to 1, its greatest, so that negative ones
    have no other rule. Powers below and over 1 are as likely where the range has both, as for
    `RandomContrast`.

    Parameters
    ----------
    gamma : number or pair
        The power; a number `a`, less than 1, means 1 / (1 + a) to 1 + a. 0.7 to 1.5 by default,
        as in nnU-Net.
    p_inverted : float
        How likely the power is that of what is missing to the greatest value: bright and dark
        change places for it. A quarter by default: nnU-Net does so with 0.1, and not with 0.3.
    retain_statistics : bool
        Bring mean and standard deviation back to what they were, as nnU-Net does.
    apart : bool
        Draw powers for each channel of each image.
    p : float
        How likely it happens.
    name : str, optional
        See `Transform`.

    Notes
    -----
    Powers are right to 3e-7 of the range. nnU-Net's are of the same values; where images have no
    range, it adds 1e-7, and here they stay as they are.
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
class RandomHistogramShift(ValueStep):
    """Move the values of each channel along a random monotone curve.

    The curve goes through control points evenly spaced from the least to the greatest value,
    which both stay; the others move up or down, and none beyond another.

    Parameters
    ----------
    shift : number or pair
        How far a control point moves, of the distance to its neighbours, drawn evenly; a number
        `a` means -a to a, and 0.5 is the most.
    control_points : int
        3 or more. With few the curve is smoother, and goes further.
    apart : bool
        Draw for each channel of each image.
    p : float
        How likely it happens; 0.1 as in MONAI's `RandHistogramShift`.
    name : str, optional
        See `Transform`.

    Notes
    -----
    See `HistogramShift` in `operations/intensity.py` for the curve. MONAI's is of straight lines.
    """

    shift: Range = 0.4
    control_points: int = 6
    apart: bool = False
    p: float = field(default=0.1, kw_only=True)
    _shifts: Pair = field(init=False, compare=False)

    def check(self) -> None:
        as_flag("apart", self.apart)
        checks.as_whole("control_points", self.control_points, 3, 256)
        self._derive(_shifts=symmetric("shift", self.shift, 0.5))

    def draw(self, grid: Grid, numbers: Numbers) -> HistogramShift:
        def one(numbers: Numbers) -> tuple[float, ...]:
            last = self.control_points - 1
            inner = [(k + numbers.uniform(*self._shifts)) / last for k in range(1, last)]
            return 0.0, *sorted(inner), 1.0

        return HistogramShift(of_channels(self.apart, grid, numbers, one))


def _around_one(pair: Pair, apart: bool, grid: Grid, numbers: Numbers) -> Any:
    """As likely below 1 as over it, if the range has both; evenly on each side."""

    def one(numbers: Numbers) -> float:
        low, high = pair
        below = numbers.chance(0.5)
        if low < 1.0 < high:
            low, high = (low, 1.0) if below else (1.0, high)
        return numbers.uniform(low, high)

    return of_channels(apart, grid, numbers, one)


def evenly(pair: Pair, apart: bool, grid: Grid, numbers: Numbers) -> Any:
    """A number that is drawn evenly, for all channels or for each."""
    return of_channels(apart, grid, numbers, lambda numbers: numbers.uniform(*pair))


def of_channels(apart: bool, grid: Grid, numbers: Numbers, draw: Callable[[Numbers], Any]) -> Any:
    """One draw for all channels, or one for each: of all images, or of each image by name.

    An image of another name than "image" draws from numbers of its own, so that what it draws
    does not depend on which others there are.
    """
    if not apart:
        return draw(numbers)
    if isinstance(grid.channels, int):
        return tuple(draw(numbers) for _ in range(grid.channels))
    return {
        name: tuple(
            draw(numbers if name == "image" else numbers.of_target(name)) for _ in range(count)
        )
        for name, count in grid.channels.items()
    }
