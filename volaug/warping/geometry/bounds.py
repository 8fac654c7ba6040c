"""The part of a volume that a B-spline map reads: its range, by branch and bound.

A span of the lattice lies in the hull of its 64 control points, and more tightly in that of its
Bezier points, whose corners it touches. Touched values bound the range from inside, hulls from
outside. Only cells whose hull exceeds the inner bound are subdivided: de Casteljau's algorithm
gives the Bezier points of their eight parts, 4 times as tight.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from ...kernels.warp.coordinates import ROUNDING
from .blas import matmul, tensordot
from .bspline import TO_BEZIER, Floats, level, of_coordinates

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

# The Bezier points of the two halves of a cubic from its own.
FIRST_HALF = np.array([[8, 0, 0, 0], [4, 4, 0, 0], [2, 4, 2, 0], [1, 3, 3, 1]]) / 8.0
HALVES = np.stack([FIRST_HALF, FIRST_HALF[::-1, ::-1]])

# The same of cells: their 64 points, those of their eight parts, and which are corners.
TO_CELL = np.einsum("pi,qj,rk->pqrijk", TO_BEZIER, TO_BEZIER, TO_BEZIER).reshape(64, 64)
TO_PARTS = np.einsum("api,bqj,crk->abcpqrijk", HALVES, HALVES, HALVES).reshape(512, 64)
CORNERS = [16 * i + 4 * j + k for i, j, k in itertools.product((0, 3), repeat=3)]

# Some ten cells are left after two or three divisions, and none soon after. More are left if a
# coordinate is minimal along a whole curve, and the minimum is a whole number.
DIVISIONS = 20
MAX_CELLS = 2**10


def source_box(
    affine: Floats, control_points: Floats, shape: tuple[int, ...], source: tuple[int, ...]
) -> Box:
    """Return the voxels of a `source` shape around the range of a map, or three (0, 0).

    The other arguments are those of `voxel_range`.
    """
    low, high = voxel_range(affine, control_points, shape)
    if (high <= -1).any() or (low >= source).any():
        return ((0, 0), (0, 0), (0, 0))
    last = np.subtract(source, 1)
    start = np.clip(low, 0, last).astype(int).tolist()
    stop = (np.clip(high, 0, last) + 1).astype(int).tolist()
    return tuple(zip(start, stop, strict=True))  # type: ignore[return-value]


def union_of(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around some boxes."""
    a, b, c = (
        (min(start for start, _ in ends), max(stop for _, stop in ends))
        for ends in zip(*boxes, strict=True)
    )
    return a, b, c


def voxel_range(
    affine: Floats, control_points: Floats, shape: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """Return the minimum of a map's coordinates, rounded down, and the maximum, rounded up.

    Parameters
    ----------
    affine : (3, 4) array
        From voxels of the grid.
    control_points : (3, k0, k1, k2) array
        In voxels of the grid.
    shape : (3,) ints
        Shape of the grid.

    Returns
    -------
    (3,) and (3,) arrays of whole numbers
        Of the continuous map. They can be off by one, to the safe side, where a coordinate comes
        very close to a whole number.
    """
    displacement = tensordot(affine[:, :3], control_points, 1)
    lattice = level(of_coordinates(affine, displacement, shape), shape)
    minimum = whole_below_least(np.concatenate([lattice, -lattice]))
    return minimum[:3], -minimum[3:]


def whole_below(values: Floats) -> Floats:
    """Round coordinates as the kernels do, and then down."""
    below: Floats = np.floor(np.round(values / ROUNDING) * ROUNDING)
    return below


def whole_below_least(lattices: Floats) -> Floats:
    """Return `whole_below` of the minimum of each function, from control points (n, ...)."""
    knots = hull = lattices
    for axis in (1, 2, 3):
        a, b, c = neighbors(knots, axis, 3)
        knots = (a + 4.0 * b + c) / 6.0
        a, b, c, d = neighbors(hull, axis, 4)
        hull = np.minimum(np.minimum(a, b), np.minimum(c, d))
    touched = knots.min(axis=(1, 2, 3))

    open_spans = np.nonzero(whole_below(hull) < whole_below(touched)[:, None, None, None])
    windows = np.lib.stride_tricks.sliding_window_view(lattices, (4, 4, 4), axis=(1, 2, 3))
    owner, cells = open_spans[0], matmul(windows[open_spans].reshape(-1, 64), TO_CELL.T)
    for division in range(DIVISIONS + 1):
        np.minimum.at(touched, owner, cells[:, CORNERS].min(axis=1))
        lowest = cells.min(axis=1)
        left = whole_below(lowest) < whole_below(touched)[owner]
        owner, cells, lowest = owner[left], cells[left], lowest[left]
        if division == DIVISIONS or not 0 < len(cells) <= MAX_CELLS:
            break
        owner, cells = np.repeat(owner, 8), matmul(cells, TO_PARTS.T).reshape(-1, 64)
    np.minimum.at(touched, owner, lowest)  # what is still open is taken as its hull
    return whole_below(touched)


def neighbors(values: Floats, axis: int, count: int) -> list[Floats]:
    """Return `count` views of `values`, each one further along the axis."""
    length = values.shape[axis] - count + 1
    before = (slice(None),) * axis
    return [values[(*before, slice(i, i + length))] for i in range(count)]
