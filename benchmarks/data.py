"""Batches for a training loop, and what it takes to read a patch from a file."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import volaug
from volaug.data.files.opening import open_volume

from .measured import _Measured, _Operation
from .problem import SEED, Array, as_integers, head, labels
from .samples import random_pipeline

CASES, SIDE, PATCH = 4, 128, 64
BATCH_SIZE, BATCHES = 2, 12


class Batches(_Measured):
    """`Stream`: patches of cases in memory, with one warp each; samples are made in threads."""

    params = ([1, 2],)
    param_names = ("threads",)

    def setup(self, threads: int) -> None:
        self.cases = [
            {"image": np.roll(head(SIDE), k, axis=0), "label": labels(SIDE).astype(np.int16)}
            for k in range(CASES)
        ]
        self.seconds_of(1, threads)  # loads the kernels

    def seconds_of(self, count: int, threads: int) -> float:
        """Return how long a stream takes for batches after its first."""
        pipeline = random_pipeline(PATCH)
        with volaug.Stream(
            self.cases,
            pipeline,
            patch_shape=PATCH,
            batch_size=BATCH_SIZE,
            seed=SEED,
            threads=threads,
        ) as stream:
            next(stream)
            start = time.perf_counter()
            for _ in range(count):
                next(stream)
            return time.perf_counter() - start

    def track_samples(self, threads: int) -> float:
        best = min(self.seconds_of(BATCHES, threads) for _ in range(3))
        return round(BATCHES * BATCH_SIZE / best, 1)

    track_samples.unit = "samples/s"  # type: ignore[attr-defined]


def write_npy(path: Path, volume: Array) -> None:
    """Write with NumPy."""
    np.save(path, volume)


def write_by_nibabel(path: Path, volume: Array) -> None:
    """Write what the suffix says, with nibabel."""
    import nibabel

    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)


FORMATS: dict[str, Callable[[Path, Array], None]] = {
    ".npy": write_npy,
    ".nii": write_by_nibabel,
    ".nii.gz": write_by_nibabel,
}


class Files(_Operation):
    """Open a volume of int16 and read a patch from its middle; the file is in the page cache."""

    params = (list(FORMATS),)
    param_names = ("format",)

    def prepare(self, suffix: str) -> Array:
        self.path = Path(f"volume{suffix}").absolute()  # in the folder of the run
        if not self.path.exists():
            FORMATS[suffix](self.path, as_integers(head(SIDE), "int16"))
        middle = slice((SIDE - PATCH) // 2, (SIDE + PATCH) // 2)
        self.patch = (..., middle, middle, middle)
        return as_integers(head(PATCH), "int16")

    def call(self) -> None:
        self.read = np.asarray(open_volume(self.path)[self.patch])
