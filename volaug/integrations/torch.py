"""PyTorch: a dataset whose samples are augmented where they are loaded."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from .. import checks
from ..pipeline import Compose
from ..targets import KINDS


class VolaugDataset(Dataset[dict[str, Any]]):  # type: ignore[misc, unused-ignore]
    """The samples of a dataset, augmented: each by the key ``(seed, epoch, index)``.

    So a sample has the same bits for any number of workers, however they were started, and in any
    order. Within a worker a call uses one thread, elsewhere all; see `set_num_threads`.

    Parameters
    ----------
    base : map-style dataset
        ``base[index]`` is a mapping or a pair of an image and its label: NumPy arrays or tensors
        in the processor's memory. Of a mapping the pipeline takes the names of its targets,
        ``"spacing"`` and ``"affine"``; what else it holds is passed on as it is.
    pipeline : Compose
        One without a seed keeps the seed that it drew when it was made, in all workers.
    records : bool
        Whether each sample holds its `Record` as JSON, under ``"record"``.

    Raises
    ------
    TypeError
        If the pipeline is none.

    Examples
    --------
    >>> dataset = VolaugDataset(base, Compose([RandomAffine(p=1.0)], seed=7))
    >>> loader = DataLoader(dataset, 2, shuffle=True, num_workers=4, persistent_workers=True)
    >>> for epoch in range(100):
    ...     dataset.set_epoch(epoch)
    ...     for batch in loader:
    ...         train(batch["image"], batch["label"])
    """

    def __init__(self, base: Any, pipeline: Compose, *, records: bool = False) -> None:
        if not isinstance(pipeline, Compose):
            raise TypeError(f"pipeline must be a volaug.Compose, got {type(pipeline).__name__}")
        self.base = base
        self.pipeline = pipeline
        self.records = records
        self._taken = {*KINDS, *pipeline.targets, "spacing", "affine"}
        # workers that persist see it change
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # which it is no longer after a deep copy or a plain pickle

    def set_epoch(self, epoch: int) -> None:
        """Say which pass over the data comes next; the first is 0 if nothing is said.

        Parameters
        ----------
        epoch : int
            0 to 2^63 - 1. Workers have it at once, also those that persist: call this before
            ``iter(loader)``, which has them begin.
        """
        self._epoch.fill_(checks.as_whole("epoch", epoch, 0, 2**63 - 1))

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Load a sample and augment it.

        Parameters
        ----------
        index : int
            At least 0.

        Returns
        -------
        dict
            What ``base[index]`` holds, its targets augmented: tensors that share memory with
            the pipeline's results, a list of them for a `LabelPyramid`. Points and boxes, spacing
            and affine are float64.

        Raises
        ------
        Exception
            Whatever the base or the pipeline raises, with a note that says the index.
        """
        try:
            item = as_mapping(self.base[index])
            given = {name: value for name, value in item.items() if name in self._taken}
            sample = self.pipeline(**given, epoch=int(self._epoch), index=index)
        except Exception as error:
            # a note, and not another error: IndexError ends a loop over a dataset
            error.add_note(f"at sample {index} of the base dataset")
            raise
        result = {**item, **{name: as_tensors(value) for name, value in sample.items()}}
        if self.records:
            result["record"] = sample.record.to_json()
        return result


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
    """What a pipeline gives for a name, as tensors of the same memory."""
    if isinstance(value, list):  # a pyramid
        return [torch.from_numpy(level) for level in value]
    return torch.from_numpy(np.asarray(value))
