"""An uneven field over a channel, in place and in threads."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.jit.dtypes import as_type
from ..kernels.values.smooth_field import multiply_planes
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.in_place import in_memory_order, slowest_first
from ..warping.geometry.bspline import Floats, knot_spacing, row_polynomials


def multiply_field(channel: npt.NDArray[Any], control_points: Floats, threads: int) -> None:
    """Multiply a channel by 2 to the power of a cubic B-spline over it.

    Parameters
    ----------
    channel : (n0, n1, n2) array
        Of any dtype and strides.
    control_points : (k0, k1, k2) array
        4 or more along each axis; see `warping/geometry/bspline.py`. From -126 to 126.
    threads : int
        At most this many threads.
    """
    points = control_points.transpose(slowest_first(channel))
    with in_memory_order(channel) as voxels:
        shape = voxels.shape
        lattice, starts = row_polynomials(points[np.newaxis], shape[2])
        density = 1.0 / np.array(knot_spacing(shape, points.shape)[:2])
        kind, memory = as_type(voxels.dtype), (voxels.__array_interface__["data"][0], voxels.size)

        def work(first: int, stop: int) -> None:
            multiply_planes(kind, memory, shape, lattice, density, starts, first, stop)

        run_parts(work, shape[0], threads_worth(voxels.size, threads), [voxels])
