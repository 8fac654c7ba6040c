"""Batches: which samples there are, in which order; the arrays they are written to; their form."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cases import OpenCase
from .keys import Key, Numbers
from .record import Record, Sample

Batch = dict[str, Any]


@functools.lru_cache(8)
def epoch_order(seed: int, epoch: int, size: int) -> list[int]:
    """The indices of an epoch's samples, in another order in each."""
    ways = Numbers(Key(seed, epoch, 0), "order").uniforms(size)
    order: list[int] = np.argsort(ways, kind="stable").tolist()
    return order


@dataclass(frozen=True)
class Layout:
    """What all samples of a stream have in common, as its first case shows."""

    volumes: dict[str, tuple[np.dtype[Any], tuple[int, ...]]]  # dtype and channels, or ()
    shape: tuple[int, int, int]  # of what the pipeline gives

    def slots(self, count: int) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays (count, C, n0, n1, n2) for a batch; C is 1 for volumes without channels."""
        return {
            name: np.empty((count, *(channels or (1,)), *self.shape), dtype)
            for name, (dtype, channels) in self.volumes.items()
        }


def layout_of(opened: OpenCase, record: Record) -> Layout:
    """Of a case, and a draw for it."""
    volumes = {name: (np.dtype(v.dtype), tuple(v.shape[:-3])) for name, v in opened.volumes.items()}
    return Layout(volumes, record.output_shape)


def collated(slots: Mapping[str, Any], samples: Sequence[Sample]) -> Batch:
    """A batch of samples, whose volumes were written into its slots."""
    batch: Batch = {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        if name not in slots:
            batch[name] = values
        elif isinstance(values[0], list):
            levels = zip(*values, strict=True)
            batch[name] = [level_of(slots[name], each) for each in levels]
        else:
            batch[name] = slots[name]
    batch["record"] = [sample.record for sample in samples]
    return batch


def level_of(slot: Any, levels: Sequence[Any]) -> Any:
    """One resolution of the labels of a batch: the slot itself, if it is the full one."""
    if np.shares_memory(levels[0], slot):
        return slot
    stacked = np.stack(levels)
    return stacked if stacked.ndim == 5 else stacked[:, np.newaxis]
