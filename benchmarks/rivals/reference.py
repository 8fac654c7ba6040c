"""What a result has to be, and how much of it may differ."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..problem import Array, Floats

# Greatest difference allowed, of the range of the volume. Float32 coordinates, which torch has,
# are worth 3e-5 voxel at 256^3.
PICTURE_TOLERANCE = 1e-3

# Share of voxels that may have another label: batchgeneratorsv2 rounds its sums to float16.
LABEL_TOLERANCE = 1e-3

# By how much the mean of a tissue may change when image and labels are moved together, of the
# range. Where the labels are moved by another map, it changes by 0.1 to 0.3.
TISSUE_TOLERANCE = 0.05

# Levels by which an integer may miss the real value: ITK drops the fraction.
INTEGER_TOLERANCE = 1.001


@dataclass(frozen=True)
class Difference:
    """How far a result is from the reference: of the range at most, or in how many voxels."""

    value: float
    allowed: float
    share_of_voxels: bool

    @property
    def is_allowed(self) -> bool:
        """Whether the engine computed the same; NaN is a difference too."""
        return self.value <= self.allowed

    def __str__(self) -> str:
        if self.share_of_voxels:
            return f"{100 * self.value:.1g} %"
        return f"{self.value:.0e}" if self.value else "0"


class Expected(Protocol):
    """What an array has to be."""

    def difference(self, result: Array) -> Difference:
        """Compare an engine's result with it."""


@dataclass(frozen=True)
class Reference:
    """A result by its definition."""

    values: Array  # of the voxels that count
    counts: npt.NDArray[np.bool_]  # which ones those are
    allowed: float
    spread: float | None = None  # of the volume; None for labels, which are equal or not

    def __post_init__(self) -> None:
        if not self.values.size:
            raise ValueError("no voxel reads the interior of the volume")

    def difference(self, result: Array) -> Difference:
        """Compare an engine's result with it."""
        found = result[self.counts]
        if self.spread is None:
            return Difference(float(np.mean(found != self.values)), self.allowed, True)
        most = float(np.abs(found - self.values).max())
        return Difference(most / self.spread, self.allowed, False)


@dataclass(frozen=True)
class Tissues:
    """An image and its labels, as bright in each tissue as they were before they were moved."""

    image: Array
    label: Array

    def difference(self, result: Array) -> Difference:
        """Compare the means of the tissues; NaN if one is missing, or if there are others."""
        tissues = set(np.unique(self.label))
        image, label = result
        if not tissues <= set(np.unique(label)) <= {0, *tissues}:
            return Difference(np.nan, TISSUE_TOLERANCE, False)
        most = max(
            abs(float(image[label == tissue].mean() - self.image[self.label == tissue].mean()))
            for tissue in tissues
        )
        return Difference(most / float(np.ptp(self.image)), TISSUE_TOLERANCE, False)


def allowed_of_range(dtype: np.dtype[np.generic], spread: float) -> float:
    """Return what an interpolated voxel may differ by, of the range."""
    return PICTURE_TOLERANCE if dtype.kind == "f" else INTEGER_TOLERANCE / spread


def most_weight(labels: Array, places: Floats) -> Array:
    """Return the label with the largest sum of trilinear weights at each place (3, ...)."""
    last = np.subtract(labels.shape, 2).reshape(3, 1, 1, 1)
    low = np.clip(np.floor(places), 0, last).astype(np.int32)
    near = 1 - (places - low)
    corners = [np.array(corner) for corner in np.ndindex(2, 2, 2)]
    found = [labels[tuple(low + corner.reshape(3, 1, 1, 1))] for corner in corners]
    weights = [
        np.prod([1 - n if far else n for n, far in zip(near, corner, strict=True)], axis=0)
        for corner in corners
    ]
    winner: Array = found[0]
    most = np.zeros(places.shape[1:])
    for label in found:
        total = sum(weight * (other == label) for other, weight in zip(found, weights, strict=True))
        winner = np.where(total > most, label, winner)
        most = np.maximum(total, most)
    return winner
