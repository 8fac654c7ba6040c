"""The processes that work beside this one: ranks of a launcher, workers of a loader."""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..checks import as_whole

# Variables with the number of ranks on this machine: of torchrun and launchers that use it,
# DeepSpeed, Open MPI, MVAPICH2, Intel MPI and MPICH, PMIx.
RANKS_HERE = (
    "LOCAL_WORLD_SIZE",
    "LOCAL_SIZE",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "MV2_COMM_WORLD_LOCAL_SIZE",
    "MPI_LOCALNRANKS",
    "PMIX_LOCAL_SIZE",
)

# Slurm's variables with the number of tasks per node: of a step, or of the whole job.
SLURM_TASKS = ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE")

MAX_SHARDS = 2**31


class Shard(NamedTuple):
    """The part of all batches that this process makes: every `total`-th, from `number` on."""

    number: int
    total: int


def as_shard(value: Any) -> Shard:
    """A shard that a user gives as ``(index, count)``."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"shard must be a pair (index, count), got {value!r}")
    count = as_whole("the count of shard", value[1], 1, MAX_SHARDS)
    return Shard(as_whole("the index of shard", value[0], 0, count - 1), count)


def is_worker() -> bool:
    """Whether this process is a child of multiprocessing, or a worker of a torch DataLoader."""
    if multiprocessing.parent_process() is not None or multiprocessing.current_process().daemon:
        return True
    return torch_worker() is not None


def torch_worker() -> Shard | None:
    """The number of this worker of a torch DataLoader, and of how many; None if it is none."""
    torch_data = sys.modules.get("torch.utils.data")
    info = None if torch_data is None else torch_data.get_worker_info()
    return None if info is None else Shard(info.id, info.num_workers)


def torch_rank() -> Shard:
    """The rank of this process and the number of ranks: of torch.distributed, or of torchrun."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return Shard(distributed.get_rank(), distributed.get_world_size())
    rank, ranks = _number("RANK"), _number("WORLD_SIZE")
    if "LOCAL_RANK" in os.environ and rank is not None and ranks and rank < ranks:
        return Shard(rank, ranks)
    return Shard(0, 1)


def share_of(processors: int) -> int:
    """How many of `processors` this process may use, as ranks on this machine share them."""
    own, tasks = _number("SLURM_CPUS_PER_TASK"), _slurm_tasks()
    share = min(processors, own or processors)
    if not own or tasks == 1:  # else Slurm has divided them already
        share //= max(1, tasks, *(_number(name) or 1 for name in RANKS_HERE))
    return max(1, min(share, _openmp_limit() or share))


def _openmp_limit() -> int | None:
    """The value of ``OMP_NUM_THREADS``; None if torchrun has set it, and not the user."""
    wanted = _number("OMP_NUM_THREADS")
    return None if wanted == 1 and "TORCHELASTIC_RUN_ID" in os.environ else wanted


def _slurm_tasks() -> int:
    """Slurm's tasks on this node. ``2(x3),1`` means two tasks on each of the first three nodes."""
    for name in SLURM_TASKS:
        counts = _repeated(os.environ.get(name, "").split(","))
        if counts:
            return counts[min(_number("SLURM_NODEID") or 0, len(counts) - 1)]
    return 1


def _repeated(groups: Sequence[str]) -> list[int]:
    counts: list[int] = []
    for group in groups:
        count, _, times = group.strip().rstrip(")").partition("(x")
        if not count.isdecimal() or not (times or "1").isdecimal():
            return []
        counts += [int(count)] * min(int(times or "1"), 2**16)
    return counts


def _number(name: str) -> int | None:
    """The whole number of at least 0 in a variable: the first of a list, which OpenMP allows."""
    text = os.environ.get(name, "").split(",")[0].strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
