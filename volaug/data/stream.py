"""The generator: endless batches of augmented patches, made while a network works on others."""

import os
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
from ..threads.limits import thread_count
from ..threads.ranks import Shard, as_shard, torch_rank, torch_worker
from ..threads.workers import Workers, holding
from ..transforms.ranges import as_number
from .batches import Batch, collated
from .cases import Given
from .prefetch import Dropped, Pending
from .progress import Progress, Report
from .samples import SampleMaker

MAX_COUNT = 2**31
MAX_WORKERS = 2**10

# Batches between the passes of a loader over a stream without an end.
ENDLESS = 2**32


class Stream:
    """Batches of patches that are augmented on the fly, in threads of this process.

    Parameters
    ----------
    cases : sequence of mappings, or of functions that return them
        From the names of the pipeline's targets to arrays, paths or what is sliced like an array;
        see `Case`. All of the same dtypes (but see `dtype`) and channels, of any shape.
    pipeline : Compose
        What is done to each patch, which its spatial steps may read beyond.
    patch_shape : int or (3,) ints
    batch_size : int
    seed : int
        Of all draws, in place of the pipeline's own.
    threads : int, optional
        Number of samples made in parallel, one thread each; `get_num_threads` by default.
    prefetch : int
        So many batches are made ahead, and no more.
    foreground : float
        This share of each batch, its last samples, are patches around a voxel of the label over 0:
        first the class is drawn, and then the voxel, as in nnU-Net. All channels of the label are
        looked at; channel 0 of a one-hot label is background. It has no effect without a label.
    samples_per_case : int
        How often an epoch has each case. The order is another one in each epoch.
    epochs : int, optional
        How many; without end by default. What does not fill a batch at the end is left out.
    first_batch : int
        To go on where another stream has stopped: its `batches`.
    dtype : float16, float32 or float64, optional
        What all images are converted to when they are read. Labels keep their integer type. By
        default images keep their dtype, which must be the same in all cases.
    on_batch : function of the stream, optional
        Called after each batch: for a progress bar, say.
    shard : (int, int), optional
        ``(i, n)``: this stream makes every n-th batch, beginning with batch i, and n such streams
        make all of them. Batches that are not enough for all n are left out. By default a rank of
        ``torch.distributed`` (or torchrun) is a shard, and each worker of a torch ``DataLoader``
        makes its part of the rank's batches. Each pass of such a loader goes on where the one
        before would have ended.

    Attributes
    ----------
    batches : int
        How many this stream has given, with `first_batch`.

    Raises
    ------
    TypeError, ValueError
        Saying what was wanted and what was given.
    CaseError
        If a case cannot be read or augmented: of the first case at once, of others where a batch
        with it is asked for, and then the stream is closed. It says which case, which file and
        what is wrong.

    Notes
    -----
    Several threads may ask for batches: each batch is given once, in their order.

    A batch is a dict: of each image and label an array (B, C, n0, n1, n2), or a list of these, from
    fine to coarse, after a `LabelPyramid`; of points, boxes, "spacing" and "affine" a list; and
    "record", a list of what was drawn. It belongs to the consumer.

    The same seed, epoch and sample are the same bits, for any number of threads, whatever was drawn
    before: a sample's key is ``(seed, epoch, case * samples_per_case + which of them)``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> cases = [{"image": rng.random((40, 44, 48), np.float32)} for _ in range(3)]
    >>> with Stream(cases, Compose([]), patch_shape=32, batch_size=2, seed=1) as stream:
    ...     next(stream)["image"].shape
    (2, 1, 32, 32, 32)
    """

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
        # By torch worker, how many passes of a DataLoader it has begun. Workers are started anew
        # for each, and know nothing of those before.
        self._passes = RawArray(c_int64, MAX_WORKERS)
        self._maker = SampleMaker(cases, pipeline, patch_shape, seed, samples_per_case, dtype)
        samples = None if self._epochs is None else self._epochs * self._maker.epoch_size
        if samples is not None and samples < self._batch_size:
            raise ValueError(
                f"epochs must make one batch at least, got {samples} samples in {self._epochs} "
                f"epochs for batches of {self._batch_size}"
            )
        self._start_afresh()

    def _start_afresh(self) -> None:
        """Forget what is under way: at the beginning, and in a child that was forked."""
        self._workers = Workers("volaug-stream")
        # a stream that is dropped waits for nothing
        self._on_drop = weakref.finalize(self, self._workers.stop, False)
        self._on_drop.atexit = False
        self._turn = threading.RLock()  # of the consumers
        self._pending: deque[Pending] = deque()
        self._submitted: int | None = None  # none has begun
        self._worker = Shard(0, 1)
        self._last: int | None = None
        self._skipped = 0
        self._closed = False
        self._progress = Progress()
        _live.add(self)

    def __len__(self) -> int:
        """How many batches are left."""
        known = dict(vars(self))  # one step
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
        """All but what is under way."""
        under_way = ("_workers", "_on_drop", "_turn", "_pending", "_progress")
        # copies, since threads are at work
        state = {name: value for name, value in dict(vars(self)).items() if name not in under_way}
        if get_spawning_popen() is None:  # else a child is started, which shares the memory
            del state["_passes"]
        return state | {"_rank": self._found_rank()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({"_passes": RawArray(c_int64, MAX_WORKERS), **state})
        self._start_afresh()

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
            vars(self).update(self._plan())  # one step
            if torch_worker() is not None and self._worker.number < MAX_WORKERS:
                self._passes[self._worker.number] += 1
        if self._closed or (self._last is not None and self.batches >= self._last):
            raise StopIteration
        start = self._progress.start()
        ahead = self._pending  # another thread that closes the stream puts a new one there
        self._submit(ahead)
        pending = ahead[0]
        samples = pending.samples(self._workers, self._threads)
        ahead.popleft()
        batch = collated(pending.slots, samples)
        with suppress(Dropped):  # closed meanwhile: this batch is made, and given
            self._submit(ahead)
        self._progress.add(start, len(samples), pending.seconds)
        self.batches += 1
        return batch

    def close(self) -> None:
        """Stop; what has begun is finished, all else is dropped. A closed stream is at its end."""
        try:
            self._stop()
        finally:  # for an exception that came before all had ended, see workers.py
            self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._pending = deque()
        self._workers.stop()

    def report(self) -> Report:
        """What was done so far, and what took how long."""
        return self._progress.report(self.batches)

    def _plan(self) -> dict[str, Any]:
        """Which batches are made here; found the first time that it is asked in this process."""
        rank, worker = self._found_rank(), torch_worker() or Shard(0, 1)
        of_rank, last = ENDLESS, None
        if self._epochs is not None:
            of_rank = self._epochs * self._maker.epoch_size // self._batch_size // rank.total
            last = -(-(of_rank - worker.number) // worker.total)
        # those of the rank that were given before are not given again by its workers
        begun = -(-(self.batches - worker.number) // worker.total)
        passes = 0
        if torch_worker() is not None and worker.number < MAX_WORKERS:
            passes = self._passes[worker.number]
        return {
            "_rank": rank, "_worker": worker, "_last": last, "_skipped": passes * of_rank,
            "batches": 0 if passes else begun, "_submitted": 0 if passes else begun,
        }  # fmt: skip

    def _found_rank(self) -> Shard:
        """The shard of the rank: in a spawned worker, the one that was found before."""
        found = self._given_shard or torch_rank()
        return found if found.total > 1 else self._rank

    def _submit(self, ahead: deque[Pending]) -> None:
        """Let so many batches be under way."""
        assert self._submitted is not None
        while len(ahead) < self._prefetch and self._submitted != self._last:
            if self._closed:
                raise Dropped
            of_rank = self._submitted * self._worker.total + self._worker.number + self._skipped
            first = (of_rank * self._rank.total + self._rank.number) * self._batch_size
            slots = self._maker.spec.slots(self._batch_size)
            pending = Pending(slots, self._batch_size)
            self._workers.start(self._threads)
            ahead.append(pending)
            self._submitted += 1
            pending.begin(self._workers, self._maker, first, self._first_forced)


_live: "weakref.WeakSet[Stream]" = weakref.WeakSet()


def _start_all_afresh() -> None:
    """The parent's threads do not exist in a forked child, which may hold locks of theirs."""
    for stream in list(_live):
        stream._on_drop.detach()
        stream._start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_all_afresh)
