"""How long a warp takes, and how long the same warp takes with scipy.ndimage."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import BSpline

from ... import Warp

Floats = npt.NDArray[np.float64]

RUNS = 9  # of volaug, whose median is taken


class Timing(NamedTuple):
    """Seconds for one volume, and how far apart the two results are."""

    title: str
    voxels: int
    volaug: float
    scipy: float
    difference: float


def compare(title: str, warp: Warp, volume: npt.NDArray[Any], threads: int) -> Timing:
    """Time a linear warp: the median of volaug's runs, and one of scipy's, which take long."""
    result, seconds = timed(lambda: warp.apply(volume, threads=threads), RUNS)
    expected, (scipy_seconds,) = timed(lambda: scipy_warp(warp, volume), 1)
    difference = float(np.abs(result - expected).max())
    return Timing(title, result.size, statistics.median(seconds), scipy_seconds, difference)


def timed(work: Callable[[], npt.NDArray[Any]], runs: int) -> tuple[npt.NDArray[Any], list[float]]:
    """The result of `work`, and the seconds of each run."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, seconds


def scipy_warp(warp: Warp, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Do the same as ``warp.apply`` in the usual way with scipy; zero outside."""
    how: dict[str, Any] = {"output": volume.dtype, "order": 1, "mode": "constant"}
    result: npt.NDArray[Any]
    if warp.control_points is None:
        result = ndimage.affine_transform(
            volume, warp.matrix, warp.offset, output_shape=warp.shape, **how
        )
        return result
    result = ndimage.map_coordinates(volume, dense_coordinates(warp), **how)
    return result


def dense_coordinates(warp: Warp) -> Floats:
    """Where each output voxel of an elastic warp reads, (3, n0, n1, n2) in input voxels."""
    assert warp.control_points is not None
    places = dense_displacement(warp.control_points, warp.shape)
    for axis, length in enumerate(warp.shape):
        places[axis] += np.arange(length).reshape([-1 if a == axis else 1 for a in range(3)])
    coordinates: Floats = np.tensordot(warp.matrix, places, axes=1)
    coordinates += warp.offset[:, None, None, None]
    return coordinates


def dense_displacement(control_points: Floats, shape: tuple[int, int, int]) -> Floats:
    """The displacement (3, n0, n1, n2) of every voxel, by scipy's own B-splines."""
    field: Floats = control_points
    for axis, length in enumerate(shape, start=1):
        spans = control_points.shape[axis] - 3
        places = np.linspace(0.0, spans, length)
        weights = BSpline.design_matrix(places, np.arange(-3.0, spans + 4), 3).toarray()
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field)
