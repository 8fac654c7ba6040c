"""A stream in the worker process of a DataLoader."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from ..data.stream import Stream


class StreamDataset(IterableDataset[dict[str, Any]]):  # type: ignore[misc, unused-ignore]
    """The batches of a `Stream` for a `DataLoader`, made in its worker processes.

    Give it to a `DataLoader` with ``batch_size=None``. One worker is enough, as it has all threads
    of the stream. The batches are the same for any number of workers.

    Parameters
    ----------
    stream : Stream
        Makes the batches. Say `threads`: the default is one in a worker and all of them elsewhere,
        where the stream is made.

    Raises
    ------
    TypeError
        If it is not a `Stream`.

    Examples
    --------
    >>> cases = [{"image": np.ones((16, 18, 20), np.float32)}] * 3
    >>> stream = volaug.Stream(
    ...     cases, volaug.Compose([]), patch_shape=8, batch_size=2, seed=1, epochs=4, threads=2
    ... )
    >>> loader = torch.utils.data.DataLoader(StreamDataset(stream), batch_size=None)
    >>> [batch["image"].shape[0] for batch in loader]
    [2, 2, 2, 2, 2, 2]
    """

    def __init__(self, stream: Stream) -> None:
        if not isinstance(stream, Stream):
            raise TypeError(f"stream must be a volaug.Stream, got {type(stream).__name__}")
        self.stream = stream

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the batches, with images and labels as tensors."""
        if get_worker_info() is not None:
            self.stream.allocate_with(shared_empty)
        kinds = self.stream.kinds
        for batch in self.stream:
            yield {n: as_tensors(v) if n in kinds else v for n, v in batch.items()}


def shared_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return an array in shared memory, with arbitrary values.

    A worker sends it to the main process without a copy.
    """
    like = torch.from_numpy(np.empty(0, dtype)).dtype
    shared: np.ndarray[Any, Any] = torch.empty(shape, dtype=like).share_memory_().numpy()
    return shared


def as_tensors(value: Any) -> Any:
    """Return an array, or the levels of a label, as tensors in the same memory."""
    if isinstance(value, list):
        return [as_tensors(level) for level in value]
    # the tensor that the array was made of knows that its memory is shared
    made_of = value.base
    return made_of if isinstance(made_of, torch.Tensor) else torch.from_numpy(value)
