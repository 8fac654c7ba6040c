"""Points through a displaced grid, and back."""

from typing import NamedTuple

import numpy as np

from ...kernels.spline.points import newton
from ...threads.limits import thread_count
from ...threads.parts import run_parts
from .bspline import Floats, knot_spacing, level

# Points that a thread takes at a time: some 0.5 ms of work.
BATCH = 2**10

# A strong field takes about ten; with a field that folds the method may not converge.
STEPS = 60

# A residual above this, relative to the largest coordinate or to one voxel, is no solution.
FOUND = 1e-9


class Displacement(NamedTuple):
    """A B-spline between two corners; outside, it has the value of the nearest point."""

    control_points: Floats  # (3, k0, k1, k2)
    spacing: Floats  # (3,) of the knots
    last: Floats  # (3,) the corner opposite to the origin


def over_grid(control_points: Floats, shape: tuple[int, ...]) -> Displacement:
    """Return the displacement of a grid."""
    points = level(control_points, shape)
    spacing = np.array(knot_spacing(shape, points.shape[1:]))
    return Displacement(points, spacing, np.subtract(shape, 1.0))


def displace(displacement: Displacement, points: Floats) -> Floats:
    """Return ``p + u(p)`` for points (n, 3)."""
    return take_steps(displacement, points, 0)[1]


def undisplace(displacement: Displacement, moved: Floats) -> Floats:
    """Return the points that `displace` maps to `moved`; NaN where none was found."""
    points, reached = take_steps(displacement, moved, STEPS)
    scale = np.abs(moved).max(axis=1, initial=1.0, keepdims=True)
    found = (np.abs(reached - moved) <= FOUND * scale).all(axis=1, keepdims=True)
    return np.where(found, points, np.nan)


def take_steps(displacement: Displacement, wanted: Floats, steps: int) -> tuple[Floats, Floats]:
    """Take steps of Newton's method from `wanted`; return the points, and what they map to."""
    points, spacing, last = displacement
    k0, k1, k2 = points.shape[1:]
    lattice = np.ascontiguousarray(points.transpose(1, 2, 3, 0)).reshape(k0, k1, 3 * k2)
    wanted = np.ascontiguousarray(wanted)
    places, moved = wanted.copy(), np.full_like(wanted, np.nan)

    def work(first: int, stop: int) -> None:
        part = slice(first * BATCH, stop * BATCH)
        newton(lattice, 1.0 / spacing, last, wanted[part], steps, places[part], moved[part])

    run_parts(work, max(1, -(-len(wanted) // BATCH)), thread_count(None))
    return places, moved
