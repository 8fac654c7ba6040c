"""Streams: batches of augmented patches, made while a network works on earlier ones."""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from ctypes import c_int64
from multiprocessing.context import get_spawning_popen
from multiprocessing.sharedctypes import RawArray
from typing import Any

import numpy.typing as npt

from .. import checks
from ..pipeline.compose import Compose
from ..threads.forks import start_afresh_in_children
from ..threads.limits import thread_count
from ..threads.ranks import Shard, as_shard, torch_rank, torch_worker
from ..threads.workers import Workers, holding
from ..transforms.ranges import as_number
from .batches import Batch, Slots
from .cases import Given
from .prefetch import Dropped, Pending
from .progress import Progress, Report
from .resuming import Resumable
from .samples import SampleMaker

MAX_COUNT = 2**31
MAX_WORKERS = 2**10

# Without `epochs`, each pass of a DataLoader begins this many batches after the last.
ENDLESS = 2**32


class Stream(Resumable):
    """Batches of patches, augmented on the fly in threads of this process.

    Parameters
    ----------
    cases : sequence of mappings, or of functions that return them
        Keys: targets of the pipeline, "spacing", "affine", "foreground". Values: arrays, paths, or
        what is sliced like an array. Shapes may differ; channels and (see `dtype`) dtypes must not.
    pipeline : Compose
        Applied to each patch; its spatial steps can read outside of the patch.
    patch_shape : int or (3,) ints
        Shape of a patch, without channels.
    batch_size : int
        Patches per batch.
    seed : int
        Seed of all draws, in place of the pipeline's own.
    threads : int, optional
        Number of samples made in parallel, one thread each. Default: `get_num_threads()`.
    prefetch : int, default 2
        Number of batches made ahead.
    foreground : float, default 0.33
        Share of each batch (its last samples) with patches around a voxel of the foreground: label
        over 0, or as the case says ((N, 3) ints by class). First the class is drawn, as in nnU-Net.
    samples_per_case : int, default 1
        Samples of each case in an epoch; each epoch has its own order.
    epochs : int, optional
        Number of epochs; an incomplete last batch is dropped. Default: endless.
    first_batch : int, default 0
        Batch to resume at: the `batches` of a stream that has stopped, see `state_dict`.
    dtype : {float16, float32, float64}, optional
        Dtype that images are converted to. Default: their own, which all cases must share.
    on_batch : callable, optional
        Called with the stream after each batch, for a progress bar.
    shard : (int, int), optional
        ``(i, n)``: make every n-th batch, from batch i. The n streams make all batches, each the
        same number. Default: the rank of ``torch.distributed`` or torchrun. Workers of a torch
        ``DataLoader`` share these batches; each pass of the loader begins where the last would have
        ended.
    cache_bytes : int, default 0
        Bytes of memory for cases that are read, those used last, whole and decompressed. Without,
        each sample reads its part of the file.
    optional : list of str, default ()
        Images and labels that cases may lack: they are 0 there, and bools (B,) in the batch, such
        as ``batch["label_present"]``, say which samples have them.

    Attributes
    ----------
    batches : int
        Number of batches given so far, with `first_batch`.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or is out of range, or `epochs` are too few for a batch.
    CaseError
        If a case cannot be read or augmented. The first case raises at once, others when their
        batch is asked for; then the stream ends.

    See Also
    --------
    Compose : Augments one sample.

    Notes
    -----
    A batch is a dict. Images and labels are arrays (B, C, n0, n1, n2); after a `LabelPyramid`,
    labels are lists of such arrays, from fine to coarse. Points, boxes, "spacing", "affine" and
    "record" are lists of one value per sample. A batch is yours: the stream never writes to it
    again. Several threads can ask for batches; each batch is given once. Samples have the key
    ``(seed, epoch, case * samples_per_case + number)``.

    Examples
    --------
    >>> cases = [{"image": np.ones((16, 18, 20), np.float32)}] * 3
    >>> stream = volaug.Stream(cases, volaug.Compose([]), patch_shape=8, batch_size=2, seed=1)
    >>> with stream:
    ...     next(stream)["image"].shape
    (2, 1, 8, 8, 8)
    """

    _on_drop: "weakref.finalize[..., Stream] | None" = None

    def __init__(
        self,
        cases: Sequence[Given],
        pipeline: Compose,
        *,
        patch_shape: int | Sequence[int],
        batch_size: int,
        seed: int,
        threads: int | None = None,
        prefetch: int = 2,
        foreground: float = 0.33,
        samples_per_case: int = 1,
        epochs: int | None = None,
        first_batch: int = 0,
        dtype: npt.DTypeLike | None = None,
        on_batch: Callable[["Stream"], None] | None = None,
        shard: tuple[int, int] | None = None,
        cache_bytes: int = 0,
        optional: Sequence[str] = (),
    ) -> None:
        if on_batch is not None and not callable(on_batch):
            raise TypeError(f"on_batch must be a function of the stream, got {on_batch!r}")
        self._batch_size = checks.as_whole("batch_size", batch_size, 1, MAX_COUNT)
        self._threads = thread_count(threads)
        self._prefetch = checks.as_whole("prefetch", prefetch, 1, MAX_COUNT)
        share = 1.0 - as_number("foreground", foreground, 0.0, 1.0)
        self._first_forced = round(self._batch_size * share)  # as nnU-Net rounds
        self._epochs = None if epochs is None else checks.as_whole("epochs", epochs, 1, MAX_COUNT)
        self._given_shard = None if shard is None else as_shard(shard)
        self._rank = self._given_shard or torch_rank()
        self.batches = checks.as_whole("first_batch", first_batch, 0, 2**62)
        self._on_batch = on_batch
        # How many passes of a DataLoader each of its workers has begun. The memory is shared by
        # processes, since workers are started anew for each pass.
        self._passes = RawArray(c_int64, MAX_WORKERS)
        self._maker = SampleMaker(
            cases, pipeline, patch_shape, seed, samples_per_case, dtype, cache_bytes, optional
        )
        samples = None if self._epochs is None else self._epochs * self._maker.epoch_size
        if samples is not None and samples < self._batch_size:
            raise ValueError(
                f"epochs must make one batch at least, got {samples} samples in {self._epochs} "
                f"epochs for batches of {self._batch_size}"
            )
        self.start_afresh()

    def start_afresh(self) -> None:
        """Set up with nothing under way: at the start, after `close`, and in a forked child."""
        if self._on_drop is not None:
            self._on_drop.detach()
        self._workers = Workers("volaug-stream")
        # a stream that is garbage collected does not wait for its workers
        self._on_drop = weakref.finalize(self, self._workers.stop, False)
        self._on_drop.atexit = False
        self._turn = threading.RLock()  # one consumer at a time
        self._pending: deque[Pending] = deque()
        self._submitted: int | None = None  # None until the first request
        self._worker = Shard(0, 1)
        self._last: int | None = None
        self._skipped = 0
        self._closed = False
        self._progress = Progress()
        start_afresh_in_children(self)

    def __len__(self) -> int:
        """Return the number of batches left."""
        known = dict(vars(self))  # in one step, as other threads change it
        if known["_submitted"] is None:
            known |= self._plan()
        if known["_last"] is None:
            raise TypeError("a stream without `epochs` has no length")
        return max(0, int(known["_last"] - known["batches"]))

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what is under way."""
        under_way = ("_workers", "_on_drop", "_turn", "_pending", "_progress")
        state = {k: v for k, v in dict(vars(self)).items() if k not in under_way}  # of a copy
        if get_spawning_popen() is None:  # only a child that is being started can share it
            del state["_passes"]
        return state | {"_rank": self._found_rank()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({"_passes": RawArray(c_int64, MAX_WORKERS), **state})
        self.start_afresh()

    def __next__(self) -> Batch:
        try:
            batch: Batch = holding(self._turn, self._made_batch)
            if self._on_batch is not None:
                self._on_batch(self)
            return batch
        except Dropped:  # another thread has closed the stream
            raise StopIteration from None
        except BaseException:  # the end, and Ctrl-C as well
            self.close()
            raise

    def _made_batch(self) -> Batch:
        if self._submitted is None:
            vars(self).update(self._plan())  # in one step
            if torch_worker() is not None and self._worker.number < MAX_WORKERS:
                self._passes[self._worker.number] += 1
        if self._closed or (self._last is not None and self.batches >= self._last):
            raise StopIteration
        start = self._progress.start()
        ahead = self._pending  # `close` in another thread puts a new one there
        self._submit(ahead)
        pending = ahead[0]
        samples = pending.samples(self._workers, self._threads)
        ahead.popleft()
        batch = pending.slots.batch(samples)
        with suppress(Dropped):  # closed meanwhile: this batch is still given
            self._submit(ahead)
        self._progress.add(start, len(samples), pending.seconds)
        self.batches += 1
        return batch

    def close(self) -> None:
        """End the stream: samples under way are finished, others are dropped."""
        try:
            self._stop()
        finally:  # again, if an exception came before the end: see workers.py
            self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._pending = deque()
        self._workers.stop()

    def report(self) -> Report:
        """Return counts and times so far.

        Returns
        -------
        Report
            Times of the stages of a sample and of waiting; what bounds the speed, and advice.
        """
        return self._progress.report(self.batches, self._threads)

    def _plan(self) -> dict[str, Any]:
        """Return which batches this process makes; called at its first request."""
        rank, worker = self._found_rank(), torch_worker() or Shard(0, 1)
        of_rank, last = ENDLESS, None
        if self._epochs is not None:
            of_rank = self._epochs * self._maker.epoch_size // self._batch_size // rank.total
            last = -(-(of_rank - worker.number) // worker.total)
        # the rank has given its first `self.batches`; count those that are this worker's
        begun = -(-(self.batches - worker.number) // worker.total)
        passes = 0
        if torch_worker() is not None and worker.number < MAX_WORKERS:
            passes = self._passes[worker.number]
        return {
            "_rank": rank, "_worker": worker, "_last": last, "_skipped": passes * of_rank,
            "batches": 0 if passes else begun, "_submitted": 0 if passes else begun,
        }  # fmt: skip

    def _found_rank(self) -> Shard:
        """Return the shard of this rank; a spawned worker has that of its parent."""
        found = self._given_shard or torch_rank()
        return found if found.total > 1 else self._rank

    def _submit(self, ahead: deque[Pending]) -> None:
        """Start batches until `prefetch` are under way."""
        assert self._submitted is not None
        while len(ahead) < self._prefetch and self._submitted != self._last:
            if self._closed:
                raise Dropped
            of_rank = self._submitted * self._worker.total + self._worker.number + self._skipped
            first = (of_rank * self._rank.total + self._rank.number) * self._batch_size
            volumes = self._maker.spec.slots(self._batch_size, self._empty)
            pending = Pending(Slots(volumes, self._batch_size, self._empty), self._batch_size)
            self._workers.start(self._threads)
            ahead.append(pending)
            self._submitted += 1
            pending.begin(self._workers, self._maker, first, self._first_forced)
