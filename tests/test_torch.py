"""`VolaugDataset`: a key for each sample, its bits in any worker, and errors that say where."""

import copy
import hashlib
import itertools
import multiprocessing
import os
import pickle
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import volaug
from support.volumes import random_volume
from volaug import Compose, LabelPyramid, RandomAffine, RandomContrast, RandomElastic, RandomFlip
from volaug.checks import DTYPES
from volaug.kernels.jit.cache import CHECKSUM_BYTES
from volaug.kernels.jit.counting import count_up
from volaug.keys import Key

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

from volaug.integrations.torch import EpochSampler, VolaugDataset  # noqa: E402
from volaug.integrations.torch_sampler import RANK_STEP  # noqa: E402

# where there is one processor; workers are no faster there, and as right
pytestmark = [
    pytest.mark.oracle("torch"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

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


def test_epochs_are_whole_numbers():
    dataset = VolaugDataset(Cases(SMALL), PIPELINE)
    for settable in (dataset, EpochSampler([0])):
        for wrong in (-1, 2**63):
            with pytest.raises(ValueError, match=f"epoch must be from 0 to .* got {wrong}"):
                settable.set_epoch(wrong)
        with pytest.raises(TypeError, match="epoch must be a whole number"):
            settable.set_epoch(0.5)
    dataset.set_epoch(2**63 - 1)
    assert dataset[0]["key"].tolist() == [3, 2**63 - 1, 0, 0]


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
@pytest.mark.parametrize("order", ["C", "F"])
def test_nothing_is_copied_and_nothing_mutated(steps, order, calls):
    item = Cases(SMALL)[0]
    if order == "F":  # as nibabel's are; their results are copied, so that they are contiguous
        item["image"] = item["image"].permute(0, 3, 2, 1)
        item["label"] = item["label"].permute(2, 1, 0).numpy()
    before = bits(item)
    sample = VolaugDataset([item], Compose(steps, seed=1))[0]
    ((given, result),) = calls
    for name in TARGETS:
        assert given[name] is item[name]
        shares = sample[name].data_ptr() == result[name].ctypes.data
        assert shares == result[name].flags.c_contiguous
        assert sample[name].is_contiguous()
        sample[name].view(-1)
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
    assert list(batch) == [*item, "key"]
    assert batch.pop("key").shape == (3, 4)
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
        sample = VolaugDataset([pair] * 2, PIPELINE)[4, 0, 1]
        expected = PIPELINE(image=item["image"], label=item["label"], epoch=4, index=1)
        assert set(sample) == {"image", "label", "key"}
        for name, value in expected.items():
            np.testing.assert_array_equal(sample[name], value)


def test_records_are_json():
    dataset = VolaugDataset(Cases(SMALL), PIPELINE, records=True)
    dataset.set_epoch(2)
    batch = data.default_collate([dataset[0], dataset[1]])
    for index, text in enumerate(batch["record"]):
        record = volaug.Record.from_json(text)
        assert record.key == Key(3, 2, index)
        assert batch["key"][index].tolist() == [3, 2, index, 0]
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
    for name, options in (("key", {}), ("record", {"records": True})):
        dataset = VolaugDataset([{"image": volume, name: 1}], PIPELINE, **options)
        with pytest.raises(ValueError, match=f"a sample gets a '{name}' here"):
            dataset[0]
    dataset = VolaugDataset(Cases(SMALL), PIPELINE)
    with pytest.raises(ValueError, match=r"index must be a number or epoch, occurrence, index"):
        dataset[0, 1]
    with pytest.raises(TypeError, match="sampler must be a sampler, got int"):
        EpochSampler(5)
    around = [data.Subset(dataset, [0]), data.ConcatDataset([dataset])]
    around += [data.Subset(around[1], [0]), data.ConcatDataset([Cases(), around[0]])]
    for wrapper in around:
        with pytest.raises(
            TypeError, match="put VolaugDataset around the " + type(wrapper).__name__
        ):
            EpochSampler(data.RandomSampler(wrapper))


class Endless(data.IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize("base", [Endless(), iter([]), 5, None])
def test_a_base_without_indices_is_refused(base):
    message = f"base must be a map-style dataset, which gives .* got {type(base).__name__}"
    with pytest.raises(TypeError, match=message):
        VolaugDataset(base, PIPELINE)


def test_batches_belong_to_a_batch_sampler():
    dataset = VolaugDataset(Cases(SMALL), PIPELINE)
    batches = EpochSampler(data.BatchSampler(data.SequentialSampler(dataset), 2, drop_last=False))
    with pytest.raises(TypeError, match=r"index must .* got a list of 2: .* as batch_sampler="):
        next(iter(data.DataLoader(dataset, sampler=batches)))
    with pytest.raises(TypeError, match=r"index must .* got a list of 3: .* as batch_sampler="):
        dataset[[0, 1, 2]]


def test_epochs_are_given_once():
    once = EpochSampler([4, 2, 4])
    for twice in (once, data.BatchSampler(once, 2, drop_last=False)):
        with pytest.raises(TypeError, match="sampler must give indices, got an EpochSampler"):
            EpochSampler(twice)


@pytest.mark.parametrize(
    "key",
    [
        5, [1, 2, 3], "1234", None, [1, 2, 3, 4.0], [[1, 2, 3, 4]], torch.zeros(4),
        torch.zeros((2, 4), dtype=torch.int64), torch.zeros((4, 4), dtype=torch.int64),
        np.zeros((4, 4), int),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_key_is_said(key):
    with pytest.raises(TypeError, match=r"key must be a Key, or the four ints .*, got (shape|\S)"):
        VolaugDataset(Cases(SMALL), PIPELINE).replay(key)


def test_what_has_the_shape_of_the_image_and_is_not_moved_is_warned_of_once():
    volume = torch.zeros((2, *SMALL))
    moving = [RandomAffine(p=1)]
    pipeline = Compose(moving, seed=3)
    for mask in (volume[0], volume[0].numpy(), volume):
        base = [{"image": volume, "mask": mask, "other": mask[..., 1:], "score": 3.0}] * 3
        dataset = VolaugDataset(base, pipeline)
        with pytest.warns(
            UserWarning, match="'mask' has the shape of 'image' and is not"
        ) as caught:
            dataset[0], dataset[1]
        assert len(caught) == 1
        assert caught[0].filename == __file__
        for silent in (Compose([RandomContrast()]), Compose(moving, targets={"mask": "label"})):
            VolaugDataset(base, silent)[0]
    VolaugDataset([{"image": volume, "mask": volume[..., 1:]}], pipeline)[0]


def test_a_loop_over_it_ends():
    """With the IndexError of its base."""
    cases = [Cases(SMALL)[index] for index in range(3)]
    assert len([*VolaugDataset(cases, PIPELINE)]) == 3


def tiny(count=8, pipeline=None, **options):
    """A dataset that is augmented fast, whose draws all differ."""
    base = [{"image": torch.from_numpy(random_volume(TINY, seed=9))} for _ in range(count)]
    pipeline = pipeline or Compose([RandomAffine(translation=1, p=1)], **options)
    return VolaugDataset(base, pipeline)


TINY = (4, 5, 6)


def with_replacement(seed=1, count=24, drawn_from=8):
    """Most indices are the last one."""
    weights = [1.0] * (drawn_from - 1) + [2.0 * drawn_from]
    generator = torch.Generator().manual_seed(seed)
    return data.WeightedRandomSampler(weights, count, generator=generator)


def in_order(samples):
    """Key and bits of each sample, or of those of each batch."""
    batches = [sample if sample["key"].ndim == 2 else _batch_of(sample) for sample in samples]
    return [
        (tuple(key.tolist()), image.numpy().tobytes())
        for batch in batches
        for key, image in zip(batch["key"], batch["image"], strict=True)
    ]


def _batch_of(sample):
    return {"key": sample["key"][None], "image": sample["image"][None]}


LOADERS = {
    "here": {},
    "one": {"num_workers": 1, "multiprocessing_context": "fork"},
    "two": {"num_workers": 2, "multiprocessing_context": "fork"},
    "three that persist": {
        "num_workers": 3,
        "multiprocessing_context": "fork",
        "persistent_workers": True,
    },
    "spawned": {"num_workers": 2, "multiprocessing_context": "spawn", "persistent_workers": True},
}


FORKED = [name for name in LOADERS if name != "spawned"]


@pytest.mark.parametrize(
    ("workers", "seed", "said"),
    [*itertools.product(FORKED, (None, 5), (False, True)), ("spawned", None, True)],
)
def test_all_samples_of_all_epochs_differ(workers, seed, said):
    """With the samplers of torch, also for an index that comes twice; and keys replay them."""
    dataset = tiny(seed=seed)
    loader = data.DataLoader(dataset, 2, sampler=with_replacement(), **LOADERS[workers])
    found = []
    for epoch in range(3):
        if said:
            dataset.set_epoch(epoch)
        found += in_order(loader)
    indices = [key[2] for key, _ in found]
    assert len(found) == 72 > 3 * len(set(indices[:24]))
    assert len({key for key, _ in found}) == len({image for _, image in found}) == 72
    for key, image in found:
        assert dataset.replay(key)["image"].numpy().tobytes() == image
        if said and key[3] == 0:
            alone = dataset.pipeline(**dataset.base[key[2]], epoch=key[1], index=key[2])
            assert alone["image"].tobytes() == image
    if said:  # whichever worker it was that was the first
        places = [key[1:] for key, _ in found]
        assert set(places) == {
            (epoch, index, occurrence)
            for epoch in range(3)
            for index in range(8)
            for occurrence in range(indices[24 * epoch : 24 * epoch + 24].count(index))
        }


@pytest.mark.parametrize("workers", FORKED)
def test_torchs_seed_repeats_a_run(workers):
    def run(seed):
        torch.manual_seed(seed)
        loader = data.DataLoader(tiny(), 2, shuffle=True, **LOADERS[workers])
        return [in_order(loader) for _ in range(2)]

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_with_our_sampler_all_is_exact_for_any_number_of_workers(method):
    dataset = tiny(seed=5)

    def epochs(workers, **options):
        sampler = EpochSampler(with_replacement())
        options |= {"num_workers": workers, "multiprocessing_context": method if workers else None}
        loader = data.DataLoader(dataset, 3, sampler=sampler, **options)
        assert len(loader) == 8
        return [in_order(loader) for _ in range(2)]

    expected = epochs(0)
    keys = [key for epoch in expected for key, _ in epoch]
    assert [key[1] for key in keys] == [0] * 24 + [1] * 24
    assert len(set(keys)) == 48
    for number, (_, epoch, index, occurrence) in enumerate(keys):
        before = [key for key in keys[:number] if key[1] == epoch]
        assert occurrence == sum(key[2] == index for key in before)
    assert epochs(2, persistent_workers=True) == expected
    if method == "fork":  # the others take seconds to start
        assert epochs(1) == expected
        assert epochs(3, prefetch_factor=1) == expected


def test_a_pass_that_is_broken_off_changes_nothing_with_our_sampler():
    """Workers that persist still load for it what was under way."""
    dataset, sampler = tiny(seed=5), EpochSampler(range(8))
    loader = data.DataLoader(dataset, 1, sampler=sampler, **LOADERS["three that persist"])
    for _ in loader:
        break
    found = in_order(loader)
    sampler.set_epoch(1)
    assert in_order(data.DataLoader(dataset, 1, sampler=sampler)) == found


def drawn(sampler):
    return list(sampler)


def test_what_our_sampler_gives():
    assert drawn(EpochSampler([4, 2, 4], epoch=7)) == [(7, 0, 4), (7, 0, 2), (7, 1, 4)]
    sampler = EpochSampler(data.BatchSampler([4, 2, 4], 2, drop_last=False))
    assert len(sampler) == 2
    assert drawn(sampler) == [[(0, 0, 4), (0, 0, 2)], [(0, 1, 4)]]
    assert drawn(sampler) == [[(1, 0, 4), (1, 0, 2)], [(1, 1, 4)]]
    sampler.set_epoch(9)
    assert drawn(pickle.loads(pickle.dumps(sampler)))[0][0] == (9, 0, 4)
    for several in (torch.tensor([4, 2, 4]), np.array([4, 2, 4])):
        assert drawn(EpochSampler(several)) == [(0, 0, 4), (0, 0, 2), (0, 1, 4)]
        (places,) = EpochSampler([several])
        assert {type(number) for place in places for number in place} == {int}
    # an iteration that is not at its end keeps its epoch
    first, second = iter(sampler), iter(sampler)
    assert (next(second)[0][0], next(first)[0][0]) == (10, 9)


def test_samplers_and_loaders_of_torch_take_it():
    dataset = tiny(6, seed=5)
    subset = data.SubsetRandomSampler([1, 3, 5])
    keys = [key for key, _ in in_order(data.DataLoader(dataset, sampler=EpochSampler(subset)))]
    assert sorted(keys) == [(5, 0, 1, 0), (5, 0, 3, 0), (5, 0, 5, 0)]
    batches = EpochSampler(data.BatchSampler(data.RandomSampler(dataset), 2, drop_last=True))
    loader = data.DataLoader(dataset, batch_sampler=batches)
    assert [len(batch["key"]) for batch in loader] == [2, 2, 2]
    single = data.DataLoader(dataset, None, sampler=EpochSampler(data.SequentialSampler(dataset)))
    assert [key[2] for key, _ in in_order(single)] == [0, 1, 2, 3, 4, 5]
    inside = VolaugDataset(data.ConcatDataset([dataset.base, dataset.base]), dataset.pipeline)
    inside = VolaugDataset(data.Subset(inside.base, range(2, 9)), dataset.pipeline)
    sampler = EpochSampler(data.RandomSampler(inside, replacement=True, num_samples=20))
    assert len({image for _, image in in_order(data.DataLoader(inside, 4, sampler=sampler))}) == 20


@pytest.mark.parametrize(("count", "ranks"), [(8, 2), (7, 3), (2, 5)])
def test_ranks_share_one_epoch(count, ranks):
    """Also where `DistributedSampler` repeats indices to give all ranks as many."""
    dataset = tiny(count)
    options = {"num_replicas": ranks, "shuffle": True}
    samplers = [
        EpochSampler(data.DistributedSampler(dataset, rank=rank, **options))
        for rank in range(ranks)
    ]
    orders = []
    for epoch in range(3):
        places = [place for sampler in samplers for place in sampler]
        assert len(set(places)) == len(places) >= count
        assert {place[0] for place in places} == {epoch}
        assert {place[2] for place in places if place[1] == 0} == set(range(count))
        orders.append([place[2] for place in places])
    if count == 8:
        assert len(set(map(tuple, orders))) == 3


def test_ranks_that_draw_by_themselves_have_occurrences_of_their_own(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    found = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        found += EpochSampler(with_replacement(rank))
    assert len(set(found)) == len(found) == 72
    assert {place[1] // RANK_STEP for place in found} == {0, 1, 2}


def test_a_subset_around_the_dataset_differs_by_itself():
    dataset = tiny()
    both = data.ConcatDataset([data.Subset(dataset, [1, 1, 3]), dataset])
    found = in_order(data.DataLoader(both)) + in_order(data.DataLoader(both))
    assert len({image for _, image in found}) == 22


def test_keys_replay_in_another_dataset_and_with_any_seed():
    """int64 wraps the largest seeds."""
    for seed in (0, 5, 2**63, 2**64 - 1):
        dataset = tiny(seed=seed)
        (batch,) = data.DataLoader(dataset, 8)
        for key, image in zip(batch["key"], batch["image"], strict=True):
            for other in (dataset, tiny(seed=1)):
                again = other.replay(key)
                assert torch.equal(again["image"], image)
                assert torch.equal(again["key"], key)
    key = Key(seed=1, epoch=2, index=3, occurrence=4)
    assert torch.equal(dataset.replay(key)["image"], tiny(seed=1)[2, 4, 3]["image"])


def test_the_default_device_is_not_asked():
    """A worker cannot use that of a graphics card; this one has no values at all."""
    with torch.device("meta"):
        dataset = tiny()
        first, second = dataset[1], dataset[1]
    assert not torch.equal(first["image"], second["image"])
    dataset.set_epoch(2)
    assert dataset[1]["key"].tolist()[1:] == [2, 1, 0]


def test_indices_need_not_be_those_of_a_list():
    base = {100: {"image": torch.zeros(TINY)}, 7: {"image": torch.ones(TINY)}}
    dataset = VolaugDataset(base, Compose([RandomAffine(p=1)], seed=1))
    dataset.set_epoch(3)
    assert dataset[100]["key"].tolist() == [1, 3, 100, 0]
    assert (dataset[7]["image"] <= 1).all()
    with pytest.raises(ValueError, match="index must be from 0"):
        tiny()[-1]


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
    dataset = VolaugDataset(Cases(SMALL), Compose([RandomAffine(p=1)], seed=3))
    loader = data.DataLoader(dataset, None, num_workers=2, multiprocessing_context="spawn")
    for sample in loader:
        assert bits(sample) == bits(dataset.replay(sample["key"]))
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
