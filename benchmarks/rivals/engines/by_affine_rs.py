"""affine-rs, whose module is `affiners`: linear affine warps in Rust, of float32 and uint8."""

import os
from collections.abc import Iterator

import numpy as np

from ...problem import Array
from ..case import Case
from ..contender import SOME, Contender, needs


@needs("affiners")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the warp, which returns a new array.

    Its threads are all of the processor's, unless RAYON_NUM_THREADS says another number before it
    is imported.
    """
    os.environ["RAYON_NUM_THREADS"] = str(case.threads)
    import affiners

    of_uint8 = case.volume.dtype == np.uint8
    transform = affiners.affine_transform_u8 if of_uint8 else affiners.affine_transform
    linear, offset = np.ascontiguousarray(case.matrix[:, :3]), case.matrix[:, 3].copy()

    def run() -> Array:
        return np.asarray(transform(case.volume, linear, offset=offset))

    threads = affiners.build_info()["num_threads"]
    yield Contender("affine-rs", affiners.__version__, threads, SOME, run)
