"""`volaug augment` on Dask workers of one thread, which run on this machine.

``python -m benchmarks.cluster`` augments the same brains by one worker and by two, in alternation,
prints seconds and their ratio, and whether the files are those of a run without a scheduler.
"""

import argparse
import hashlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .files import PIPELINE, run, write_brains

PATIENCE = 60.0  # seconds for a process to say that it is ready


@contextmanager
def process(folder: Path, module: str, *options: str) -> Iterator[Path]:
    """Run a module until the end of the block; yield the file with what it says."""
    log = folder / f"{module}-{time.time_ns()}.log"
    with (
        open(log, "w") as stream,
        subprocess.Popen(
            [sys.executable, "-m", module, *options], stdout=stream, stderr=stream
        ) as started,
    ):
        try:
            yield log
        finally:
            started.kill()


def said(log: Path, pattern: str) -> str:
    """Wait until a process has said something, and return the last group of it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text()):
            return found[found.re.groups]
        time.sleep(0.1)
    raise SystemExit(f"a process of Dask is not ready after {PATIENCE:.0f} s:\n{log.read_text()}")


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """Run a scheduler and workers of one thread; yield the scheduler's address."""
    with ExitStack() as stack:
        local = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        log = stack.enter_context(process(folder, "distributed.cli.dask_scheduler", *local))
        address = said(log, r"Scheduler at:\s+(tcp://\S+)")
        options = (address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        for _ in range(workers):
            worker = process(folder, "distributed.cli.dask_worker", *options)
            said(stack.enter_context(worker), "Registered to")
        yield address


def digests(folder: Path) -> dict[str, str]:
    """The checksum of each volume."""
    found = folder.rglob("*.nii.gz")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def main() -> None:
    """Measure, and print a line for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brains", type=int, default=10)
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_brains(folder / "in", given.brains)
        (folder / "pipeline.toml").write_text(PIPELINE)
        command = [sys.executable, "-m", "volaug", "augment", str(folder / "in")]
        options = ["--pipeline", str(folder / "pipeline.toml"), "--copies", str(given.copies)]
        run([*command, str(folder / "alone"), *options])
        expected, same = digests(folder / "alone"), True
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for number in range(given.rounds):
            for workers, taken in seconds.items():
                out = folder / f"{number} {workers}"
                with cluster(folder, workers) as address:
                    warm = folder / f"warm {number} {workers}"
                    run([*command, str(warm), *options[:2], "--scheduler", address])
                    taken.append(run([*command, str(out), *options, "--scheduler", address])[0])
                same = same and digests(out) == expected
    for workers, taken in seconds.items():
        each = 1e3 * statistics.median(taken) / (given.brains * given.copies)
        print(f"{workers} worker{'s' * (workers > 1)}: {each:.0f} ms a copy (image and label)")
    ratio = statistics.median(one / two for one, two in zip(*seconds.values(), strict=True))
    print(f"two workers are {ratio:.2f} times as fast as one; the same files: {same}")


if __name__ == "__main__":
    main()
