"""Dask: copies of a dataset on a cluster.

Workers get paths and keys, never voxels, and read and write the files themselves. So source and
destination must be the same folders on all machines.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from ..data.augmenting.copying import Copier
from ..data.augmenting.dataset import Augmentation
from ..data.augmenting.manifest import Line
from ..data.augmenting.plan import Job
from ..data.augmenting.running import Done
from ..pipeline.compose import Compose

LOCAL = "local"

# How often a case is tried again that did not end, such as that of a worker that was killed.
RETRIES = 3


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
