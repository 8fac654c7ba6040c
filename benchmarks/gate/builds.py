"""Builds of volaug, and processes of them that are timed in turns."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]

# The jobs of this checkout, with the volaug of another.
CODE = """
import sys
names, build, root = sys.argv[1].split("|"), sys.argv[2], sys.argv[3]
sys.path.insert(0, build)
import volaug
assert volaug.__file__.startswith(build), volaug.__file__
sys.path[0] = root
from benchmarks.gate.jobs import serve
serve(names, sys.stdin, sys.stdout)
"""

# One thread of each library: what volaug uses, the jobs say.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def git(*arguments: str) -> bytes:
    """Return what git prints about this checkout."""
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], check=True, stdout=subprocess.PIPE
    ).stdout


def last_landed() -> str:
    """Return the commit that a change is compared with.

    That of ``origin/main``; where this is it, or there is none, the one before.
    """
    head = git("rev-parse", "HEAD")
    known = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", "origin/main"],
        stdout=subprocess.PIPE,
    ).stdout
    if known and known != head:
        return "origin/main"
    return "HEAD~1"


def build_of(what: str, folder: Path) -> Path:
    """Return a folder with the package: `what` if it is one, else the commit of that name."""
    if (Path(what) / "volaug").is_dir():
        return Path(what).resolve()
    try:
        packed = git("archive", what, "volaug")
    except subprocess.CalledProcessError:
        raise SystemExit(
            f"{what!r} is neither a folder with volaug in it nor a commit of this checkout"
        ) from None
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder.resolve()


class Process:
    """A process of one build. It does jobs on request."""

    def __init__(self, build: Path, cache: Path, names: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", CODE, "|".join(names), str(build), str(ROOT)],
            env=os.environ | ONE_THREAD | {"NUMBA_CACHE_DIR": str(cache)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def jobs(self) -> list[str]:
        """Wait until it is ready, and return the jobs that it can do."""
        names: list[str] = json.loads(self._answer())
        return names

    def seconds(self, job: str) -> float:
        """Let it do a job some times, and return the shortest time."""
        assert self._process.stdin is not None
        print(job, file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a measured process ended with status {self._process.wait()}")
        return line

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        with self._process:  # closes its pipes and waits
            pass


class Builds:
    """Two builds. Their kernels are kept in `work`, each build's in a folder of its own there."""

    def __init__(self, before: Path, after: Path, work: Path) -> None:
        self._builds, self._cache = (before, after), work / "kernels"

    def round(self, names: Sequence[str], turns: int) -> dict[str, list[tuple[float, float]]]:
        """Start a process of each, let them take turns at each job, and return the seconds."""
        times: dict[str, list[tuple[float, float]]] = {}
        with ExitStack() as stack:
            pair = [
                stack.enter_context(Process(build, self._cache, names)) for build in self._builds
            ]
            before, after = (process.jobs() for process in pair)
            if lost := set(before) - set(after):
                raise SystemExit(f"the second build cannot do {', '.join(sorted(lost))}")
            for job in before:
                times[job] = [self._turn(pair, job, first=turn % 2) for turn in range(turns)]
        return times

    def _turn(self, pair: Sequence[Process], job: str, first: int) -> tuple[float, float]:
        """Let both do a job, one after the other."""
        seconds = [0.0, 0.0]
        for number in (first, 1 - first):
            seconds[number] = pair[number].seconds(job)
        return seconds[0], seconds[1]
