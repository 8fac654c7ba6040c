"""Normalize: images to mean 0 and standard deviation 1, or from a range of values to another."""

import abc
import math
import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from .. import checks
from ..checks import check_flag
from ..serialization import normalize, shown
from .base import FixedStep
from .channels import MIN_RANGE, UNLIMITED, Mask, apply_linear, statistics
from .masked import (
    MAX_INTENSITY,
    MaskedStep,
    MaskSource,
    as_mask_source,
    check_mask,
    masked_channels,
)
from .operation import ChannelId, Kinds, Rescaling, ValueOperation, Volumes, Voxels
from .percentiles import percentiles
from .ranges import Pair, as_number

Method = Literal["z-score", "percentiles", "window"]
METHODS = get_args(Method)

# Whole numbers in the range of a result that integers can show: fewer would leave steps.
MIN_LEVELS = 16


@dataclass(frozen=True, repr=False)
class Normalize(MaskedStep, FixedStep):
    """Bring the values of each channel of images to a common scale.

    - ``"z-score"``: subtract the mean and divide by the standard deviation, as nnU-Net for MRI.
    - ``"percentiles"``: map two percentiles of the values to the ends of `output_range`.
    - ``"window"``: map two fixed values to the ends of `output_range`, as is usual for CT.

    With a `mask`, mean, standard deviation and percentiles are of its voxels alone. All voxels are
    mapped, as TorchIO does, unless `fill` gives the others a value, as nnU-Net and MONAI do.

    Parameters
    ----------
    method : {"z-score", "percentiles", "window"}
        Rule.
    percentiles : (low, high), default (0.5, 99.5)
        Percentiles, 0 to 100, for the rule of that name. The default is that of nnU-Net for CT.
    window : (low, high), optional
        Values, for the rule of that name.
    output_range : (low, high), default (0.0, 1.0)
        Where percentiles or window come to lie.
    clip : bool, default True
        Whether values beyond the percentiles or the window become the ends of `output_range`.
    mask : str or float, optional
        Where statistics come from: the name of a target, which must be over 0 there, or a number,
        which the image must be over: ``mask=0.0`` for a skull-stripped head. Default: everywhere.
    fill : float, optional
        Value of the voxels outside of the mask. Default: they are mapped like those within.
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all images.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If an argument is not of the type above.
    ValueError
        If a range is reversed or out of bounds, `window` does not go with the rule, or `fill` is
        given without a mask. When applied: if the target that is the mask is missing or has several
        channels, or the dtype cannot show the result. Integers show no z-scores, and no range of
        less than 16 numbers: convert the image to float32.

    Warns
    -----
    UserWarning
        If a channel has one value only, or its mask is empty, as in a patch of air. One value
        becomes 0, or the lower end of `output_range`; a channel without a mask stays as it is.

    See Also
    --------
    Sample.invert : Undo it for a prediction.
    MaskImage : Set voxels outside of a mask alone.

    Notes
    -----
    Statistics are of finite voxels. Percentiles are those of `numpy.percentile`.

    Examples
    --------
    >>> image = np.array([0.0, 0.0, 4.0, 8.0]).reshape(4, 1, 1)
    >>> pipeline = volaug.Compose([volaug.Normalize(mask=0.0, fill=0.0)], seed=7)
    >>> sample = pipeline(image=image, index=0)
    >>> sample["image"].ravel()
    array([ 0.,  0., -1.,  1.])
    >>> sample.invert(image=sample["image"])["image"].ravel()[2:]
    array([4., 8.])
    """

    method: Method = "z-score"
    _: KW_ONLY
    percentiles: tuple[float, float] = (0.5, 99.5)
    window: tuple[float, float] | None = None
    output_range: tuple[float, float] = (0.0, 1.0)
    clip: bool = True
    fill: float | None = None

    def check(self) -> None:
        checks.check_choice("method", self.method, METHODS)
        as_limits("percentiles", self.percentiles, 0.0, 100.0)
        as_limits("output_range", self.output_range, -MAX_INTENSITY, MAX_INTENSITY)
        check_flag("clip", self.clip)
        if (self.window is not None) != (self.method == "window"):
            raise ValueError(
                "window must be given with the method 'window' and with no other, got "
                f"{self.window!r} with {self.method!r}"
            )
        operation: Normalization = ZScores(mask=self.mask, fill=self.fill)
        if self.method != "z-score":
            limits = self.percentiles if self.window is None else self.window
            operation = RangeMapping(
                self.method,
                limits,
                self.output_range,
                self.clip,
                mask=self.mask,
                fill=self.fill,
            )
        self._derive(operation=operation)


class LinearMap(NamedTuple):
    """``(x - origin) / unit + base``, clipped to limits."""

    origin: float
    unit: float
    base: float
    limits: Pair


@dataclass(frozen=True, repr=False)
class Normalization(ValueOperation):
    """Map the values of each channel linearly, by numbers that are found in it."""

    mask: MaskSource = field(default=None, kw_only=True)
    fill: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mask", as_mask_source(self.mask))
        if self.fill is not None:
            fill = as_number("fill", self.fill, -MAX_INTENSITY, MAX_INTENSITY)
            object.__setattr__(self, "fill", fill)
            if self.mask is None:
                raise ValueError(f"fill is for voxels outside of a mask, got {fill!r} and no mask")

    @abc.abstractmethod
    def float_result(self) -> str | None:
        """Return what integers cannot show of the result; None if they can."""

    @abc.abstractmethod
    def linear_map(self, voxels: Voxels, threads: int, mask: Mask) -> LinearMap:
        """Return how to map a channel; from NaN, if it has no finite voxel in the mask."""

    def check(self, volumes: Mapping[str, Any], kinds: Kinds) -> None:
        super().check(volumes, kinds)
        images = self.chosen(volumes, kinds)
        if images:
            check_mask("Normalize", self.mask, volumes)
        what = self.float_result()
        for name, image in images:
            if image.dtype == np.bool:
                raise ValueError(f"{name!r} must have numbers to be normalized, got bool")
            if what is not None and image.dtype.kind != "f":
                raise ValueError(
                    f"{name!r} must have floats to be normalized to {what}, got {image.dtype}: "
                    "convert it with astype(np.float32)"
                )
            if self.fill is not None:
                checks.as_fills(self.fill, image, "fill")

    def apply(self, volumes: Volumes, kinds: Kinds, threads: int) -> dict[ChannelId, Rescaling]:
        results = {}
        for channel, voxels, mask in masked_channels(self, self.mask, volumes, kinds):
            origin, unit, base, limits = self.linear_map(voxels, threads, mask)
            if math.isnan(origin):
                _warn(channel, "has no voxel in its mask that is finite, and stays as it is")
                continue
            if not MIN_RANGE < unit < math.inf:
                _warn(channel, f"has one value only, {origin:g}, to be normalized by")
                unit = 1.0
            apply_linear(voxels, origin, 1.0 / unit, base, limits, threads)
            if self.fill is not None:
                assert mask is not None
                np.copyto(voxels, self.fill, where=~mask, casting="unsafe")
            results[channel] = Rescaling(unit, origin - unit * base)
        return results


@dataclass(frozen=True, repr=False)
class ZScores(Normalization):
    """Subtract the mean and divide by the standard deviation."""

    def float_result(self) -> str:
        return "z-scores"

    def linear_map(self, voxels: Voxels, threads: int, mask: Mask) -> LinearMap:
        found = statistics(voxels, threads, mask)
        return LinearMap(found.mean, found.std, 0.0, UNLIMITED)


@dataclass(frozen=True, repr=False)
class RangeMapping(Normalization):
    """Map two percentiles or two values to the ends of a range."""

    method: Literal["percentiles", "window"]
    limits: Pair  # percents, or values
    output_range: Pair = (0.0, 1.0)
    clip: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.check_choice("method", self.method, METHODS[1:])
        bounds = (0.0, 100.0) if self.method == "percentiles" else (-MAX_INTENSITY, MAX_INTENSITY)
        object.__setattr__(self, "limits", as_limits(self.method, self.limits, *bounds))
        ends = as_limits("output_range", self.output_range, -MAX_INTENSITY, MAX_INTENSITY)
        object.__setattr__(self, "output_range", ends)
        check_flag("clip", self.clip)

    @classmethod
    def examples(cls) -> tuple["RangeMapping", ...]:
        return (cls("percentiles", (25.0, 75.0), (0.0, 100.0)),)

    def float_result(self) -> str | None:
        low, high = self.output_range
        return f"values from {low:g} to {high:g}" if high - low < MIN_LEVELS else None

    def linear_map(self, voxels: Voxels, threads: int, mask: Mask) -> LinearMap:
        low, high = self.limits
        if self.method == "percentiles":
            found = statistics(voxels, threads, mask)
            low = high = math.nan
            if found.finite:
                low, high = percentiles(voxels, self.limits, found, threads, mask)
        first, last = self.output_range
        unit = (high - low) / (last - first)
        return LinearMap(low, unit, first, self.output_range if self.clip else UNLIMITED)


def check_normalized(
    images: Mapping[str, Any],
    normalized: Mapping[str, Any],
    rescalings: Mapping[ChannelId, Rescaling],
) -> None:
    """Check that images have the channels of those of their name that were normalized."""
    for name in {channel.target for channel in rescalings} & images.keys():
        wanted, given = (math.prod(np.shape(v[name])[:-3]) for v in (normalized, images))
        if wanted != given:
            raise ValueError(f"{name!r} must have {wanted} channels, as normalized, got {given}")


def undo_normalization(
    images: Mapping[str, Any], rescalings: Mapping[ChannelId, Rescaling], threads: int
) -> None:
    """Give channels of images the values that they had before, in place."""
    for channel, (slope, intercept) in rescalings.items():
        if channel.target in images:
            image = images[channel.target]
            volume = image if image.ndim == 4 else image[np.newaxis]
            apply_linear(volume[channel.channel], 0.0, slope, intercept, UNLIMITED, threads)


def as_limits(name: str, value: Any, minimum: float, maximum: float) -> Pair:
    """Return two numbers within limits, the first less than the second."""
    given = normalize(value)
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"{name} must be a pair (low, high), got {shown(value)}")
    low, high = (as_number(name, item, minimum, maximum) for item in given)
    if not low < high:
        raise ValueError(f"{name} must be (low, high) with low less than high, got {given!r}")
    return low, high


def _warn(channel: ChannelId, what: str) -> None:
    warnings.warn(f"channel {channel.channel} of {channel.target!r} {what}", stacklevel=2)
