"""The threads that share out the tiles of a warp.

Kernels are serial and release the GIL; the calling thread and helpers from a small pool take
ranges of tiles until none is left. The pool is made anew in a forked child, whose parent's
threads do not exist there.
"""

import functools
import itertools
import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Ranges of tiles a thread; more even out what the threads get, fewer cost less.
PARTS_PER_THREAD = 8

# Below this many voxels the calling thread is done before another has begun.
VOXELS_WORTH_A_THREAD = 2**15

_requested: int | None = None
_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def set_num_threads(n: int | None) -> None:
    """Set how many threads a call uses that does not say so itself.

    Parameters
    ----------
    n : int or None
        At least 1; never more are used than the machine grants this process. None goes back
        to ``VOLAUG_NUM_THREADS`` or, without it, to the automatic choice: one thread in a
        worker process (a child of `multiprocessing`, a torch ``DataLoader`` worker), else as
        many as the processor affinity and the cgroup's quota grant.
    """
    global _requested
    _requested = None if n is None else as_thread_count(n, "n")


def get_num_threads() -> int:
    """How many threads a call uses that does not say so itself."""
    return thread_count(None)


def thread_count(threads: int | None) -> int:
    """How many threads to use: argument, `set_num_threads`, environment, automatic."""
    if threads is not None:
        wanted = as_thread_count(threads, "threads")
    elif _requested is not None:
        wanted = _requested
    elif "VOLAUG_NUM_THREADS" in os.environ:
        wanted = as_thread_count(os.environ["VOLAUG_NUM_THREADS"], "VOLAUG_NUM_THREADS")
    elif _is_worker():
        wanted = 1
    else:
        wanted = granted_threads()
    return 1 if wanted == 1 else min(wanted, granted_threads())


def as_thread_count(value: object, name: str) -> int:
    """A number of threads, or an error that names where it came from."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    try:
        if isinstance(value, bool | str):
            raise TypeError
        count = value.__index__()  # type: ignore[attr-defined]
    except (TypeError, AttributeError):
        raise TypeError(f"{name} must be a whole number of at least 1, got {value!r}") from None
    if count < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {count}")
    return int(count)


def threads_worth(voxels: int, threads: int) -> int:
    """`threads`, or one where there is too little to share."""
    return 1 if voxels < VOXELS_WORTH_A_THREAD else threads


def run_parts(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """Call ``work(first, stop)`` on ranges that make up ``range(count)``, in `threads` threads.

    Returns when all is done. An exception of `work` is raised here, after the others stopped.
    """
    if threads == 1 or count == 1:
        work(0, count)
        return
    parts = min(count, PARTS_PER_THREAD * threads)
    edges = [count * part // parts for part in range(parts + 1)]
    ranges = iter(list(itertools.pairwise(edges)))  # `next` on it is atomic

    def take() -> None:
        for first, stop in ranges:
            work(first, stop)

    pool = _shared_pool()
    helpers = [pool.submit(take) for _ in range(min(threads, parts) - 1)]
    try:
        take()
    finally:
        for _ in ranges:  # after an error, leave nothing to the helpers
            pass
        running = [helper for helper in helpers if not helper.cancel()]
        errors = [helper.exception() for helper in running]
    for error in errors:
        if error is not None:
            raise error


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _pool_lock:
        if _pool is None:
            # as many as are granted: several callers at once share the helpers, and each of
            # them works itself, so that none waits for another
            _pool = ThreadPoolExecutor(granted_threads(), thread_name_prefix="volaug")
        return _pool


def _forget_pool() -> None:
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _is_worker() -> bool:
    """Whether this process works beside others for a parent: a child of multiprocessing."""
    if multiprocessing.parent_process() is not None or multiprocessing.current_process().daemon:
        return True
    torch_data = sys.modules.get("torch.utils.data")
    return torch_data is not None and torch_data.get_worker_info() is not None


def granted_threads() -> int:
    """Processors that this process may use: its affinity, and at most its cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return max(1, min(processors, _cgroup_limit()))


@functools.cache
def _cgroup_limit(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int:
    """The least quota, in processors, of this process's cgroups (version 1 or 2) and theirs."""
    limits = [sys.maxsize]
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # not Linux
        return limits[0]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, read = root, _quota_v2
        elif "cpu" in controllers.split(","):
            mount, read = root / "cpu", _quota_v1
        else:
            continue
        folder = mount / path.lstrip("/")
        for ancestor in (folder, *folder.parents):
            if ancestor.is_relative_to(mount):
                limits.append(read(ancestor))
    return min(limits)


def _quota_v2(folder: Path) -> int:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except OSError:
        return sys.maxsize
    return sys.maxsize if quota == "max" else math.ceil(int(quota) / int(period))


def _quota_v1(folder: Path) -> int:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except OSError:
        return sys.maxsize
    return sys.maxsize if quota <= 0 else math.ceil(quota / period)
