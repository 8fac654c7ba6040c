"""Dask: lazy arrays that are warped, and copies of a dataset on a cluster.

Workers of a cluster get paths and keys, never voxels, and read and write the files themselves. So
source and destination must be the same folders on all machines.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import Interpolation
from ..data.augmenting.copying import Copier
from ..data.augmenting.dataset import Augmentation
from ..data.augmenting.manifest import Line
from ..data.augmenting.plan import Job
from ..data.augmenting.running import Done
from ..pipeline.compose import Compose
from ..warping.engine.borders import Mode
from ..warping.output_blocks import block_of, check_blocks, warp_block
from ..warping.resample import as_request
from ..warping.warp import Warp

LOCAL = "local"

# How often a case is tried again that did not end, such as that of a worker that was killed.
RETRIES = 3


def warp(
    array: Any,
    warp: Warp,
    *,
    interpolation: Interpolation = "linear",
    mode: Mode = "constant",
    cval: npt.ArrayLike = 0.0,
    chunks: Any = None,
) -> Any:
    """Resample a Dask array through a warp, block by block.

    Nothing is computed yet. Each block of the result reads only the part of the array that it
    shows, so that neither has to fit into memory.

    Parameters
    ----------
    array : (n0, n1, n2) or (C, n0, n1, n2) dask.array.Array
        Volume of any chunks.
    warp : Warp
        Such as `Record.warp`. Its control points, if any, are those of the whole output.
    interpolation : {"linear", "nearest", "label"}
        As in `affine_transform`; "cubic" needs the whole volume.
    mode : {"constant", "grid-constant", "edge-constant", "nearest"}
        As in `affine_transform`; the other modes need the whole volume.
    cval : float or (C,) array_like, default 0.0
        As in `affine_transform`.
    chunks : optional
        Chunks of the result along its last three axes, as Dask takes them. Default: as long as
        those of the array. All channels are in one chunk.

    Returns
    -------
    dask.array.Array
        Of the warp's `shape`, with the array's channels and dtype. Its values are those of
        `Warp.apply`, up to the rounding of coordinates to 2^-32 voxel.

    Raises
    ------
    TypeError
        If the array is not a Dask array of a dtype that `affine_transform` takes.
    ValueError
        If a choice is unknown or needs the whole volume, or the array has no three or four axes.

    Examples
    --------
    >>> import dask.array
    >>> array = dask.array.ones((512, 512, 512), chunks=128, dtype="int16")
    >>> shift = volaug.Warp(array.shape, offset=(2.5, 0, 0))
    >>> volaug.integrations.dask.warp(array, shift)[:2].compute().shape
    (2, 512, 512)
    """
    import dask.array
    from dask.delayed import delayed

    if not isinstance(array, dask.array.Array):
        raise TypeError(f"array must be a dask array, got {type(array).__name__}")
    outline = np.broadcast_to(np.zeros((), array.dtype), array.shape)
    fills = as_request(outline, warp.shape, interpolation, mode, cval, None).fills
    check_blocks(interpolation, mode)
    *channels, n0, n1, n2 = array.shape
    wanted = array.chunksize[-3:] if chunks is None else chunks
    lengths = dask.array.core.normalize_chunks(wanted, warp.shape, dtype=array.dtype)
    starts = [np.cumsum([0, *axis[:-1]]).tolist() for axis in lengths]
    compute = delayed(warp_block, pure=True)

    def lazy(i: int, j: int, k: int) -> Any:
        shape = lengths[0][i], lengths[1][j], lengths[2][k]
        block = block_of(warp, (starts[0][i], starts[1][j], starts[2][k]), shape, (n0, n1, n2))
        part = array[(..., *(slice(*ends) for ends in block.box))]
        voxels = compute(block, part, threads=1, interpolation=interpolation, mode=mode, cval=fills)
        return dask.array.from_delayed(voxels, (*channels, *shape), array.dtype)

    counts = list(map(len, lengths))
    blocks = [
        [[lazy(i, j, k) for k in range(counts[2])] for j in range(counts[1])]
        for i in range(counts[0])
    ]
    return dask.array.block(blocks)


def on_cluster(
    augmentation: Augmentation, scheduler: str, workers: int
) -> Generator[Done, None, None]:
    """Make all copies that are not there, on the workers of a Dask scheduler.

    They are the same bytes as without a cluster, if all machines have the same versions and the
    same kind of processor.

    Parameters
    ----------
    augmentation : Augmentation
        What is to be made.
    scheduler : str
        Address of a scheduler, such as ``tcp://host:8786``; or "local" for workers of this machine.
    workers : int
        How many workers a local cluster has, with a thread each.

    Yields
    ------
    Done
        What became of each copy.
    """
    from distributed import Client, LocalCluster, as_completed

    by_case: dict[int, list[Job]] = {}
    for job in augmentation.jobs:
        by_case.setdefault(job.place, []).append(job)
    cluster: Any = None
    if scheduler == LOCAL:
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    client = Client(scheduler if cluster is None else cluster)
    try:
        futures = client.map(
            make_copies,
            list(by_case.values()),
            pipeline=augmentation.pipeline.to_dict(),
            destination=str(augmentation.destination.absolute()),
            seed=augmentation.seed,
            memory=augmentation.memory,
            pure=False,
            retries=RETRIES,
        )
        jobs_of = dict(zip((future.key for future in futures), by_case.values(), strict=True))
        for future in as_completed(futures):
            jobs = jobs_of[future.key]
            error = future.exception()
            results = [([], error)] * len(jobs) if error is not None else future.result()
            for job, (lines, failure) in zip(jobs, results, strict=True):
                yield Done(job, lines, failure)
    finally:
        client.close()  # which cancels what is not done
        if cluster is not None:
            cluster.close()


def make_copies(
    jobs: list[Job], *, pipeline: dict[str, Any], destination: str, seed: int, memory: int | None
) -> list[tuple[list[Line], Exception | None]]:
    """Make the copies of one case on a worker, with one thread of kernels.

    Returns
    -------
    list of (lines, error)
        For each copy, the lines for the manifest, or why it failed.
    """
    copier = Copier(Compose.from_dict(pipeline), Path(destination), seed, threads=1, memory=memory)
    copier.expect(jobs)
    results: list[tuple[list[Line], Exception | None]] = []
    for job in jobs:
        try:
            results.append((copier.make(job), None))
        except Exception as error:  # any library may be at fault; a failed case is not tried again
            results.append(([], error))
    return results
