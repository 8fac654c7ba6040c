"""A PyTorch dataset whose samples are augmented where they are loaded."""

import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch.utils.data import Dataset, IterableDataset

from .. import checks
from ..kernels.jit.counting import count_up
from ..keys import Key
from ..pipeline.compose import Compose
from ..pipeline.record import Record
from ..pipeline.targets import KINDS
from ..serialization import shown
from ..transforms.base import SpatialOperation

MAX_EPOCH = 2**63 - 1

# Datasets around datasets: more are not looked through.
MAX_WRAPPED = 16

# What a sampler of ours gives for a sample: epoch, occurrence, index.
SampleId = tuple[int, int, int]


class VolaugDataset(Dataset[dict[str, Any]]):  # type: ignore[misc, unused-ignore]
    """The samples of a dataset, augmented: each by a key of its own, which it carries.

    A key is ``(seed, epoch, index, occurrence)``, where the occurrence says how often the epoch
    has had this index before. The same key gives the same bits, whatever the number of workers,
    however they were started, and in any order. Where epoch and occurrence come from:

    - With an `EpochSampler` from the sampler. All is exact for any number of workers.
    - With `set_epoch` from that call. Each sample is counted, in whichever process it is loaded,
      so that an index that comes again differs. The first of an index is exact for any number of
      workers. If several workers load one index, it depends on their speed which of its samples
      comes first.
    - With neither from torch's random numbers in the process that loads the sample. So all
      samples and all epochs differ, and `torch.manual_seed` before the loop makes the run
      repeatable with the same number of workers.

    Within a worker a call uses one thread, elsewhere all; see `set_num_threads`.

    Parameters
    ----------
    base : map-style dataset
        ``base[index]`` is a mapping or a pair of an image and its label: NumPy arrays or tensors
        in the processor's memory, (n0, n1, n2) or (channels, n0, n1, n2). Of a mapping the
        pipeline takes the names of its targets, ``"spacing"`` and ``"affine"``; what else it
        holds is passed on as it is.
    pipeline : Compose
        One without a seed gets one from torch's random numbers, here and now.
    records : bool
        Whether each sample holds its `Record` as JSON, under ``"record"``.

    Raises
    ------
    TypeError
        If the pipeline is none, or the base is not map-style.

    Examples
    --------
    >>> dataset = VolaugDataset(base, Compose([RandomAffine(p=1.0)], seed=7))
    >>> sampler = EpochSampler(RandomSampler(dataset))
    >>> loader = DataLoader(dataset, 2, sampler=sampler, num_workers=4, persistent_workers=True)
    >>> for epoch in range(100):
    ...     for batch in loader:
    ...         train(batch["image"], batch["label"])
    >>> again = dataset.replay(batch["key"][0])
    """

    def __init__(self, base: Any, pipeline: Compose, *, records: bool = False) -> None:
        if not isinstance(pipeline, Compose):
            raise TypeError(f"pipeline must be a volaug.Compose, got {type(pipeline).__name__}")
        if isinstance(base, IterableDataset) or not hasattr(base, "__getitem__"):
            raise TypeError(
                "base must be a map-style dataset, which gives base[index], got "
                f"{type(base).__name__}"
            )
        if pipeline.seed is None:
            pipeline = replace(pipeline, seed=random_number(2**53))
        self.base = base
        self.pipeline = pipeline
        self.records = records
        self._has_warned = False
        self._taken = {*KINDS, *pipeline.targets, "spacing", "affine"}
        # All processes see these change, also workers that persist: the epoch, -1 as long as
        # nobody has said one, and how often each index was loaded in it.
        self._epoch = torch.from_numpy(np.array(-1)).share_memory_()
        count = operator.length_hint(base)
        self._loaded = torch.from_numpy(np.zeros(count + 1, np.int32)).share_memory_()
        count_up(self._loaded.data_ptr(), count)  # compiled before there are workers

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # which they are no longer after a deep copy or a plain pickle
        self._epoch.share_memory_()
        self._loaded.share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Say which pass over the data comes next. An `EpochSampler` says it in place of this.

        Parameters
        ----------
        epoch : int
            0 to 2^63 - 1. Workers have it at once, also those that persist: call this before
            each ``iter(loader)``, which has them begin. Samples are counted anew from here, also
            for the same epoch; what persistent workers still load for a pass that was broken off
            is counted as well.
        """
        self._epoch.fill_(checks.as_whole("epoch", epoch, 0, MAX_EPOCH))
        self._loaded.zero_()

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int | SampleId) -> dict[str, Any]:
        """Load a sample and augment it.

        Parameters
        ----------
        index : int, or tuple of three ints
            At least 0. Or epoch, occurrence and index, as an `EpochSampler` gives them.

        Returns
        -------
        dict
            What ``base[index]`` holds, its targets augmented, and its ``"key"``: seed, epoch,
            index and occurrence, (4,) int64, for `replay`. Targets are contiguous tensors, a
            list of them for a `LabelPyramid`. Points and boxes, spacing and affine are float64.

        Raises
        ------
        Exception
            Whatever the base or the pipeline raises, with a note that says the index.
        """
        if isinstance(index, list):
            raise TypeError(
                f"index must be one sample's, got a list of {len(index)}: give a sampler of "
                "batches to the DataLoader as batch_sampler="
            )
        if not isinstance(index, tuple):
            return self._sample(index)
        if len(index) != 3:
            raise ValueError(f"index must be a number or epoch, occurrence, index, got {index}")
        epoch, occurrence, number = index
        return self._sample(number, Key(self._seed, epoch, number, occurrence))

    def replay(self, key: Key | Sequence[int] | torch.Tensor) -> dict[str, Any]:
        """Load the sample of a key and augment it as it was: the same bits.

        Parameters
        ----------
        key : Key, or four ints
            The ``"key"`` of a sample, or one of those of a batch, or the `key` of a record.

        Raises
        ------
        TypeError
            If it is not one key.
        """
        key = as_key(key)
        return self._sample(key.index, key)

    @property
    def _seed(self) -> int:
        assert self.pipeline.seed is not None
        return self.pipeline.seed

    def _sample(self, index: int, key: Key | None = None) -> dict[str, Any]:
        try:
            item = as_mapping(self.base[index])
            for name in ("key", "record") if self.records else ("key",):
                if name in item:
                    raise ValueError(f"a sample gets a {name!r} here, but the base's has one")
            given = {name: value for name, value in item.items() if name in self._taken}
            key = self._next_key(index) if key is None else key
            pipeline = self.pipeline
            if key.seed != pipeline.seed:
                pipeline = replace(pipeline, seed=key.seed)
            sample = pipeline(**given, epoch=key.epoch, index=key.index, occurrence=key.occurrence)
        except Exception as error:
            # a note, and not another error: IndexError ends a loop over a dataset
            error.add_note(f"at sample {index} of the base dataset")
            raise
        if not self._has_warned and moves(sample.record):
            self._warn_of_unmoved(item)
        result = {**item, **{name: as_tensors(value) for name, value in sample.items()}}
        result["key"] = torch.from_numpy(np.array(astuple(key), np.uint64).view(np.int64))
        if self.records:
            result["record"] = sample.record.to_json()
        return result

    def _warn_of_unmoved(self, item: Mapping[str, Any]) -> None:
        """Warn once of a value that is passed on, and has the shape of what moves."""
        table = self.pipeline.table
        moved = [name for name in item if name in table and table[name].has_voxels]
        shape = tuple(np.shape(item[moved[0]]))[-3:] if moved else ()
        for name, value in item.items():
            if name in self._taken or not isinstance(value, np.ndarray | torch.Tensor):
                continue
            if shape and value.ndim in (3, 4) and tuple(value.shape[-3:]) == shape:
                self._has_warned = True
                warnings.warn(
                    f"{name!r} has the shape of {moved[0]!r} and is not moved: to move it, name it "
                    f"in Compose(..., targets={{{name!r}: 'label'}})",
                    stacklevel=4,
                )
                return

    def _next_key(self, index: int) -> Key:
        """The key of a sample whose epoch and occurrence no sampler of ours has said."""
        index = checks.as_seed("index", index)
        epoch = int(self._epoch)
        if epoch < 0:
            return Key(self._seed, 0, index, random_number(2**63 - 1))
        occurrence = 0
        if index < len(self._loaded) - 1:
            occurrence = int(count_up(self._loaded.data_ptr(), index))
        return Key(self._seed, epoch, index, occurrence)


def random_number(stop: int) -> int:
    """One of torch's random numbers: of its generator for CPUs, whatever the default device is."""
    return int(torch.randint(stop, (), device="cpu"))


def is_around(dataset: Any, levels: int = MAX_WRAPPED) -> bool:
    """Whether it is a `VolaugDataset`, or one is within it, as in a `Subset`."""
    if isinstance(dataset, VolaugDataset):
        return True
    if levels == 0:  # or it holds itself
        return False
    wrapped = getattr(dataset, "dataset", None), *getattr(dataset, "datasets", ())
    return any(is_around(inner, levels - 1) for inner in wrapped if inner is not None)


def as_key(key: Any) -> Key:
    """A key, also from its four numbers."""
    if isinstance(key, Key):
        return key
    try:
        given = key.tolist() if isinstance(key, np.ndarray | torch.Tensor) else key
        parts = [operator.index(part) % 2**64 for part in given]
    except Exception:  # a tensor has its own
        parts = []
    if len(parts) != 4:
        what = f"shape {tuple(key.shape)}" if hasattr(key, "shape") else shown(key)
        raise TypeError(
            "key must be a Key, or the four ints seed, epoch, index and occurrence of one sample, "
            f"got {what}"
        )
    return Key(*parts)  # int64 has wrapped large seeds


def moves(record: Record) -> bool:
    """Whether voxels do not stay where they were."""
    return any(isinstance(operation, SpatialOperation) for _, operation in record.steps)


def as_mapping(item: Any) -> Mapping[str, Any]:
    """What a dataset gives, by name."""
    if isinstance(item, Mapping):
        return item
    if isinstance(item, tuple | list) and len(item) == 2:
        return dict(zip(("image", "label"), item, strict=True))
    raise TypeError(
        "a sample must be a mapping with the names of the pipeline's targets, or a pair of an "
        f"image and its label, got {type(item).__name__}"
    )


def as_tensors(value: Any) -> Any:
    """What a pipeline gives for a name, as contiguous tensors: of the same memory if it is."""
    if isinstance(value, list):  # a pyramid
        return [as_tensors(level) for level in value]
    return torch.from_numpy(np.asarray(value)).contiguous()
