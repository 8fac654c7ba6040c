"""The memory of a stream of files: `cache_bytes`, its batches, and little else."""

import os
import subprocess
import sys

import nibabel
import numpy as np
import pytest

# In a process of its own: the memory that others have freed stays with a process.
CODE = """
import sys
import numpy as np
import psutil
import volaug

folder, suffix = sys.argv[1:3]
cases, side, patch, batch_size, prefetch, threads, cached = map(int, sys.argv[3:])
case_bytes = side**3 * 4
pipeline = volaug.Compose([volaug.RandomAffine(p=1.0), volaug.RandomNoise(p=1.0)])


def stream(count, cache_bytes):
    given = [{"image": f"{folder}/{number}{suffix}"} for number in range(count)]
    return volaug.Stream(
        given, pipeline, patch_shape=patch, batch_size=batch_size, seed=1, threads=threads,
        prefetch=prefetch, cache_bytes=cache_bytes, foreground=0.0,
    )


with stream(2, 0) as warm:  # libraries, kernels, and what decompression itself takes
    for _ in range(3):
        next(warm)
process = psutil.Process()
with stream(cases, cached * case_bytes) as made:
    del warm
    before, most = process.memory_info().rss, 0
    for _ in range(4 * cases):
        batch = next(made)
        most = max(most, process.memory_info().rss)
    print(most - before)
"""

CASES, SIDE, PATCH, BATCH_SIZE, PREFETCH, THREADS, CACHED = 8, 128, 64, 2, 2, 2, 3

# glibc keeps memory of freed arrays up to 32 MB; with this it returns it, as that of larger ones.
RETURNED = {"MALLOC_MMAP_THRESHOLD_": "131072"}


@pytest.mark.parametrize(
    ("suffix", "twice"),
    # Python's gzip holds what it decompresses twice
    [(".npy", 0), (".nii.gz", THREADS)],
)
@pytest.mark.oracle("psutil")
@pytest.mark.slow
def test_memory_is_that_of_the_cache_and_the_batches(suffix, twice, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(CASES):
        voxels = rng.integers(0, 50, (SIDE,) * 3).astype(np.float32)
        if suffix == ".npy":
            np.save(tmp_path / f"{number}.npy", voxels)
        else:
            nibabel.Nifti1Image(voxels, np.eye(4)).to_filename(tmp_path / f"{number}.nii.gz")
    numbers = (CASES, SIDE, PATCH, BATCH_SIZE, PREFETCH, THREADS, CACHED)
    command = [sys.executable, "-c", CODE, str(tmp_path), suffix, *map(str, numbers)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, check=True, env=os.environ | RETURNED
    )
    case = SIDE**3 * 4
    batches = (PREFETCH + 2) * BATCH_SIZE * PATCH**3 * 4  # and the one before, until it is replaced
    most = 1.05 * (CACHED * case + batches) + twice * case
    assert CACHED * case / 2 < int(done.stdout) < most
