"""Maps of points that a user gives, as displacements of the output grid."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .blas import matmul
from .bspline import MAX_SPANS, Floats, refined
from .displacement import displace, over_grid
from .inverse import CHECKS, sampled, spread_points

# The maximum error, in voxels of the output.
ACCEPTED = 1e-2

# Knot spans along each axis of the first lattice that is tried, at least.
FIRST_SPANS = 8


class PointMap(NamedTuple):
    """A map of points in the middle of a warp, and the affine map after it.

    The warp reads ``before(map(after(o)))``, where `before` and `after` are affine. Its matrix is
    that of ``before(after(o))``. So what the map adds is a displacement of the output voxel `o`,
    to ``after^-1(map(after(o)))``.
    """

    to_input: Callable[[Floats], Floats]
    step: str  # for errors
    matrix: Floats
    offset: Floats

    def then(self, matrix: Floats, offset: Floats) -> "PointMap":
        """Return the map if an affine one comes after those that come after it."""
        after = self.matrix @ matrix, self.matrix @ offset + self.offset
        return self._replace(matrix=after[0], offset=after[1])

    def displacement(self, points: Floats) -> Floats:
        """Return by how much points (N, 3) of the output are displaced."""
        places = matmul(points, self.matrix.T) + self.offset
        return matmul(self.to_input(places) - places, np.linalg.inv(self.matrix).T)


def with_maps(
    maps: Sequence[PointMap],
    displacement: Floats | None,
    shape: tuple[int, int, int],
    flat: Sequence[int],
) -> Floats:
    """Return control points of a displacement, added to that of some maps, one after the other.

    The lattice is refined until it is within `ACCEPTED` of the maps.

    Parameters
    ----------
    maps : sequence of PointMap
    displacement : (3, k0, k1, k2) array or None
    shape : (3,) ints
        Of the output.
    flat : ints
        Axes of one voxel, along which nothing moves.

    Raises
    ------
    ValueError
        If the maps vary too fast for any lattice.
    """

    def field(points: Floats) -> Floats:
        places = points
        for one in reversed(maps):  # the last of them acts on the output
            places = places + one.displacement(places)
        found = places - points
        found[:, list(flat)] = 0.0
        return found

    points = spread_points(CHECKS) * np.subtract(shape, 1.0)
    wanted = field(points)
    spans = [1, 1, 1] if displacement is None else [k - 3 for k in displacement.shape[1:]]
    spans = [n * -(-FIRST_SPANS // n) if 2 * n <= MAX_SPANS else n for n in spans]
    while True:
        total = sampled(field, shape, spans)
        error = np.abs(displace(over_grid(total, shape), points) - points - wanted).max()
        if error <= ACCEPTED:
            break
        if 2 * max(spans) > MAX_SPANS:
            names = ", ".join(one.step for one in maps)
            raise ValueError(
                f"{names}: points_to_input varies too fast: a B-spline of {max(spans)} knot spans "
                f"is wrong by {error:.2g} voxel, and at most {ACCEPTED} is accepted"
            )
        spans = [2 * n for n in spans]
    return total if displacement is None else total + refined(displacement, tuple(spans))
