"""A PyTorch dataset that augments samples where they are loaded."""

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
from ..transforms.operation import SpatialOperation

MAX_EPOCH = 2**63 - 1

# Datasets around datasets: more are not looked through.
MAX_WRAPPED = 16

# What a sampler of ours gives for a sample: epoch, occurrence, index.
SampleId = tuple[int, int, int]


class VolaugDataset(Dataset[dict[str, Any]]):  # type: ignore[misc, unused-ignore]
    """The samples of a dataset, augmented: each carries the key of its draw.

    A key is ``(seed, epoch, index, occurrence)``; the occurrence counts how often the epoch has had
    this index before. The same key gives the same bits, for any number of workers, any start
    method, and in any order. Epoch and occurrence come from one of these:

    - An `EpochSampler`: everything is exact for any number of workers.
    - `set_epoch`: samples are counted in whichever process loads them, so that repeated indices
      differ. The first sample of an index is exact for any number of workers; if several workers
      load the same index, the order of its samples depends on their speed.
    - Neither: torch's random numbers in the process that loads it. Samples and epochs differ,
      and `torch.manual_seed` before the loop makes the run repeatable with the same number of
      workers.

    Within a worker a call uses one thread, elsewhere `get_num_threads()`.

    Parameters
    ----------
    base : map-style dataset
        ``base[index]`` is a mapping, or a pair of image and label: NumPy arrays or CPU tensors,
        (n0, n1, n2) or (C, n0, n1, n2). From a mapping the pipeline takes its targets,
        ``"spacing"`` and ``"affine"``; other items are passed through.
    pipeline : Compose
        Applied to each sample. Without a seed it gets one from torch's random numbers, now.
    records : bool, default False
        Whether each sample holds its `Record` as JSON, under ``"record"``.

    Raises
    ------
    TypeError
        If `pipeline` is not a `Compose`, or `base` is not map-style.

    Examples
    --------
    >>> base = [{"image": torch.zeros(8, 8, 8)} for _ in range(4)]
    >>> dataset = VolaugDataset(base, volaug.Compose([volaug.RandomNoise(1.0, p=1.0)], seed=7))
    >>> sample = dataset[2]
    >>> torch.equal(dataset.replay(sample["key"])["image"], sample["image"])
    True
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
        """Set the epoch of the next pass. An `EpochSampler` makes this unnecessary.

        Parameters
        ----------
        epoch : int
            0 to 2^63 - 1. Workers see it at once, also persistent ones: call this before each
            ``iter(loader)``, which starts them. Samples are counted from 0 again, also for the same
            epoch; samples that persistent workers still load for an interrupted pass are counted
            too.

        Raises
        ------
        TypeError, ValueError
            If `epoch` is not an int in this range.
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
            At least 0; or epoch, occurrence and index, as an `EpochSampler` gives them.

        Returns
        -------
        dict
            The items of ``base[index]``, with targets augmented, and ``"key"``, (4,) int64: seed,
            epoch, index and occurrence, for `replay`. Targets are contiguous tensors, or lists of
            them after a `LabelPyramid`. Points, boxes, spacing and affine are float64.

        Raises
        ------
        Exception
            Errors of the base or the pipeline, with a note that has the index.
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
        """Load the sample of a key and augment it as before: the same bits.

        Parameters
        ----------
        key : Key, or four ints
            The ``"key"`` of a sample, one of a batch, or the `key` of a record.

        Returns
        -------
        dict
            As `__getitem__`.

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
        """Warn once of an item that is passed through, and has the shape of what moves."""
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
        """Return the key of a sample without an `EpochSampler`."""
        index = checks.as_seed("index", index)
        epoch = int(self._epoch)
        if epoch < 0:
            return Key(self._seed, 0, index, random_number(2**63 - 1))
        occurrence = 0
        if index < len(self._loaded) - 1:
            occurrence = int(count_up(self._loaded.data_ptr(), index))
        return Key(self._seed, epoch, index, occurrence)


def random_number(stop: int) -> int:
    """Draw from torch's generator for CPUs, whatever the default device is."""
    return int(torch.randint(stop, (), device="cpu"))


def is_around(dataset: Any, levels: int = MAX_WRAPPED) -> bool:
    """Whether it is a `VolaugDataset` or contains one, as a `Subset` does."""
    if isinstance(dataset, VolaugDataset):
        return True
    if levels == 0:  # or it holds itself
        return False
    wrapped = getattr(dataset, "dataset", None), *getattr(dataset, "datasets", ())
    return any(is_around(inner, levels - 1) for inner in wrapped if inner is not None)


def as_key(key: Any) -> Key:
    """Return a key, also from its four numbers."""
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
    """Whether the draw moves voxels."""
    return any(isinstance(operation, SpatialOperation) for _, operation in record.steps)


def as_mapping(item: Any) -> Mapping[str, Any]:
    """Return an item of a dataset as a mapping."""
    if isinstance(item, Mapping):
        return item
    if isinstance(item, tuple | list) and len(item) == 2:
        return dict(zip(("image", "label"), item, strict=True))
    raise TypeError(
        "a sample must be a mapping with the names of the pipeline's targets, or a pair of an "
        f"image and its label, got {type(item).__name__}"
    )


def as_tensors(value: Any) -> Any:
    """Return a result as contiguous tensors, which share its memory if it is contiguous."""
    if isinstance(value, list):  # a pyramid
        return [as_tensors(level) for level in value]
    return torch.from_numpy(np.asarray(value)).contiguous()
