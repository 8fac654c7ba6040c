"""One warp of one volume by its definition: what every engine has to compute."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..problem import Floats, Volume

# Slabs a thread: more even out what the threads get and keep the coordinates small.
SLABS_PER_THREAD = 8

# Positions closer than this to the border, in voxels, are left to each engine's border rule.
BORDER = 0.01


def spline_weights(size: int, points: int) -> Floats:
    """Return (size, points): what each control point of an axis weighs at each voxel."""
    place = np.arange(size) * (points - 3) / (size - 1)
    span = np.minimum(place.astype(int), points - 4)
    t = place - span
    weights = np.zeros((size, points))
    of_span = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    for number, weight in enumerate(of_span):
        weights[np.arange(size), span + number] = weight / 6
    return weights


@dataclass(frozen=True)
class Case:
    """A volume, and the map by which output voxel `o` reads it: ``A (o + u(o)) + t``."""

    name: str
    volume: Volume
    matrix: Floats  # (3, 4), A and t
    control_points: Floats | None
    threads: int
    _weights: list[Floats] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        points = () if self.control_points is None else self.control_points.shape[1:]
        weights = [spline_weights(n, k) for n, k in zip(self.volume.shape, points, strict=False)]
        object.__setattr__(self, "_weights", weights)

    def coordinates(self, slab: slice, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
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
        w0, w1, w2 = (weights.astype(dtype) for weights in self._weights)
        moves = np.tensordot(linear, self.control_points, axes=1).astype(dtype)
        k0, k1, k2 = moves.shape[1:]
        moves = (w0[slab] @ moves.reshape(3, k0, k1 * k2)).reshape(3, -1, k1, k2)
        places: npt.NDArray[Any] = w1 @ moves @ w2.T
        places += rows[:, :, None, None]
        places += plane[:, None]
        return places

    def in_slabs(self, work: Callable[[slice], object]) -> None:
        """Call ``work(slab)`` on slabs that make up axis 0, in a pool of threads."""
        count = SLABS_PER_THREAD * self.threads
        edges = [self.volume.shape[0] * part // count for part in range(count + 1)]
        slabs = [slice(start, stop) for start, stop in itertools.pairwise(edges) if start < stop]
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(work, slabs))  # `list` raises what a slab raised

    def reference(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return the picture in float64, and which voxels read the interior of the volume."""
        picture = np.empty(self.volume.shape)
        interior = np.empty(self.volume.shape, bool)
        volume = self.volume.astype(np.float64)
        last = np.subtract(self.volume.shape, 1).reshape(3, 1, 1, 1)

        def work(slab: slice) -> None:
            places = self.coordinates(slab)
            ndimage.map_coordinates(volume, places, output=picture[slab], order=1)
            inside = (places > BORDER) & (places < last - BORDER)
            np.all(inside, axis=0, out=interior[slab])

        self.in_slabs(work)
        return picture, interior
