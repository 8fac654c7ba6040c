"""What a stream offers to those who carry its batches on, such as to a GPU."""

from collections import deque
from contextlib import suppress

import numpy as np

from .batches import Empty
from .prefetch import Pending
from .samples import SampleMaker


class Feeding:
    """Methods of a stream; the attributes are those of the stream."""

    _maker: SampleMaker
    _pending: deque[Pending]
    _empty: Empty = np.empty  # a built-in, so that it does not become a method

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each volume of a batch by its name: "image" or "label"."""
        return {name: form.kind for name, form in self._maker.spec.volumes.items()}

    @property
    def next_is_ready(self) -> bool:
        """Whether the next batch is made, so that nobody has to wait for it."""
        with suppress(IndexError):  # there is none, or it was given to another thread
            return self._pending[0].has_all_samples
        return False

    def allocate_with(self, empty: Empty) -> None:
        """Let a function make the arrays of batches, from the next that is started on.

        Parameters
        ----------
        empty : callable
            Takes a shape and a dtype and returns an array, as `np.empty` does. The stream writes
            into the array once, and then gives it away with its batch.
        """
        self._empty = empty
