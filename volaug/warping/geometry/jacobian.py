"""The Jacobian determinant of an elastic warp, in threads."""

import numpy as np

from ...kernels.jit.lanes import LANES
from ...kernels.spline.jacobian import jacobian_planes
from ...threads.parts import run_parts
from .blas import tensordot
from .bspline import Floats, level, spline_map


def min_determinant(
    affine: Floats,
    control_points: Floats,
    shape: tuple[int, int, int],
    threads: int,
    target: Floats | None = None,
) -> float:
    """Return the minimum determinant of a map over a grid; write all to `target`, if given.

    Parameters
    ----------
    affine : (3, 4) array
        From voxels of the grid.
    control_points : (3, k0, k1, k2) array
        In voxels of the grid.
    shape : (3,) ints
        Shape of the grid.
    threads : int
        Maximum number of threads.
    target : array of `shape`, contiguous, optional
        Array for the determinants.
    """
    depth, height, width = shape
    points = tensordot(affine[:, :3], level(control_points, shape), 1)
    spline = spline_map(affine, points, shape)
    lattice = in_lanes(spline.lattice)
    strides = (0, 0) if target is None else (height * width, width)
    found = []

    def work(first: int, stop: int) -> None:
        values = np.empty(width) if target is None else target.reshape(-1)
        found.append(
            jacobian_planes(
                lattice, spline.density, spline.starts, height, values, strides, first, stop
            )
        )

    run_parts(work, depth, threads)
    return float(min(found))


def in_lanes(lattice: Floats) -> Floats:
    """Group a lattice (k0, k1, 12 * spans) by LANES spans, one coefficient of all side by side."""
    k0, k1, size = lattice.shape
    spans = size // 12
    groups = -(-spans // LANES)
    padded = np.zeros((k0, k1, groups * LANES, 12))
    padded[:, :, :spans] = lattice.reshape(k0, k1, spans, 12)
    ordered = padded.reshape(k0, k1, groups, LANES, 12).swapaxes(3, 4)
    return np.ascontiguousarray(ordered).reshape(k0, k1, groups * LANES * 12)
