"""A DataLoader's workers give the same bits, use one thread each, and end with the loader."""

import copy
import hashlib
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import volaug
from support.loaders import marks_of
from support.torch_samples import COUNT, PIPELINE, SMALL, STEPS, TARGETS, Cases, bits, singles
from volaug import Compose, RandomContrast
from volaug.kernels.jit.cache import CHECKSUM_BYTES
from volaug.kernels.jit.counting import count_up

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

from volaug.integrations.torch import VolaugDataset  # noqa: E402

pytestmark = marks_of("torch")


@pytest.fixture(scope="module")
def expected():
    """By epoch and index, what the pipeline alone gives."""
    found = {}
    for epoch in (0, 1):
        for index in range(COUNT):
            given = {name: np.asarray(Cases()[index][name]) for name in (*TARGETS, "spacing")}
            found[epoch, index] = bits(PIPELINE(**given, epoch=epoch, index=index))
    assert len(set(found.values())) == 2 * COUNT
    return found


# A spawned worker takes four seconds to start, and gets the dataset as one of a forkserver does.
WORKERS = [(None, 0), *((m, n) for m in ("fork", "forkserver") for n in (1, 2)), ("spawn", 2)]


@pytest.mark.parametrize(("method", "workers"), WORKERS)
def test_workers_do_not_change_a_bit(method, workers, expected):
    """Two of them persist, one is made anew for each epoch."""
    dataset = VolaugDataset(Cases(), PIPELINE)
    loader = data.DataLoader(
        dataset,
        batch_size=2,
        shuffle=True,
        generator=torch.Generator().manual_seed(1),
        num_workers=workers,
        multiprocessing_context=method,
        persistent_workers=workers == 2,
    )
    orders = []
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        samples = [sample for batch in loader for sample in singles(batch)]
        orders.append([int(sample["number"]) for sample in samples])
        found = {(epoch, int(sample["number"])): bits(sample) for sample in samples}
        assert found == {key: value for key, value in expected.items() if key[0] == epoch}
    assert orders[0] != orders[1]


def test_copies_keep_the_seed_and_have_an_epoch_of_their_own():
    dataset = VolaugDataset(Cases(SMALL), Compose(STEPS))
    dataset.set_epoch(4)
    copies = [pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)]
    expected = bits(dataset[1])
    for other in copies:
        assert bits(other[1]) == expected
        other.set_epoch(4)
        (first,) = data.DataLoader(other, COUNT, num_workers=1, multiprocessing_context="fork")
        assert bits(singles(first)[1]) == expected
        loader = data.DataLoader(
            other, None, num_workers=1, multiprocessing_context="fork", persistent_workers=True
        )
        list(loader)
        other.set_epoch(5)  # and the worker that persists sees it
        found = [bits(sample) for sample in loader]
        other.set_epoch(5)
        assert found == [bits(other[i]) for i in range(COUNT)]
        assert found[1] != expected


def unreadable():
    raise OSError("cannot read the file")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def is_gone(process):
    """Neither running nor a zombie."""
    return not Path(f"/proc/{process.pid}").exists()


def a_loop_that_fails(connection, fault):
    """Tell how a loop ends, and which of its workers are gone when it is deleted."""
    loader = data.DataLoader(
        VolaugDataset(Cases(SMALL, fault), PIPELINE),
        num_workers=2,
        multiprocessing_context="fork",
        prefetch_factor=1,  # nothing is on its way from a worker while it is killed
    )
    batches = iter(loader)
    workers = multiprocessing.active_children()
    try:
        list(batches)
    except (OSError, RuntimeError) as error:
        found = type(error), str(error)
        # it holds frames that hold it: torch waits 5 seconds for each worker if its loader goes
        # as garbage
        error.__traceback__ = None
    del loader, batches
    connection.send((*found, list(map(is_gone, workers))))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (unreadable, OSError, "cannot read the file\nat sample 3 of the base dataset"),
        (killed, RuntimeError, "DataLoader worker (pid"),
    ],
)
def test_a_fault_in_a_worker_is_an_error_here_and_leaves_no_process(fault, kind, message):
    """In a process of its own: torch raises wherever Python is when a worker has died."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=a_loop_that_fails, args=(sender, fault))
    process.start()
    assert receiver.poll(60)
    found, text, gone = receiver.recv()
    process.join(60)
    assert process.exitcode == 0
    assert found is kind
    assert message in text
    assert gone == [True, True]


class Witness:
    """How many threads a call uses after each sample, and how many of volaug's there are."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        self.dataset[index]
        ours = [thread for thread in threading.enumerate() if thread.name.startswith("volaug")]
        return volaug.get_num_threads(), len(ours)


def test_no_thread_is_started_in_a_worker(monkeypatch, processors):
    monkeypatch.delenv("VOLAUG_NUM_THREADS", raising=False)
    processors(3)
    witness = Witness(VolaugDataset(Cases(), PIPELINE))
    threads, started = witness[0]
    assert threads == 3
    assert started >= 2
    loader = data.DataLoader(witness, None, num_workers=2, multiprocessing_context="fork")
    assert list(loader) == [[1, 0]] * COUNT  # torch makes lists of tuples


def test_two_workers_fill_an_empty_cache_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    # two kernels; those of a warp are compiled by each worker for twelve seconds
    dataset = VolaugDataset(Cases(SMALL), Compose([RandomContrast(p=1)], seed=3))
    loader = data.DataLoader(dataset, None, num_workers=2, multiprocessing_context="spawn")
    for sample in loader:
        assert bits(sample) == bits(dataset.replay(sample["key"]))
    kernels = [*tmp_path.rglob("*.kernel")]
    assert len({file.name.split("-")[0] for file in kernels}) == 2
    for file in kernels:
        content = file.read_bytes()
        checksum, payload = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
        assert hashlib.sha256(payload).digest() == checksum
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".kernel"}


def _count(numbers, times):
    return [count_up(numbers.data_ptr(), 0) for _ in range(times)]


def test_processes_and_threads_count_without_losing_one():
    numbers = torch.zeros(2, dtype=torch.int32).share_memory_()
    count_up(numbers.data_ptr(), 1)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.starmap(_count, [(numbers, 2000)] * 6)
    with ThreadPoolExecutor(3) as threads:
        found += threads.map(lambda _: _count(numbers, 1000), range(3))
    assert sorted(itertools.chain(*found)) == list(range(15_000))
    assert numbers.tolist() == [15_000, 1]
