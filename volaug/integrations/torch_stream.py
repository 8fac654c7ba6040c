"""Batches of a stream as tensors on a device, uploaded while a network works on earlier ones."""

import threading
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch

from .. import checks
from ..data.progress import Report
from ..data.stream import MAX_COUNT, Stream
from .torch_upload import Batch, Upload, Uploads, as_device, one_of, pinned_empty, size_of

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
FORMATS = (torch.contiguous_format, torch.channels_last_3d)

MEGABYTE = 1e6


class DeviceStream:
    """Batches of a `Stream` as tensors on a CPU or a CUDA device.

    For a CUDA device, the kernels write each batch into pinned memory. A CUDA stream of its own
    copies it while the network works on the batch before, and the current CUDA stream waits for the
    copy alone. No thread is started beside those of the `Stream`. On the CPU, tensors share the
    memory of the batch, without a copy.

    Parameters
    ----------
    stream : Stream
        Makes the batches. Ask only this object for them.
    device : str or torch.device
        "cpu", "cuda" or "cuda:N".
    batches_per_epoch : int, optional
        Number of batches in one pass of a ``for`` loop; the next pass goes on with the next batch.
        Default: a pass gives all batches of the stream.
    dtype : {torch.float16, torch.bfloat16, torch.float32, torch.float64}, optional
        Dtype that images are converted to, on the device. Default: their own. Labels keep theirs.
    memory_format : {torch.contiguous_format, torch.channels_last_3d}, optional
        Memory format of images and labels. Default: contiguous.

    Attributes
    ----------
    stream : Stream
        The stream.
    device : torch.device
        The device, with its number.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of those above, or the device is not there.

    Notes
    -----
    Images and labels of a batch (or each level of a label after a `LabelPyramid`) are tensors
    (B, C, n0, n1, n2). Other values are as the stream gives them. A batch is yours, for as long as
    you keep it: its memory is used again when nobody refers to it, and its copy has ended.

    Use a batch in the CUDA stream that was current when it was given; for another one, call
    ``record_stream`` as for any tensor. The device holds the batch in use and up to two more.

    Examples
    --------
    >>> cases = [{"image": np.ones((16, 18, 20), np.float32)}] * 3
    >>> stream = volaug.Stream(cases, volaug.Compose([]), patch_shape=8, batch_size=2, seed=1)
    >>> with DeviceStream(stream, "cpu", batches_per_epoch=2, dtype=torch.bfloat16) as batches:
    ...     for batch in batches:
    ...         print(batch["image"].shape, batch["image"].dtype)
    torch.Size([2, 1, 8, 8, 8]) torch.bfloat16
    torch.Size([2, 1, 8, 8, 8]) torch.bfloat16
    """

    def __init__(
        self,
        stream: Stream,
        device: str | torch.device,
        *,
        batches_per_epoch: int | None = None,
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        if not isinstance(stream, Stream):
            raise TypeError(f"stream must be a volaug.Stream, got {type(stream).__name__}")
        self.stream = stream
        self.device = as_device(device)
        if batches_per_epoch is not None:
            checks.as_whole("batches_per_epoch", batches_per_epoch, 1, MAX_COUNT)
        self._per_epoch = batches_per_epoch
        self._dtype = one_of("dtype", dtype, (None, *DTYPES))
        self._format = one_of("memory_format", memory_format, FORMATS)
        self._kinds = stream.kinds
        self._turn = threading.RLock()
        self._uploads = Uploads(self.device) if self.device.type == "cuda" else None
        if self._uploads is not None:
            stream.allocate_with(pinned_empty)
            # pinned memory must not be freed while the device reads it
            weakref.finalize(self, self._uploads.finish).atexit = False
        self._host: Batch | None = None  # taken from the stream, and not uploaded yet
        self._ahead: deque[Upload] = deque()  # at most one
        self._left: int | None = None  # batches of this pass; None before the first
        self._is_resumed = True  # whether the next pass ends where the stream's epoch does

    def __iter__(self) -> "DeviceStream":
        """Start a pass."""
        if self._per_epoch is not None:
            begun = self.batches % self._per_epoch if self._is_resumed else 0
            self._left = self._per_epoch - begun
        self._is_resumed = False
        return self

    def __next__(self) -> Batch:
        with self._turn:
            if self._per_epoch is not None and self._left is None:
                iter(self)
            if self._left == 0:
                raise StopIteration
            if self._uploads is None:
                batch = self._tensors(next(self.stream))
            else:
                batch = self._uploaded(self._uploads)
            if self._left is not None:
                self._left -= 1
            return batch

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return len(self.stream) + self._taken if self._per_epoch is None else self._per_epoch

    def __enter__(self) -> "DeviceStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def batches(self) -> int:
        """Number of batches given so far, of this process."""
        return self.stream.batches - self._taken

    def close(self) -> None:
        """End the stream, and wait for the copy that is under way."""
        self.stream.close()
        self._forget()

    def report(self) -> Report:
        """Return the counts and times of the stream so far.

        Returns
        -------
        Report
            As `Stream.report`. A batch counts when its copy starts.
        """
        return self.stream.report()

    def set_epoch(self, epoch: int) -> None:
        """Go to the first batch of an epoch, as the next one that is given.

        Epochs follow one another without it. Some loops call it before each of them, and some to
        resume a run.

        Parameters
        ----------
        epoch : int
            Number of an epoch of `batches_per_epoch`, from 0.

        Raises
        ------
        TypeError, ValueError
            If `epoch` is not such a number, or there is no `batches_per_epoch`.
        """
        if self._per_epoch is None:
            raise TypeError("set_epoch needs the number of batches of an epoch: batches_per_epoch=")
        first = checks.as_whole("epoch", epoch, 0, MAX_COUNT) * self._per_epoch
        state = self.state_dict()
        if state["batches"] != first:
            self.load_state_dict({**state, "batches": first})

    def state_dict(self) -> dict[str, Any]:
        """Return where the consumer stands, which a batch that is uploaded ahead does not change.

        Returns
        -------
        dict
            As `Stream.state_dict`.
        """
        with self._turn:
            state = self.stream.state_dict()
            return {**state, "batches": state["batches"] - self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the batches that were given; the next pass has what is left of its epoch.

        Parameters
        ----------
        state : dict
            What `state_dict` of this class or of `Stream` returned.

        Raises
        ------
        TypeError, ValueError
            As `Stream.load_state_dict`.
        """
        self.stream.load_state_dict(state)
        self._forget()
        self._left, self._is_resumed = None, True

    @property
    def _taken(self) -> int:
        """Number of batches that were taken from the stream, and not given yet."""
        return len(self._ahead) + (self._host is not None)

    def _forget(self) -> None:
        """Drop what was taken from the stream."""
        self._host = None
        self._ahead.clear()
        if self._uploads is not None:
            self._uploads.finish()

    def _tensors(self, batch: Batch) -> Batch:
        """Return a batch with its volumes as tensors on the device."""
        return {
            name: self._tensor(name, value) if name in self._kinds else value
            for name, value in batch.items()
        }

    def _tensor(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._tensor(name, level) for level in value]
        tensor = torch.from_numpy(value)
        dtype = self._dtype if self._kinds[name] == "image" else None
        # `to` lets go of the GIL, also where it does nothing, and then waits for it: 0.07 ms a call
        if self.device.type != "cpu":
            tensor = tensor.to(self.device, non_blocking=True)
        if dtype or self._format != torch.contiguous_format:
            tensor = tensor.to(dtype=dtype or tensor.dtype, memory_format=self._format)
        return tensor

    def _uploaded(self, uploads: "Uploads") -> Batch:
        """Return the next batch on the device, and upload the one after it if it is made."""
        uploads.release()
        if not self._ahead:
            self._upload(uploads)
        upload = self._ahead.popleft()
        if self.stream.next_is_ready:
            with suppress(torch.cuda.OutOfMemoryError):  # there may be room after this batch
                self._upload(uploads)
        return uploads.handed_over(upload)

    def _upload(self, uploads: "Uploads") -> None:
        """Take a batch from the stream, and start to copy it."""
        if self._host is None:
            self._host = next(self.stream)
        host = self._host
        try:
            self._ahead.append(uploads.start(host, self._tensors))
        except (
            torch.cuda.OutOfMemoryError
        ) as error:  # it is kept, so that the consumer can try again
            raise torch.cuda.OutOfMemoryError(
                f"a batch of {size_of(host) / MEGABYTE:.0f} MB has no room on {self.device}: use a "
                f"smaller batch_size or patch_shape ({str(error).splitlines()[0]})"
            ) from None
        self._host = None
