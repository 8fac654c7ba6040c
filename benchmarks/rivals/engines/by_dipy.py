"""DIPY's warps, in C of one thread that lets go of the GIL: also in slabs in a pool.

It takes no 8 bits: labels are given as int16, which it reads fastest.
"""

from collections.abc import Iterator

import numpy as np

from ...problem import Array, touched_like
from ..case import Case, in_slabs
from ..contender import SOME, Contender, needs


@needs("dipy")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the warp in slabs, and as it comes, which returns a new array.

    It has no B-spline: a field of displacements is made outside of the clock.
    """
    import dipy
    from dipy.align import vector_fields

    nearest = case.interpolation == "nearest"
    volume = case.volume.astype(np.int16) if nearest else case.volume
    transform = (
        vector_fields.transform_3d_affine_nn if nearest else vector_fields.transform_3d_affine
    )
    out, length = touched_like(volume), len(volume)

    def shape(slab: slice) -> Array:
        return np.array([slab.stop - slab.start, *volume.shape[1:]], np.int32)

    def affine(slab: slice) -> Array:
        matrix = np.vstack([case.matrix, np.eye(4)[3]])
        matrix[:, 3] += matrix[:, 0] * slab.start
        return np.asarray(transform(volume, shape(slab), matrix))

    def elastic(slab: slice) -> Array:
        start = np.eye(4)
        start[0, 3] = slab.start
        return np.asarray(
            vector_fields.warp_3d(volume, field[slab], None, start, None, shape(slab))
        )

    name, work = "DIPY", affine
    if case.control_points is not None:
        field = np.ascontiguousarray(np.moveaxis(case.displacements(), 0, -1), np.float32)
        name, work = "DIPY (field given)", elastic

    def write(slab: slice) -> None:
        out[slab] = work(slab)

    def sliced() -> Array:
        in_slabs(write, length, case.threads)
        return out

    if case.threads > 1:
        yield Contender(f"{name}, slabs", dipy.__version__, case.threads, SOME, sliced)
    yield Contender(name, dipy.__version__, 1, SOME, lambda: work(slice(0, length)))
