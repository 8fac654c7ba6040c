"""`Volaugd` draws from MONAI's random state: anew each time, and the same for the same seed."""

import copy
import pickle

import pytest

from support.loaders import marks_of
from support.monai_samples import KEYS, bits, pipeline_of, same, sample_of

pytest.importorskip("monai")
import torch
from monai import transforms
from monai.data import CacheDataset, DataLoader, Dataset, ThreadDataLoader, decollate_batch

from volaug.integrations.monai import Volaugd

pytestmark = marks_of("monai")


def test_some_are_augmented_and_some_are_not():
    transform = Volaugd(KEYS, pipeline_of("affine"), prob=0.3)
    dataset = Dataset([sample_of()] * 60, transforms.Compose([transform]).set_random_state(1))
    done = 0
    for batch in DataLoader(dataset, batch_size=20):
        for sample in decollate_batch(batch):
            (trace,) = sample["image"].applied_operations
            assert same(sample, sample_of()) != trace["do_transforms"]
            done += trace["do_transforms"]
    assert 8 <= done <= 28


def test_the_random_state_is_all_that_is_random():
    """Also for pipelines without a seed, each with another from the operating system."""

    def run(state, index=0, **options):
        transform = transforms.Compose([Volaugd(KEYS, pipeline_of(**options))])
        transform.set_random_state(state)
        return [bits(transform(sample_of())) for _ in range(3)][index]

    assert run(1) == run(1)
    assert len({tuple(run(state, index)) for state in (1, 2) for index in range(3)}) == 6
    assert run(1, seed=0) == run(1)
    assert run(1, seed=5) == run(1, seed=5) != run(1)


def test_copies_are_alike():
    transform = Volaugd(KEYS, pipeline_of()).set_random_state(1)
    transform(sample_of())
    copies = [copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))]
    expected = transform(sample_of())
    for other in copies:
        assert same(other(sample_of()), expected)


LOADERS = {
    "here": lambda d, **options: DataLoader(d, num_workers=0, **options),
    "two workers": lambda d, **options: DataLoader(d, num_workers=2, **options),
    "a thread": lambda d, **options: ThreadDataLoader(d, num_workers=0, **options),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_each_epoch_is_another_and_each_seed_the_same(kind):
    cases = [sample_of(seed) for seed in range(3)]

    def epochs(seed):
        steps = [transforms.Flipd(KEYS, 1), Volaugd(KEYS, pipeline_of())]
        dataset = CacheDataset(cases, transforms.Compose(steps), progress=False)
        generator = torch.Generator().manual_seed(seed)
        loader = LOADERS[kind](dataset, batch_size=2, generator=generator)
        return [[bits(batch) for batch in loader] for _ in range(2)]

    first = epochs(1)
    assert first[0] != first[1]
    assert epochs(1) == first
    assert epochs(2) != first
