"""A PyTorch sampler that adds the epoch, and how often an index came."""

import operator
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch.utils.data import DistributedSampler, Sampler

from .. import checks
from .torch_dataset import MAX_EPOCH, SampleId, VolaugDataset, is_around

# A rank that draws its own indices counts occurrences from this times its number.
RANK_STEP = 2**32


class EpochSampler(Sampler[Any]):  # type: ignore[misc, unused-ignore]
    """The indices of another sampler, each with its epoch and occurrence.

    For the index 17 it gives ``(epoch, occurrence, 17)``, from which a `VolaugDataset` makes the
    key: exact for any number of workers, also if an index is repeated. Each iteration is the next
    epoch.

    Parameters
    ----------
    sampler : iterable of ints, or of lists of them
        A sampler or a batch sampler: `RandomSampler`, `WeightedRandomSampler`, `BatchSampler` and
        the like. If it has `set_epoch`, as `DistributedSampler`, it is told the epoch.
    epoch : int, default 0
        The first epoch: to resume a run, the number of epochs that are done.

    Raises
    ------
    TypeError
        If `sampler` is not iterable, is an `EpochSampler`, or is for a dataset around a
        `VolaugDataset`, such as a `Subset`, which takes only an int as an index.
    ValueError
        If `epoch` is negative or over 2^63 - 1.

    Notes
    -----
    Ranks of `torch.distributed` that draw their indices independently, without a
    `DistributedSampler`, never have the same occurrence of an index.

    Examples
    --------
    >>> sampler = EpochSampler([0, 1, 0])
    >>> list(sampler)
    [(0, 0, 0), (0, 0, 1), (0, 1, 0)]
    >>> list(sampler)
    [(1, 0, 0), (1, 0, 1), (1, 1, 0)]
    """

    def __init__(self, sampler: Iterable[Any], epoch: int = 0) -> None:
        if not hasattr(sampler, "__iter__"):
            raise TypeError(f"sampler must be a sampler, got {type(sampler).__name__}")
        self.sampler = sampler
        for inner in self._inner():
            if isinstance(inner, EpochSampler):
                raise TypeError(
                    "sampler must give indices, got an EpochSampler, which gives the epoch already"
                )
            check_is_outermost(getattr(inner, "data_source", getattr(inner, "dataset", None)))
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration.

        Parameters
        ----------
        epoch : int
            0 to 2^63 - 1.

        Raises
        ------
        TypeError, ValueError
            If `epoch` is not an int in this range.
        """
        self.epoch = checks.as_whole("epoch", epoch, 0, MAX_EPOCH)

    def __len__(self) -> int:
        return len(self.sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        """Start the next epoch."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        for inner in self._inner():
            if hasattr(inner, "set_epoch"):
                inner.set_epoch(epoch)
        return self._sample_ids(epoch)

    def _sample_ids(self, epoch: int) -> Iterator[Any]:
        seen: Counter[int] = Counter()
        given = 0

        def sample_id(index: Any) -> SampleId:
            nonlocal given
            index = operator.index(index)
            occurrence = self._first_occurrence(given) + seen[index]
            seen[index] += 1
            given += 1
            return epoch, occurrence, index

        for item in self.sampler:
            item = item.tolist() if isinstance(item, np.ndarray | torch.Tensor) else item
            yield [*map(sample_id, item)] if isinstance(item, list | tuple) else sample_id(item)

    def _first_occurrence(self, given: int) -> int:
        """Return the first occurrence of the index at a position."""
        for inner in self._inner():
            if isinstance(inner, DistributedSampler):
                # The ranks take turns in one list, which repeats its beginning at its end.
                size: int = len(inner.dataset)  # type: ignore[arg-type, unused-ignore]
                sample_id: int = given * inner.num_replicas + inner.rank
                return sample_id // size
        ranks = torch.distributed
        return (
            ranks.get_rank() * RANK_STEP if ranks.is_available() and ranks.is_initialized() else 0
        )

    def _inner(self) -> Iterator[Any]:
        """Yield the sampler, and those within it."""
        inner: Any = self.sampler
        while inner is not None:
            yield inner
            inner = getattr(inner, "sampler", None)


def check_is_outermost(dataset: Any) -> None:
    """Check that a sampler's dataset is not wrapped around a `VolaugDataset`."""
    if not isinstance(dataset, VolaugDataset) and is_around(dataset):
        kind = type(dataset).__name__
        raise TypeError(
            f"an EpochSampler is for a VolaugDataset, got a sampler for a {kind} of one: put "
            f"VolaugDataset around the {kind}, or give a SubsetRandomSampler to a Subset's dataset"
        )
