"""scipy.ndimage, whose C code has one thread but lets go of the GIL: also in slabs in a pool.

It has no function for a B-spline field. The weights of the control points are made outside of
the clock, the field and the coordinates inside of it, in float32, which it reads faster.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import scipy
from scipy import ndimage

from ...problem import Array, touched_like
from ..case import SPLINE_ORDERS, Case, in_slabs
from ..changes import SIGMA, TRUNCATE
from ..contender import FEW, SOME, Contender
from ..problems import Change, Prefilter, Resizing


def warp(case: Case) -> Iterator[Contender]:
    """Yield the warp in slabs, and as it comes."""
    out, weights = touched_like(case.volume), case.weights()
    order = SPLINE_ORDERS[case.interpolation]
    length = len(out)

    def affine(source: Array, slab: slice, prefilter: bool = False) -> None:
        ndimage.affine_transform(
            source,
            case.matrix[:, :3],
            case.matrix[:, 3] + case.matrix[:, 0] * slab.start,
            output_shape=out[slab].shape,
            output=out[slab],
            order=order,
            prefilter=prefilter,
        )

    def elastic(source: Array, slab: slice, prefilter: bool = False) -> None:
        places = case.coordinates(slab, weights, np.float32)
        ndimage.map_coordinates(source, places, output=out[slab], order=order, prefilter=prefilter)

    work = affine if case.control_points is None else elastic
    repeats = FEW if case.control_points is not None or order > 1 else SOME

    def sliced() -> Array:
        source = case.volume
        if order > 1:
            source = np.empty(case.volume.shape, np.float32)
            filter_in_slabs(case.volume, source, case.threads)
        in_slabs(partial(work, source), length, case.threads)
        return out

    def as_it_comes() -> Array:
        work(case.volume, slice(0, length), prefilter=True)
        return out

    if case.threads > 1:
        yield Contender("scipy.ndimage, slabs", scipy.__version__, case.threads, repeats, sliced)
    yield Contender("scipy.ndimage", scipy.__version__, 1, repeats, as_it_comes)


def resize(problem: Resizing) -> Iterator[Contender]:
    """Yield ``zoom`` by the half-voxel rule."""
    factor = problem.side / len(problem.volume)
    order = SPLINE_ORDERS[problem.interpolation]
    out = np.zeros(problem.shape, problem.volume.dtype)

    def run() -> Array:
        ndimage.zoom(
            problem.volume, factor, output=out, order=order, mode="nearest", grid_mode=True
        )
        return out

    yield Contender("scipy.ndimage.zoom", scipy.__version__, 1, FEW, run)


def prefilter(problem: Prefilter) -> Iterator[Contender]:
    """Yield the coefficients in float32, in slabs and as they come."""
    volume, out = problem.volume, touched_like(problem.volume)

    def sliced() -> Array:
        filter_in_slabs(volume, out, problem.threads)
        return out

    def as_it_comes() -> Array:
        ndimage.spline_filter(volume, output=out)
        return out

    if problem.threads > 1:
        yield Contender("scipy.ndimage, slabs", scipy.__version__, problem.threads, SOME, sliced)
    yield Contender("scipy.ndimage", scipy.__version__, 1, SOME, as_it_comes)


def blur(problem: Change) -> Iterator[Contender]:
    """Yield the Gaussian filter, into an array that exists."""
    volume, out = problem.volume, touched_like(problem.volume)

    def run() -> Array:
        ndimage.gaussian_filter(volume, SIGMA, output=out, mode="mirror", truncate=TRUNCATE)
        return out

    yield Contender("scipy.ndimage", scipy.__version__, 1, SOME, run)


def filter_in_slabs(source: Array, out: Array, threads: int) -> None:
    """Write coefficients of the mirrored volume, as ``ndimage.spline_filter`` does.

    Axis by axis; each in slabs across another one.
    """
    for axis, across in ((0, 1), (1, 0), (2, 0)):

        def work(slab: slice, axis: int = axis, across: int = across) -> None:
            part = (slice(None),) * across + (slab,)
            read = source if axis == 0 else out
            ndimage.spline_filter1d(read[part], axis=axis, output=out[part])

        in_slabs(work, source.shape[across], threads)
