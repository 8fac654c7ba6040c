"""Labels replaced by others in an array, whatever its dtype: by their bits."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..kernels.jit.dtypes import as_type
from ..kernels.values.relabel import exchange_bits, replace_bits
from ..serialization import normalize, shown
from ..threads.parts import run_parts, threads_worth
from ..warping.engine.in_place import in_memory_order
from .channels import BLOCK, Memory

Labels = npt.NDArray[Any]
Pairs = tuple[tuple[int, int], ...]

# From -MAX_LABEL to 2 MAX_LABEL - 1: those of int64 and of uint64.
MAX_LABEL = 2**63


def as_label(name: str, value: Any) -> int:
    """Return a whole number that a label map may have."""
    return checks.as_whole(name, value, -MAX_LABEL, 2 * MAX_LABEL - 1)


def as_pairs(value: Any) -> Pairs:
    """Return pairs of labels, or of rows, in order.

    Raises
    ------
    TypeError
        If they are not pairs of whole numbers.
    ValueError
        If a number is out of range, or in two pairs.
    """
    given = normalize(list(value) if isinstance(value, set | frozenset) else value)
    pairs = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise TypeError(f"swap must be pairs of labels, such as {{(17, 53)}}, got {shown(value)}")
    numbers = [as_label("a label of swap", item) for pair in pairs for item in pair]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"swap must have each label once, got {number} more than once")
    return tuple(sorted(zip(numbers[::2], numbers[1::2], strict=True)))


def replace(labels: Labels, old: int, new: int, threads: int) -> None:
    """Replace the label `old` by `new`, which the dtype must be able to hold.

    Parameters
    ----------
    labels : (n0, n1, n2) array
        Of any dtype and strides. If its dtype cannot hold `old`, nothing is done.
    old, new : int
        The labels.
    threads : int
        Maximum number of threads.
    """
    bits = label_bits(old, labels.dtype), label_bits(new, labels.dtype)
    if bits[0] is None:
        return
    if old == 0 and labels.dtype.kind == "f":  # which has two zeros
        np.copyto(labels, new, where=labels == 0)
        return

    def work(kind: Any, memory: Memory, unsigned: np.dtype[Any]) -> Callable[[int, int], None]:
        before, after = map(unsigned.type, bits)
        return lambda first, stop: replace_bits(kind, memory, before, after, first, stop)

    _change_bits(labels, work, threads)


def exchange(labels: Labels, pairs: Sequence[tuple[int, int]], threads: int) -> None:
    """Exchange the labels of each pair, in place.

    Parameters
    ----------
    labels : (n0, n1, n2) array
        Of any dtype and strides. Its dtype must be able to hold both labels of a pair, or neither.
    pairs : sequence of (int, int)
        The labels, each in one pair alone.
    threads : int
        Maximum number of threads.

    Raises
    ------
    ValueError
        If the dtype can hold one label of a pair and not the other.
    """
    found = exchanged_bits(pairs, labels.dtype)
    if not found:
        return

    def work(kind: Any, memory: Memory, unsigned: np.dtype[Any]) -> Callable[[int, int], None]:
        keys = np.array(sorted(found), unsigned)
        values = np.array([found[key] for key in sorted(found)], unsigned)
        return lambda first, stop: exchange_bits(kind, memory, keys, values, first, stop)

    _change_bits(labels, work, threads)


def exchanged_bits(pairs: Sequence[tuple[int, int]], dtype: np.dtype[Any]) -> dict[int, int]:
    """Return, by the bits of each label of the pairs, the bits of the other one.

    Raises
    ------
    ValueError
        If the dtype can hold one label of a pair and not the other.
    """
    found = {}
    for pair in pairs:
        a, b = (label_bits(label, dtype) for label in pair)
        if (a is None) != (b is None):
            raise ValueError(f"labels of {dtype} cannot hold both of the pair {tuple(pair)}")
        if a is not None and b is not None:
            found[a], found[b] = b, a
    return found


def _change_bits(
    labels: Labels,
    work: Callable[[Any, Memory, np.dtype[Any]], Callable[[int, int], None]],
    threads: int,
) -> None:
    """Run threads on blocks of the labels' memory, as bits of an unsigned dtype."""
    with in_memory_order(labels) as voxels:
        unsigned = np.dtype(f"u{voxels.itemsize}")
        memory = voxels.__array_interface__["data"][0], voxels.size, 0
        change = work(as_type(unsigned), memory, unsigned)
        blocks = -(-voxels.size // BLOCK)
        run_parts(
            lambda first, stop: change(first * BLOCK, min(stop * BLOCK, memory[1])),
            blocks,
            threads_worth(voxels.size, threads),
            [voxels],
        )


def label_bits(label: int, dtype: np.dtype[Any]) -> int | None:
    """The bits of a label in a dtype; None if it cannot hold it."""
    if dtype.kind in "biu":
        limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not limits[0] <= label <= limits[1]:
            return None
    with np.errstate(over="ignore"):
        value = np.array(label).astype(dtype)
    return int(value.view(f"u{dtype.itemsize}")) if value.item() == label else None
