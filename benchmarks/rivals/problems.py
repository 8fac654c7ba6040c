"""What has to be computed, beside the warp of one volume, which is a `Case`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import ndimage

from ..problem import Array, Volume
from .case import SPLINE_ORDERS, Case, in_slabs, over_lattice
from .reference import PICTURE_TOLERANCE, Expected, Reference, Tissues, allowed_of_range

BATCH_SIZE = 2
AHEAD = 10  # so many may be made while others are measured, and do not count


class Problem(Protocol):
    """What the engines of a job compute."""

    @property
    def voxels(self) -> int:
        """How many are computed."""

    def references(self) -> Sequence[Expected]:
        """Return what each array of the result has to be."""


@dataclass(frozen=True)
class Together:
    """Several volumes, moved by the same map."""

    cases: tuple[Case, ...]

    @property
    def voxels(self) -> int:
        """How many are computed."""
        return sum(case.voxels for case in self.cases)

    def references(self) -> list[Reference]:
        """Return the picture of each volume."""
        return [reference for case in self.cases for reference in case.references()]


@dataclass(frozen=True)
class Resizing:
    """A volume brought to another number of voxels by the half-voxel rule, its edge repeated."""

    volume: Array
    side: int  # of the result
    interpolation: str
    threads: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the result."""
        return self.side, self.side, self.side

    @property
    def voxels(self) -> int:
        """How many are computed."""
        return self.side**3

    def references(self) -> list[Reference]:
        """Return what scipy makes of it in float64."""
        source = self.volume.astype(np.float64)
        factor = self.side / len(self.volume)
        order = SPLINE_ORDERS[self.interpolation]
        # what is cut off here is an edge, where splines go on in several ways
        wanted = ndimage.zoom(source, factor, order=order, mode="nearest", grid_mode=True)
        counts = np.zeros(self.shape, bool)
        margin = max(2, self.side // 10)
        counts[(slice(margin, -margin),) * 3] = True
        if self.interpolation == "nearest":
            return [Reference(wanted[counts].astype(self.volume.dtype), counts, 0.0)]
        spread = float(np.ptp(self.volume))
        allowed = allowed_of_range(self.volume.dtype, spread)
        return [Reference(wanted[counts], counts, allowed, spread)]


@dataclass(frozen=True)
class Prefilter:
    """Coefficients of the cubic B-spline through the voxels of a volume, mirrored outside."""

    volume: Volume
    threads: int

    @property
    def voxels(self) -> int:
        """How many are computed."""
        return self.volume.size

    def references(self) -> list[Reference]:
        """Return the coefficients."""
        wanted = ndimage.spline_filter(self.volume)
        everywhere, spread = np.ones(wanted.shape, bool), float(np.ptp(self.volume))
        return [Reference(wanted.ravel(), everywhere, PICTURE_TOLERANCE, spread)]


@dataclass(frozen=True)
class LeastDeterminant:
    """The least determinant of the derivative of a map over the voxels of its output."""

    case: Case

    @property
    def voxels(self) -> int:
        """How many it is the least of."""
        return self.case.voxels

    def references(self) -> list[Reference]:
        """Return the least of ``det A det(1 + du/do)``, an array of one number."""
        points = self.case.control_points
        weights, slopes = self.case.weights(), self.case.weights(slope=True)
        assert points is not None
        least: list[float] = []

        def work(slab: slice) -> None:
            columns = []
            for axis in range(3):
                mixed = [slopes[a] if a == axis else weights[a] for a in range(3)]
                columns.append(over_lattice(points, [mixed[0][slab], *mixed[1:]]))
                columns[axis][axis] += 1
            a, b, c = columns
            least.append(float(np.sum(a * np.cross(b, c, axis=0), axis=0).min()))

        in_slabs(work, self.case.volume.shape[0], self.case.threads)
        wanted = np.array([np.linalg.det(self.case.matrix[:, :3]) * min(least)])
        return [Reference(wanted, np.ones(1, bool), PICTURE_TOLERANCE, abs(float(wanted[0])))]


@dataclass(frozen=True)
class Sample:
    """An image and its labels, moved together by a map that is drawn anew for each call.

    The result is an array of two channels: what became of the image, and of the labels.
    """

    image: Volume
    label: Array
    threads: int

    @property
    def side(self) -> int:
        """The length of each axis, in voxels."""
        return len(self.image)

    @property
    def voxels(self) -> int:
        """How many are computed."""
        return self.image.size + self.label.size

    def references(self) -> list[Tissues]:
        """Return how bright each tissue is."""
        return [Tissues(self.image, self.label)]


@dataclass(frozen=True)
class Patches:
    """A cube of `side` voxels from anywhere in a volume, moved by a map that is drawn."""

    volumes: tuple[Array, ...]
    side: int
    elastic: bool

    @property
    def voxels(self) -> int:
        """How many are computed, of each volume."""
        return self.side**3

    def references(self) -> list[Reference]:
        """Return nothing: no two calls compute the same."""
        return []


@dataclass(frozen=True)
class Change:
    """An image whose values change, in place, and what becomes of it the first time.

    Without an `expected` picture each engine's is another one.
    """

    volume: Volume
    expected: Array | None
    threads: int

    @property
    def voxels(self) -> int:
        """How many are computed."""
        return self.volume.size

    def references(self) -> list[Reference]:
        """Return the picture, if there is one."""
        if self.expected is None:
            return []
        everywhere, spread = np.ones(self.volume.shape, bool), float(np.ptp(self.volume))
        return [Reference(self.expected.ravel(), everywhere, PICTURE_TOLERANCE, spread)]


@dataclass(frozen=True)
class Training:
    """A patch of `side` voxels for training a network, out of the middle of a case."""

    image: Volume
    label: Array
    side: int
    threads: int

    @property
    def voxels(self) -> int:
        """How many are computed."""
        return 2 * self.side**3

    def references(self) -> list[Reference]:
        """Return nothing: no two calls compute the same."""
        return []


@dataclass(frozen=True)
class Loading:
    """Batches of augmented patches of `side` voxels, out of cases, one after the other."""

    images: tuple[Volume, ...]
    labels: tuple[Array, ...]
    side: int
    batches: int  # of one call
    threads: int  # or processes

    @property
    def voxels(self) -> int:
        """How many are computed for one call."""
        return self.batches * BATCH_SIZE * 2 * self.side**3

    def references(self) -> list[Reference]:
        """Return nothing: no two calls compute the same."""
        return []
