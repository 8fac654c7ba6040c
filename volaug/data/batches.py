"""Batches: the order of samples, the arrays they are written to, and what they have in common."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..keys import Key, RandomStream
from ..pipeline.record import Record, Sample
from .cases import OpenCase

Batch = dict[str, Any]

# Makes an array of a shape and a dtype whose values are arbitrary, as `np.empty` does.
Empty = Callable[[tuple[int, ...], np.dtype[Any]], np.ndarray[Any, Any]]

# The key of a batch that says which of its samples have an optional target.
PRESENT = "{}_present"

# Advice in the error for cases of different dtypes.
CONVERSION = {
    "image": "dtype= of the stream converts images",
    "label": "store the labels of all cases in one dtype, such as int16",
}

# Rounds of the Feistel network. Four make its permutations random enough for cryptography (Luby and
# Rackoff); eight leave a margin for epochs of few samples.
ROUNDS = 8


def shuffled_index(seed: int, epoch: int, size: int, place: int) -> int:
    """The index of the sample at a place of an epoch; each epoch has an order of its own.

    No list of all samples is made. A Feistel network permutes the pairs (a, b) with ``a < rows``
    and ``b < columns``: `size` pairs, or a few more. A pair beyond `size` is permuted again (cycle
    walking), so that the numbers below `size` are permuted among themselves.

    References
    ----------
    M. Luby, C. Rackoff, "How to construct pseudorandom permutations from pseudorandom functions",
    SIAM Journal on Computing 17(2), 1988; J. Black, P. Rogaway, "Ciphers with arbitrary finite
    domains", CT-RSA 2002.
    """
    rows = math.isqrt(size - 1) + 1
    columns = -(-size // rows)
    key, index = Key(seed, epoch, 0), place
    while True:
        a, b = divmod(index, columns)
        for number in range(0, ROUNDS, 2):
            a = (a + RandomStream(key, f"order {number} {b}").whole(0, rows - 1)) % rows
            b = (b + RandomStream(key, f"order {number + 1} {a}").whole(0, columns - 1)) % columns
        index = a * columns + b
        if index < size:
            return index


class Form(NamedTuple):
    """The dtype and the channels of one image or label."""

    kind: str  # "image" or "label"
    dtype: np.dtype[Any]
    channels: int  # 1 also for a volume without an axis of channels

    def __str__(self) -> str:
        return f"{self.dtype} with {self.channels} channel{'s' * (self.channels > 1)}"


@dataclass(frozen=True)
class SampleSpec:
    """What all samples of a stream have in common, taken from its first case."""

    volumes: dict[str, Form]
    others: frozenset[str]  # points, boxes, spacing and affine
    shape: tuple[int, int, int]  # of the pipeline's output

    def slots(self, count: int, empty: Empty) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays (count, C, n0, n1, n2) for a batch; C is 1 for volumes without channels."""
        return {
            name: empty((count, form.channels, *self.shape), form.dtype)
            for name, form in self.volumes.items()
        }

    def check(self, other: "SampleSpec") -> None:
        """Check that another sample fits into the same batches."""
        names, given = set(self.volumes) | self.others, set(other.volumes) | other.others
        if names != given:
            raise ValueError(f"it must have {_listed(names)}, as case 0 has, got {_listed(given)}")
        for name, form in self.volumes.items():
            found = other.volumes[name]
            if found != form:
                way = f": {CONVERSION[form.kind]}" if found.dtype != form.dtype else ""
                raise ValueError(f"{name!r} must be {form}, as case 0 has it, got {found}{way}")
        if other.shape != self.shape:
            raise ValueError(
                f"the pipeline must give the shape {self.shape}, as for case 0, got {other.shape}"
            )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def form_of(kind: str, volume: Any) -> Form:
    """The form of an image or label, which may be anything with a shape and a dtype."""
    channels = int(volume.shape[0]) if len(volume.shape) == 4 else 1
    return Form(kind, np.dtype(volume.dtype), channels)


def spec_of(opened: OpenCase, record: Record) -> SampleSpec:
    """The spec of a sample, from its case and from a draw for it."""
    forms = {
        name: form_of(record.targets[name].kind, volume) for name, volume in opened.volumes.items()
    }
    units = {"spacing": opened.spacing, "affine": opened.affine}
    others = {*opened.coordinates, *(name for name, value in units.items() if value is not None)}
    return SampleSpec(forms, frozenset(others), record.output_shape)


class Slots:
    """The arrays of a batch, into which its samples are written by the threads that make them.

    Parameters
    ----------
    volumes : mapping from names to (size, C, n0, n1, n2) arrays
    size : int
        Number of samples.
    empty : callable
        Makes the arrays of labels at lower resolutions.
    """

    def __init__(self, volumes: Mapping[str, Any], size: int, empty: Empty) -> None:
        self.volumes = volumes
        self._size, self._empty = size, empty
        self._levels: dict[tuple[str, int], Any] = {}

    def of(self, place: int) -> dict[str, Any]:
        """Where the volumes of a sample are written."""
        return {name: volume[place] for name, volume in self.volumes.items()}

    def keep_levels(self, place: int, sample: Sample) -> None:
        """Copy the labels of a sample at lower resolutions to those of the batch."""
        for name, values in sample.items():
            if name in self.volumes and isinstance(values, list):
                for number, level in enumerate(values):
                    self._keep_level(name, number, place, level)

    def _keep_level(self, name: str, number: int, place: int, level: Any) -> None:
        whole = self.volumes[name]  # at full resolution, it is there already
        if not np.may_share_memory(level, whole[place]):
            shape = level.shape if level.ndim == 4 else (1, *level.shape)
            whole = self._levels.get((name, number))
            if whole is None:  # one of two threads that find none makes the one that counts
                made = self._empty((self._size, *shape), level.dtype)
                whole = self._levels.setdefault((name, number), made)
            whole[place] = level
        self._levels[name, number] = whole

    def batch(self, samples: Sequence[Sample]) -> Batch:
        """The batch, when all of its samples are made."""
        batch: Batch = {}
        for name in samples[0]:
            values = [sample[name] for sample in samples]
            if name not in self.volumes:
                batch[name] = np.array(values) if isinstance(values[0], bool) else values
            elif isinstance(values[0], list):
                batch[name] = [self._levels[name, number] for number in range(len(values[0]))]
            else:
                batch[name] = self.volumes[name]
        batch["record"] = [sample.record for sample in samples]
        return batch
