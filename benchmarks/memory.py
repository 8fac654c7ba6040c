"""Memory that a call takes beside its output."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

import volaug

from .measured import THREADS, _Measured
from .problem import head, labels
from .samples import random_pipeline, sampling
from .warps import elastic_warp, warp_of

SIDE = 128


def _apply(kind: str, interpolation: Any = "linear") -> Callable[[], Any]:
    volume = labels(SIDE) if interpolation == "label" else head(SIDE)
    warp = warp_of(kind, SIDE)
    return lambda: warp.apply(volume, interpolation=interpolation, threads=THREADS)


def _together() -> Callable[[], Any]:
    volumes, warp = {"image": head(SIDE), "label": labels(SIDE)}, elastic_warp(SIDE)
    how: Any = {"label": "label"}
    return lambda: warp.apply_all(volumes, interpolation=how, threads=THREADS)


def _sample() -> Callable[[], Any]:
    sample = sampling(random_pipeline(SIDE), image=head(SIDE), label=labels(SIDE))
    return lambda: dict(sample())


CALLS: dict[str, Callable[[], Callable[[], Any]]] = {
    "affine": lambda: _apply("affine"),
    "elastic": lambda: _apply("elastic"),
    "cubic": lambda: _apply("affine", "cubic"),
    "label": lambda: _apply("affine", "label"),
    "image and label": _together,
    "spline filter": lambda: lambda: volaug.spline_filter(head(SIDE), threads=THREADS),
    "resized": lambda: lambda: volaug.resample(head(SIDE), (SIDE // 2,) * 3, threads=THREADS),
    "random warp": _sample,
}


def bytes_beside_output(call: Callable[[], Any]) -> int:
    """Return the most that NumPy and Python hold during a call, less what it returns.

    Of the workers' threads too. What LLVM and the threads' stacks hold is not counted.
    """
    call()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    outputs = result.values() if isinstance(result, dict) else [result]
    return peak - start - sum(each.nbytes for each in outputs if isinstance(each, np.ndarray))


class BesideTheOutput(_Measured):
    """Bytes that a call allocates beside its output, of 8 MB of float32 and 2 MB of labels."""

    params = (list(CALLS),)
    param_names = ("call",)

    def setup(self, name: str) -> None:
        self.call = CALLS[name]()
        self.call()

    def track_kilobytes(self, name: str) -> float:
        return round(bytes_beside_output(self.call) / 1024, 1)

    track_kilobytes.unit = "KiB"  # type: ignore[attr-defined]


class Process(_Measured):
    """The most that a process holds, with and without a warp of 256^3 into a new array."""

    side = 256

    def setup(self) -> None:
        self.volume, self.warp = head(self.side), elastic_warp(self.side)
        # a small one: a result made here would count in `peakmem_reference` too
        elastic_warp(SIDE // 2).apply(head(SIDE // 2), threads=THREADS)

    def peakmem_reference(self) -> None:
        """Do nothing: what Python, the compiler and `setup` hold, to take from the next one."""

    def peakmem_new_output(self) -> None:
        self.warp.apply(self.volume, threads=THREADS)
