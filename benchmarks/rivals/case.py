"""One warp of one volume, and its result by definition: slow, and in float64."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..problem import Array, Floats
from .reference import LABEL_TOLERANCE, Reference, allowed_of_range, most_weight

# Slabs a thread: more even out what the threads get and keep the coordinates small.
SLABS_PER_THREAD = 8

# Positions closer than this to the border, in voxels, are left to each engine's border rule,
# and those closer than this to the middle between two voxels to its rule for a half.
BORDER = 0.01
TIE = 1e-6

SPLINE_ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}

# Coefficients of 1, t, t^2, t^3: what the four control points around a knot span weigh in it.
CUBIC_BSPLINE = np.array([[1, -3, 3, -1], [4, 0, -6, 3], [1, 3, 3, -3], [0, 0, 0, 1]]) / 6


def spline_weights(size: int, points: int, slope: bool = False) -> Floats:
    """Return (size, points): what each control point of an axis weighs at each voxel.

    Or, for the `slope` of the spline, the derivative of that.
    """
    per_voxel = (points - 3) / (size - 1)
    place = np.arange(size) * per_voxel
    span = np.minimum(place.astype(int), points - 4)
    t = place - span
    powers = [0 * t, 1 + 0 * t, 2 * t, 3 * t**2] if slope else [1 + 0 * t, t, t**2, t**3]
    weights = np.zeros((size, points))
    for number, weight in enumerate(CUBIC_BSPLINE @ powers):
        weights[np.arange(size), span + number] = weight * per_voxel if slope else weight
    return weights


def slabs(length: int, threads: int) -> list[slice]:
    """Divide an axis into slabs, one for each thread."""
    count = SLABS_PER_THREAD * threads
    edges = [length * part // count for part in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges) if start < stop]


def in_slabs(work: Callable[[slice], object], length: int, threads: int) -> None:
    """Call ``work(slab)`` on slabs that make up an axis, in a pool of threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, slabs(length, threads)))  # `list` raises what a slab raised


@dataclass(frozen=True)
class Case:
    """One volume, and the map by which output voxel `o` reads it: ``A (o + u(o)) + t``."""

    volume: Array
    matrix: Floats  # (3, 4), A and t
    control_points: Floats | None
    interpolation: str
    threads: int

    @property
    def voxels(self) -> int:
        """How many are computed."""
        return self.volume.size

    def weights(self, slope: bool = False) -> list[Floats]:
        """Return `spline_weights` of each axis; none if there is no spline."""
        points = () if self.control_points is None else self.control_points.shape[1:]
        return [
            spline_weights(n, k, slope) for n, k in zip(self.volume.shape, points, strict=False)
        ]

    def coordinates(
        self, slab: slice, weights: Sequence[Array], dtype: npt.DTypeLike = np.float64
    ) -> Array:
        """Return (3, m, n1, n2): what the voxels of a slab along axis 0 read."""
        z, y, x = (np.arange(n) for n in self.volume.shape)
        linear, offset = self.matrix[:, :3], self.matrix[:, 3]
        plane = np.multiply.outer(linear[:, 1], y)[:, :, None]
        plane = plane + np.multiply.outer(linear[:, 2], x)[:, None] + offset[:, None, None]
        plane = plane.astype(dtype)
        rows = np.multiply.outer(linear[:, 0], z[slab]).astype(dtype)
        if self.control_points is None:
            return np.asarray(rows[:, :, None, None] + plane[:, None])
        # A u, axis by axis of the lattice; the affine part goes on top
        moves = np.tensordot(linear, self.control_points, axes=1)
        places = over_lattice(moves, [weights[0][slab], *weights[1:]], dtype)
        places += rows[:, :, None, None]
        places += plane[:, None]
        return places

    def displacements(self) -> Floats:
        """Return (3, n0, n1, n2): how far from each voxel lies what it reads."""
        moves: Floats = self.coordinates(slice(None), self.weights())
        for axis, length in enumerate(self.volume.shape):
            moves[axis] -= np.expand_dims(np.arange(length), [a for a in range(3) if a != axis])
        return moves

    def references(self) -> list[Reference]:
        """Return the picture, where each engine reads the interior of the volume."""
        labels = self.interpolation in ("nearest", "label")
        result = np.empty(self.volume.shape, self.volume.dtype if labels else np.float64)
        counts = np.empty(self.volume.shape, bool)
        last = np.subtract(self.volume.shape, 1).reshape(3, 1, 1, 1)
        weights = self.weights()
        source: Array = self.volume
        if not labels:
            source = source.astype(np.float64)
        if self.interpolation == "cubic":
            source = ndimage.spline_filter(source)

        def work(slab: slice) -> None:
            places = self.coordinates(slab, weights)
            inside = (places > BORDER) & (places < last - BORDER)
            if self.interpolation == "nearest":
                inside &= np.abs(places - np.floor(places) - 0.5) > TIE
            np.all(inside, axis=0, out=counts[slab])
            if self.interpolation == "label":
                result[slab] = most_weight(source, places)
            else:
                order = SPLINE_ORDERS[self.interpolation]
                ndimage.map_coordinates(
                    source, places, output=result[slab], order=order, prefilter=False
                )

        in_slabs(work, len(result), self.threads)
        if labels:
            allowed = LABEL_TOLERANCE if self.interpolation == "label" else 0.0
            return [Reference(result[counts], counts, allowed)]
        spread = float(np.ptp(self.volume))
        copies = self.control_points is None and np.array_equal(self.matrix, np.rint(self.matrix))
        allowed = 0.0 if copies else allowed_of_range(self.volume.dtype, spread)
        return [Reference(result[counts], counts, allowed, spread)]


def over_lattice(
    points: Array, weights: Sequence[Array], dtype: npt.DTypeLike = np.float64
) -> Array:
    """Return (3, m0, m1, m2): control points (3, k0, k1, k2), weighed along each axis."""
    w0, w1, w2 = (each.astype(dtype, copy=False) for each in weights)
    k0, k1, k2 = points.shape[1:]
    rows = (w0 @ points.astype(dtype).reshape(3, k0, k1 * k2)).reshape(3, -1, k1, k2)
    field: Array = w1 @ rows @ w2.T
    return field
