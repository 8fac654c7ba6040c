"""`VolaugDataset`: the same bits in whatever worker, nothing copied, and errors that say where."""

import copy
import hashlib
import multiprocessing
import os
import pickle
import re
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from cases import random_volume

import volaug
from volaug import Compose, LabelPyramid, RandomAffine, RandomContrast, RandomElastic, RandomFlip
from volaug.checks import DTYPES
from volaug.kernels.cache import CHECKSUM_BYTES

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")
VolaugDataset = pytest.importorskip("volaug.integrations.torch").VolaugDataset

# where there is one processor; workers are no faster there, and as right
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")

SHAPE = (45, 50, 67)  # enough voxels for threads
SMALL = (9, 10, 19)
COUNT = 5
STEPS = [RandomFlip(), RandomAffine(p=1), RandomElastic(3.0, p=1), RandomContrast(p=1)]
PIPELINE = Compose(STEPS, seed=3)


class Cases:
    """A dataset of tensors, made where they are asked for."""

    def __init__(self, shape=SHAPE, fault=None):
        self.shape, self.fault = shape, fault

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        if self.fault and index == 3:
            self.fault()
        return {
            "image": torch.from_numpy(random_volume((2, *self.shape), seed=index)),
            "label": torch.from_numpy(random_volume(self.shape, np.uint8, seed=index) // 25),
            "points": torch.tensor([[1.0, 2.5, 3.0], [4.0, 9.0, 8.0 + index]]),
            "spacing": (1.0, 0.9, 1.5),
            "number": index,
        }


TARGETS = ("image", "label", "points")


def bits(sample):
    return tuple(np.asarray(sample[name]).tobytes() for name in TARGETS)


def singles(batch):
    """The samples of a batch."""
    count = len(batch["number"])
    return [{name: value[i] for name, value in batch.items()} for i in range(count)]


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """Every kernel has been used before there are workers."""
    volaug.warmup(["float32", "uint8"])


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


WORKERS = [(None, 0), *((m, n) for m in ("fork", "spawn", "forkserver") for n in (1, 2))]


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
    for other in copies:
        assert bits(other[1]) == bits(dataset[1])
        (first,) = data.DataLoader(other, COUNT, num_workers=1, multiprocessing_context="fork")
        assert bits(singles(first)[1]) == bits(dataset[1])
        loader = data.DataLoader(
            other, None, num_workers=1, multiprocessing_context="fork", persistent_workers=True
        )
        list(loader)
        other.set_epoch(5)  # and the worker that persists sees it
        assert [bits(sample) for sample in loader] == [bits(other[i]) for i in range(COUNT)]
        assert bits(other[1]) != bits(dataset[1])


def test_epochs_are_whole_numbers():
    dataset = VolaugDataset(Cases(SMALL), PIPELINE)
    before = bits(dataset[0])
    for wrong in (-1, 2**63):
        with pytest.raises(ValueError, match=f"epoch must be from 0 to .* got {wrong}"):
            dataset.set_epoch(wrong)
    with pytest.raises(TypeError, match="epoch must be a whole number"):
        dataset.set_epoch(0.5)
    assert bits(dataset[0]) == before
    dataset.set_epoch(2**63 - 1)
    assert bits(dataset[0]) != before


@pytest.fixture
def calls(monkeypatch):
    """What the pipeline was given, and what it gave."""
    found, call = [], Compose.__call__

    def spied(self, **given):
        found.append((given, call(self, **given)))
        return found[-1][1]

    monkeypatch.setattr(Compose, "__call__", spied)
    return found


@pytest.mark.parametrize("steps", [STEPS, [], [RandomFlip(p=1)]])
def test_nothing_is_copied_and_nothing_mutated(steps, calls):
    item = Cases(SMALL)[0]
    item["image"] = item["image"].permute(0, 3, 2, 1)  # in Fortran order, as nibabel's are
    item["label"] = item["label"].permute(2, 1, 0).numpy()
    before = bits(item)
    sample = VolaugDataset([item], Compose(steps, seed=1))[0]
    ((given, result),) = calls
    for name in TARGETS:
        assert given[name] is item[name]
        assert sample[name].data_ptr() == result[name].ctypes.data
        assert sample[name].data_ptr() != np.asarray(item[name]).ctypes.data
        np.testing.assert_array_equal(sample[name], result[name])
        sample[name].zero_()
    assert np.asarray(item["image"]).__array_interface__["data"][0] == item["image"].data_ptr()
    assert bits(item) == before


def test_samples_are_collated():
    item = Cases(SMALL)[0] | {"weight": np.float32([1, 2]), "affine": np.diag((1, 2, 3, 1.0))}
    del item["spacing"]
    dataset = VolaugDataset([item] * 3, Compose([*STEPS, LabelPyramid([1, 0.5])], seed=3))
    batch = data.default_collate([dataset[index] for index in range(3)])
    assert list(batch) == list(item)
    assert [tuple(level.shape) for level in batch.pop("label")] == [(3, *SMALL), (3, 4, 5, 10)]
    assert {name: (value.dtype, *value.shape) for name, value in batch.items()} == {
        "image": (torch.float32, 3, 2, *SMALL),
        "points": (torch.float64, 3, 2, 3),
        "number": (torch.int64, 3),
        "weight": (torch.float32, 3, 2),
        "affine": (torch.float64, 3, 4, 4),
    }
    spaced = VolaugDataset(Cases(SMALL), PIPELINE)[0]["spacing"]
    assert spaced.tolist() == [1.0, 0.9, 1.5]


def test_pairs_are_of_an_image_and_its_label():
    item = Cases(SMALL)[1]
    for pair in ((item["image"], item["label"]), [np.asarray(item["image"]), item["label"]]):
        sample = VolaugDataset([pair] * 2, PIPELINE)[1]
        expected = PIPELINE(image=item["image"], label=item["label"], index=1)
        assert set(sample) == {"image", "label"}
        for name, value in expected.items():
            np.testing.assert_array_equal(sample[name], value)


def test_records_are_json():
    dataset = VolaugDataset(Cases(SMALL), PIPELINE, records=True)
    dataset.set_epoch(2)
    batch = data.default_collate([dataset[0], dataset[1]])
    for index, text in enumerate(batch["record"]):
        record = volaug.Record.from_json(text)
        assert (record.key.epoch, record.key.index) == (2, index)
        again = record.apply(**{name: Cases(SMALL)[index][name] for name in TARGETS})
        assert bits(again) == bits(singles(batch)[index])


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_stay(dtype):
    tensor = torch.from_numpy(random_volume(SMALL, dtype))
    dataset = VolaugDataset([(tensor, tensor)], Compose([RandomAffine(p=1)], seed=3))
    (batch,) = data.DataLoader(dataset)
    assert batch["image"].dtype == batch["label"].dtype == tensor.dtype


def test_what_is_wrong_says_so_and_where():
    volume = torch.zeros(SMALL)
    wrong = {
        "image must be an array .* BFloat16": (volume.bfloat16(), volume),
        "label must be an array .* requires grad": (volume, volume.clone().requires_grad_()),
        "a sample must be a mapping .* got Tensor": volume,
        "a sample must be a mapping .* got tuple": (volume, volume, volume),
    }
    for message, item in wrong.items():
        with pytest.raises(TypeError, match=message) as caught:
            VolaugDataset([None, item], PIPELINE)[1]
        assert caught.value.__notes__ == ["at sample 1 of the base dataset"]
    with pytest.raises(TypeError, match=r"pipeline must be a volaug\.Compose, got list"):
        VolaugDataset(Cases(), STEPS)


def test_a_loop_over_it_ends():
    """With the IndexError of its base."""
    cases = [Cases(SMALL)[index] for index in range(3)]
    assert len([*VolaugDataset(cases, PIPELINE)]) == 3


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


def test_no_thread_is_started_in_a_worker(monkeypatch):
    monkeypatch.delenv("VOLAUG_NUM_THREADS", raising=False)
    monkeypatch.setattr(volaug.threads, "granted_threads", lambda: 3)
    monkeypatch.setattr(volaug.threads, "_pool", None)
    witness = Witness(VolaugDataset(Cases(), PIPELINE))
    threads, started = witness[0]
    assert threads == 3
    assert started >= 2
    loader = data.DataLoader(witness, None, num_workers=2, multiprocessing_context="fork")
    assert list(loader) == [[1, 0]] * COUNT  # torch makes lists of tuples


def test_two_workers_fill_an_empty_cache_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    dataset = VolaugDataset(Cases(SMALL), Compose([RandomAffine(p=1)], seed=3))
    loader = data.DataLoader(dataset, None, num_workers=2, multiprocessing_context="spawn")
    assert [bits(sample) for sample in loader] == [bits(dataset[i]) for i in range(COUNT)]
    kernels = [*tmp_path.rglob("*.kernel")]
    assert {file.name.split("-")[0] for file in kernels} >= {"warp_tiles", "linear_row"}
    for file in kernels:
        content = file.read_bytes()
        checksum, payload = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
        assert hashlib.sha256(payload).digest() == checksum
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".kernel"}


PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"


def test_the_page_runs():
    section = PAGE.read_text().split("\n## PyTorch\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    batch = names["batch"]
    assert batch["image"].shape == (2, 1, 32, 32, 32)
    assert batch["label"].dtype == torch.int64
