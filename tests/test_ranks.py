"""Processes beside this one share its processors, and the batches of a stream."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from volaug import Compose, Stream, get_num_threads
from volaug.threads import limits, ranks
from volaug.threads.ranks import Shard, share_of

LAUNCHERS = [
    *ranks.RANKS_HERE, *ranks.SLURM_TASKS, "SLURM_CPUS_PER_TASK", "SLURM_NODEID",
    "OMP_NUM_THREADS", "TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE", "LOCAL_RANK",
    "VOLAUG_NUM_THREADS",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "share"),
    [
        ({}, 16),
        ({"LOCAL_WORLD_SIZE": "4"}, 4),
        ({"LOCAL_WORLD_SIZE": "3"}, 5),
        ({"LOCAL_WORLD_SIZE": "40"}, 1),
        ({"LOCAL_WORLD_SIZE": "0"}, 16),
        ({"LOCAL_WORLD_SIZE": "many"}, 16),
        ({"LOCAL_WORLD_SIZE": "-2"}, 16),
        ({"LOCAL_WORLD_SIZE": ""}, 16),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "2"}, 8),
        ({"MPI_LOCALNRANKS": "8"}, 2),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "3,2"}, 3),
        ({"OMP_NUM_THREADS": "64"}, 16),
        ({"OMP_NUM_THREADS": "0"}, 16),
        ({"OMP_NUM_THREADS": " 1 "}, 1),
        # torchrun sets 1 where the user has set nothing
        ({"OMP_NUM_THREADS": "1", "TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "4"}, 4),
        ({"OMP_NUM_THREADS": "2", "TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "4"}, 2),
        ({"SLURM_STEP_TASKS_PER_NODE": "4"}, 4),
        ({"SLURM_TASKS_PER_NODE": "2(x3),1"}, 8),
        ({"SLURM_TASKS_PER_NODE": "2(x3),1", "SLURM_NODEID": "3"}, 16),
        ({"SLURM_TASKS_PER_NODE": "2(x3", "SLURM_NODEID": "1"}, 8),
        ({"SLURM_TASKS_PER_NODE": "all of them"}, 16),
        ({"SLURM_NTASKS_PER_NODE": "8"}, 2),
        ({"SLURM_CPUS_PER_TASK": "6"}, 6),
        ({"SLURM_CPUS_PER_TASK": "6", "SLURM_STEP_TASKS_PER_NODE": "2"}, 6),
        # one task of Slurm's that has started torchrun
        ({"SLURM_CPUS_PER_TASK": "8", "LOCAL_WORLD_SIZE": "4"}, 2),
        # Lightning says both
        (
            {"SLURM_CPUS_PER_TASK": "4", "SLURM_STEP_TASKS_PER_NODE": "4", "LOCAL_WORLD_SIZE": "4"},
            4,
        ),
    ],
)
def test_ranks_on_one_machine_share_its_processors(monkeypatch, processors, environment, share):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert share_of(16) == share
    processors(16)
    assert get_num_threads() == share
    assert limits.thread_count(12) == 12  # what a call says itself


def numbers(count, **options):
    """Indices of the samples in each batch of a stream."""
    cases = [{"image": np.zeros((9, 9, 9), np.float32)}] * 7
    options = {"patch_shape": 8, "batch_size": 2, "seed": 5, **options}
    with Stream(cases, Compose([]), **options) as stream:
        found = []
        for _, batch in zip(range(count), stream, strict=False):
            found.append(tuple((r.key.epoch, r.key.index) for r in batch["record"]))
        return found


@pytest.mark.parametrize("total", [1, 2, 3])
def test_shards_make_up_the_whole(total):
    whole = numbers(12)
    parts = [numbers(12 // total, shard=(number, total)) for number in range(total)]
    assert [batch for turn in zip(*parts, strict=True) for batch in turn] == whole


def test_shards_are_of_one_length():
    """A rank that has a batch more than the others waits for them for ever."""
    for total in (1, 2, 3, 4):
        parts = [numbers(99, epochs=3, shard=(number, total)) for number in range(total)]
        assert {len(part) for part in parts} == {3 * 7 // 2 // total}


@pytest.mark.parametrize("wrong", [3, "0/2", (2, 2), (-1, 2), (0, 0), (0, 1.5), (0,), (True, 2)])
def test_a_shard_that_is_none_is_refused(wrong):
    with pytest.raises((TypeError, ValueError), match="shard"):
        numbers(1, shard=wrong)


def test_a_rank_of_a_launcher_is_a_shard(monkeypatch):
    whole = numbers(8)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "1")
    assert numbers(8) == whole  # Slurm and others may set these for something else
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert numbers(2) == whole[1:8:4]
    assert numbers(2, shard=(0, 1)) == whole[:2]


def test_a_shard_goes_on_where_another_stream_has_stopped():
    whole = numbers(8)
    assert numbers(2, shard=(1, 2), first_batch=2) == whole[5:8:2]


def test_workers_of_a_rank_share_its_batches(monkeypatch):
    whole = numbers(24)
    monkeypatch.setattr("volaug.data.stream.torch_rank", lambda: Shard(1, 2))
    found = {}
    for worker in range(3):
        monkeypatch.setattr("volaug.data.stream.torch_worker", lambda w=worker: Shard(w, 3))
        found[worker] = numbers(4)
    assert [batch for turn in zip(*found.values(), strict=True) for batch in turn] == whole[1::2]
    lengths = []
    for worker in range(3):
        monkeypatch.setattr("volaug.data.stream.torch_worker", lambda w=worker: Shard(w, 3))
        lengths.append(len(numbers(99, epochs=4)))
    assert sum(lengths) == 4 * 7 // 2 // 2  # nothing of the rank's is left out


def printed(code, folder):
    """The lines that a program prints, from a file, since spawned workers import it."""
    script = folder / "program.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=250,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return done.stdout.splitlines()


# workers, how they are started, and passes
LOADERS = [
    (0, None, 1), (1, "fork", 3), (2, "fork", 3), (3, "fork", 3), (2, "forkserver", 3),
    (2, "spawn", 1),  # each start of one takes four seconds, for torch
]  # fmt: skip
PASSES = f"""
import multiprocessing
import numpy as np, torch
from torch.utils.data import DataLoader, IterableDataset
import volaug

CASES = [{{"image": np.zeros((9, 9, 9), np.float32)}}] * 7
OPTIONS = {{"patch_shape": 8, "batch_size": 2, "seed": 5}}

class Batches(IterableDataset):
    def __init__(self, **options):
        self.stream = volaug.Stream(CASES, volaug.Compose([]), **OPTIONS, **options)

    def __iter__(self):
        for batch in self.stream:
            yield [[record.key.epoch, record.key.index] for record in batch["record"]]

if __name__ == "__main__":
    multiprocessing.set_forkserver_preload(["torch.utils.data", "volaug"])
    for workers, context, passes in {LOADERS}:
        options = {{"batch_size": None, "multiprocessing_context": context}}
        loader = DataLoader(Batches(epochs=2), num_workers=workers, **options)
        print([np.asarray(batch).tolist() for _ in range(passes) for batch in loader])
    loader = DataLoader(Batches(), batch_size=None, num_workers=2)
    passes = [[np.asarray(next(it)).tolist() for it in [iter(loader)] for _ in range(4)]
              for _ in range(3)]
    print(len({{str(each) for each in passes}}))
"""


@pytest.mark.oracle("torch")
@pytest.mark.slow
def test_workers_of_a_torch_loader_share_its_batches_and_each_pass_goes_on(tmp_path):
    """Workers are started anew for each pass, and would begin with the same batch."""
    *lines, differing = printed(PASSES, tmp_path)
    cases = [{"image": np.zeros((9, 9, 9), np.float32)}] * 7
    options = {"patch_shape": 8, "batch_size": 2, "seed": 5, "epochs": 6}
    with Stream(cases, Compose([]), **options) as stream:
        whole = [[[r.key.epoch, r.key.index] for r in batch["record"]] for batch in stream]
    assert len(whole) == 21
    for (_, _, passes), line in zip(LOADERS, lines, strict=True):
        assert json.loads(line) == whole[: 7 * passes]
    assert differing == "3"
