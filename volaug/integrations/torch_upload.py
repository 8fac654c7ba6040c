"""Copies of batches to a CUDA device, by a CUDA stream of their own."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from ..serialization import shown

Batch = dict[str, Any]


class Upload(NamedTuple):
    """A batch on its way to the device."""

    batch: Batch
    done: Any  # torch.cuda.Event


class Uploads:
    """The copies to a device that are under way.

    Parameters
    ----------
    device : torch.device
        A CUDA device with its number.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side = torch.cuda.Stream(device)
        # what is copied, which must not be written to or freed before
        self._under_way: deque[tuple[Any, Batch]] = deque()

    def start(self, batch: Batch, to_device: Callable[[Batch], Batch]) -> Upload:
        """Start to copy a batch from pinned memory.

        Parameters
        ----------
        to_device : callable
            Returns a batch whose tensors are on the device.
        """
        with torch.cuda.stream(self._side):
            tensors = to_device(batch)
            done = torch.cuda.Event()
            done.record(self._side)
        self._under_way.append((done, batch))
        return Upload(tensors, done)

    def handed_over(self, upload: Upload) -> Batch:
        """Return a batch for use in the current CUDA stream, which waits for its copy."""
        current = torch.cuda.current_stream(self._device)
        current.wait_event(upload.done)
        for value in upload.batch.values():
            for tensor in tensors_of(value):
                # its memory belongs to the side stream, which would use it again as soon as the
                # tensor is gone, and not when the work on it is done
                tensor.record_stream(current)
        return upload.batch

    def release(self) -> None:
        """Let go of batches that are copied."""
        while self._under_way and self._under_way[0][0].query():
            self._under_way.popleft()

    def finish(self) -> None:
        """Wait for all copies, also for those of a batch that had no room."""
        self._side.synchronize()
        self._under_way.clear()


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a value: itself, or the levels of a label."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, torch.Tensor):
            yield each


def pinned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return an array in pinned memory, with arbitrary values.

    torch keeps pinned memory that is freed, and gives it out again.
    """
    like = torch.from_numpy(np.empty(0, dtype)).dtype
    pinned: np.ndarray[Any, Any] = torch.empty(shape, dtype=like, pin_memory=True).numpy()
    return pinned


def as_device(device: Any) -> torch.device:
    """Return a device with its number, or raise an error if it is none of ours or not there."""
    wanted = 'device must be "cpu", "cuda" or "cuda:N"'
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):  # torch lists all devices that it has ever known
        raise ValueError(f"{wanted}, got {shown(device)}") from None
    if found.type == "cpu":
        return torch.device("cpu")
    if found.type != "cuda":
        raise ValueError(f"{wanted}, got {shown(str(found))}")
    if not torch.cuda.is_available():
        raise ValueError(f"{wanted}, got {str(found)!r}, but torch finds no CUDA device here")
    number = torch.cuda.current_device() if found.index is None else found.index
    count = torch.cuda.device_count()
    if number >= count:
        raise ValueError(f"{wanted} with N from 0 to {count - 1}, got {str(found)!r}")
    return torch.device("cuda", number)


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """Return a value that is one of some choices, or raise an error."""
    if not any(value is choice for choice in choices):
        listed = ", ".join(map(str, choices))
        raise ValueError(f"{name} must be one of {listed}, got {shown(value)}")
    return value


def size_of(batch: Batch) -> int:
    """Return the bytes of the arrays of a batch."""
    arrays = [
        each for value in batch.values() for each in (value if isinstance(value, list) else [value])
    ]
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
