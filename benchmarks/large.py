"""A volume larger than memory: `volaug augment --memory` beside the same in memory.

``python -m benchmarks.large 1024 --memory 1GiB`` makes a volume of int16 on the disk, warps it in
alternation in both ways, each in a process of its own, and prints seconds, the maximum of anonymous
memory (``RssAnon``), and whether the files are the same.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from volaug.data.files.scans import sha256_of

PIPELINE = """
format = "volaug.pipeline"
version = 1
swap = []
transforms = [
  { type = "RandomAffine", degrees = 15.0, p = 1.0 },
  { type = "RandomElastic", max_displacement = 10.0, p = 1.0 },
]
"""

# Seconds between two looks at the memory of the processes.
PAUSE = 0.01


class Run(NamedTuple):
    """One run of the command: seconds, bytes of anonymous memory at most, and the result."""

    seconds: float
    memory: int
    sha256: str


def make_volume(path: Path, size: int) -> None:
    """Write a volume, plane by plane."""
    voxels = np.lib.format.open_memmap(path, "w+", np.int16, (size, size, size))
    for plane in range(size):
        noise = np.random.default_rng(plane).integers(0, 200, (size, size), np.int16)
        voxels[plane] = noise + np.int16(10 * (plane % 64))
    voxels.flush()


def augmented(scan: Path, folder: Path, memory: str | None) -> Run:
    """Augment a volume in a process, and watch its memory."""
    command = [sys.executable, "-m", "volaug", "augment", str(scan), str(folder)]
    command += ["--pipeline", str(scan.parent / "pipeline.toml")]
    command += [] if memory is None else ["--memory", memory]
    start, most = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, anonymous_memory(process.pid))
            time.sleep(PAUSE)
    if process.returncode:
        raise SystemExit(process.returncode)
    seconds = time.perf_counter() - start
    (found,) = folder.glob("*.npy")
    digest = sha256_of(found)
    found.unlink()
    return Run(seconds, most, digest)


def anonymous_memory(process: int) -> int:
    """Bytes of memory of a process that belong to no file; 0 after its end."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", text)
    return 1024 * int(found[1]) if found else 0


def main() -> None:
    """Measure, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int, nargs="?", default=512)
    parser.add_argument("--memory", default="1GiB")
    parser.add_argument("--folder", type=Path, help="where the disk has room for four volumes")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        (folder / "pipeline.toml").write_text(PIPELINE)
        make_volume(folder / "scan.npy", given.size)
        runs: dict[str | None, list[Run]] = {None: [], given.memory: []}
        for number in range(given.rounds):
            for memory, found in runs.items():
                target = folder / f"{number} {memory}"
                found.append(augmented(folder / "scan.npy", target, memory))
    for memory, found in runs.items():
        seconds = statistics.median(run.seconds for run in found)
        most = max(run.memory for run in found)
        print(f"{given.size}^3, memory {memory}: {seconds:.1f} s, {most / 2**20:.0f} MiB anonymous")
    print("same:", len({run.sha256 for found in runs.values() for run in found}) == 1)


if __name__ == "__main__":
    main()
