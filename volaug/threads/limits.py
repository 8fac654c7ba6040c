"""How many threads a call uses."""

import functools
import math
import os
import sys
from pathlib import Path

from .ranks import is_worker, share_of

_requested: int | None = None


def set_num_threads(n: int | None) -> None:
    """Set the number of threads of calls without ``threads=``.

    Parameters
    ----------
    n : int or None
        At least 1; a call never uses more than the machine grants this process. None restores
        ``VOLAUG_NUM_THREADS`` or, without it, the automatic choice: one thread in a worker process
        (a child of `multiprocessing`, a worker of a torch ``DataLoader``); else as many as the
        processor affinity and the cgroup's quota grant, shared with the other ranks of torchrun,
        MPI or Slurm on this machine, and at most ``OMP_NUM_THREADS``.

    Raises
    ------
    TypeError
        If `n` is not an int.
    ValueError
        If `n` is less than 1.

    See Also
    --------
    get_num_threads : Return the number.

    Examples
    --------
    >>> volaug.set_num_threads(1)
    >>> volaug.get_num_threads()
    1
    >>> volaug.set_num_threads(None)
    """
    global _requested
    _requested = None if n is None else as_thread_count(n, "n")


def get_num_threads() -> int:
    """Return the number of threads of calls without ``threads=``.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If ``VOLAUG_NUM_THREADS`` is not a whole number of at least 1.

    See Also
    --------
    set_num_threads : Set the number.

    Examples
    --------
    >>> volaug.get_num_threads() >= 1
    True
    """
    return thread_count(None)


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: argument, `set_num_threads`, environment, automatic."""
    if threads is not None:
        wanted = as_thread_count(threads, "threads")
    elif _requested is not None:
        wanted = _requested
    elif value := os.environ.get("VOLAUG_NUM_THREADS", "").strip():
        wanted = as_thread_count(value, "VOLAUG_NUM_THREADS")
    elif is_worker():
        wanted = 1
    else:
        wanted = share_of(granted_threads())  # and at most OMP_NUM_THREADS, see ranks.py
    return 1 if wanted == 1 else min(wanted, granted_threads())


def as_thread_count(value: object, name: str) -> int:
    """Return a number of threads, or raise an error that names its source."""
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


def granted_threads() -> int:
    """Return the number of processors that the affinity and the cgroup's quota grant."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return max(1, min(processors, _cgroup_limit()))


@functools.cache
def _cgroup_limit(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int:
    """Return the smallest quota, in processors, of this process's cgroups (version 1 or 2)."""
    limits = [sys.maxsize]
    for line in _text(groups).splitlines():  # there are none but on Linux
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not path.startswith("/"):
            continue
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
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return _processors(quota, period)


def _quota_v1(folder: Path) -> int:
    return _processors(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _processors(quota: str, period: str) -> int:
    """Convert a quota of time per period to processors; no limit if either is not positive."""
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError, OverflowError):  # "max", or a file of an odd form
        return sys.maxsize
    return math.ceil(share) if 0.0 < share < sys.maxsize else sys.maxsize


def _text(file: Path) -> str:
    """Return the text of a small file, or nothing if it cannot be read."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except (OSError, ValueError):  # a path with a null character is a ValueError
        return ""
