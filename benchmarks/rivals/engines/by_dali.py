"""NVIDIA DALI on the CPU, which needs no GPU.

Its axes run backwards, and a voxel's center lies at a half.

A thread works on a sample, so that one volume has one thread: also in slabs, as samples of a batch.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...problem import Array
from ..case import Case, slabs
from ..contender import SOME, Contender, needs

# Its coordinates are float32, and their error grows along a row. After 256 voxels the picture
# differs by 7e-4 of the range; 1e-3 is allowed.
LONGEST = 256


@needs("nvidia.dali")
def warp(case: Case) -> Iterator[Contender]:
    """Yield the linear warp in slabs, and as it comes, which returns new arrays."""
    from nvidia import dali

    if max(case.volume.shape) > LONGEST:
        return
    whole = [slice(0, len(case.volume))]
    if case.threads > 1:
        run = warping(case, slabs(len(case.volume), case.threads), case.threads).run
        yield Contender("DALI, slabs", dali.__version__, case.threads, SOME, run, as_volume)
    yield Contender("DALI", dali.__version__, 1, SOME, warping(case, whole, 1).run, as_volume)


def warping(case: Case, parts: list[slice], threads: int) -> Any:
    """Return the pipeline whose batch is these slabs, and which works on no batch ahead."""
    from nvidia import dali

    volumes = [case.volume[..., None]] * len(parts)
    matrices = [matrix_of(case, slab.start) for slab in parts]
    sizes = [
        np.array([slab.stop - slab.start, *case.volume.shape[1:]], np.float32) for slab in parts
    ]
    pipeline = dali.Pipeline(
        len(parts),
        threads,
        device_id=None,
        exec_async=False,
        exec_pipelined=False,
        prefetch_queue_depth=1,
    )
    with pipeline:
        source = dali.fn.external_source
        warped = dali.fn.warp_affine(
            source(lambda: volumes, layout="DHWC", no_copy=True),
            source(lambda: matrices),
            size=source(lambda: sizes),
            inverse_map=True,
            fill_value=0,
        )
        pipeline.set_outputs(warped)
    pipeline.build()
    return pipeline


def matrix_of(case: Case, start: int) -> Array:
    """Return what DALI takes for the slab of the result that begins there."""
    linear, offset = case.matrix[::-1, 2::-1], case.matrix[::-1, 3] + start * case.matrix[::-1, 0]
    return np.column_stack([linear, offset + 0.5 - linear.sum(axis=1) / 2]).astype(np.float32)


def as_volume(result: Any) -> list[Array]:
    """Return the slabs put together."""
    (batch,) = result
    return [np.concatenate([np.asarray(batch.at(k))[..., 0] for k in range(len(batch))])]
