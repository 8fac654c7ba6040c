"""Each sample of each epoch and rank is drawn anew, and `EpochSampler` makes it exact."""

import itertools
import pickle

import numpy as np
import pytest

from support.loaders import marks_of
from support.torch_samples import PIPELINE, SMALL, Cases, in_order, tiny

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

from volaug.integrations.torch import EpochSampler, VolaugDataset  # noqa: E402
from volaug.integrations.torch_sampler import RANK_STEP  # noqa: E402

pytestmark = marks_of("torch")


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


def with_replacement(seed=1, count=24, drawn_from=8):
    """Most indices are the last one."""
    weights = [1.0] * (drawn_from - 1) + [2.0 * drawn_from]
    generator = torch.Generator().manual_seed(seed)
    return data.WeightedRandomSampler(weights, count, generator=generator)


LOADERS = {
    "here": {},
    "one": {"num_workers": 1, "multiprocessing_context": "fork"},
    "two": {"num_workers": 2, "multiprocessing_context": "fork"},
    "three that persist": {
        "num_workers": 3,
        "multiprocessing_context": "fork",
        "persistent_workers": True,
    },
    "two of a server": {
        "num_workers": 2,
        "multiprocessing_context": "forkserver",
        "persistent_workers": True,
    },
}


FORKED = [name for name in LOADERS if name != "two of a server"]


@pytest.mark.parametrize(
    ("workers", "seed", "said"),
    [*itertools.product(FORKED, (None, 5), (False, True)), ("two of a server", None, True)],
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


@pytest.mark.parametrize("method", ["fork", "forkserver"])
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
