"""Whether the gate can be believed: ``python -m benchmarks.gate.trials``.

It compares this checkout with a copy whose kernels take 30 % longer, and must find that. Then it
compares the checkout with itself, ten times, and must find nothing.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .__main__ import ROUNDS, measured
from .builds import ROOT, Builds
from .jobs import JOBS
from .statistics import Comparison, compare_all, slower, table

NULL_RUNS = 10
WITHOUT_KERNELS = {"draw"}

# Appended to the module whose function every kernel is called through.
SLOWDOWN = """

import time as _time

_run_parts = run_parts


def run_parts(*arguments, **options):
    start = _time.process_time()
    _run_parts(*arguments, **options)
    end = _time.process_time() + {slowdown} * (_time.process_time() - start)
    while _time.process_time() < end:
        pass
"""


def slowed_copy(folder: Path, slowdown: float = 0.3) -> Path:
    """Return a copy of this checkout's package whose kernels take so much longer."""
    shutil.copytree(ROOT / "volaug", folder / "volaug")
    with open(folder / "volaug" / "threads" / "parts.py", "a") as module:
        module.write(SLOWDOWN.format(slowdown=slowdown))
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Do the trials, print their tables, and return 1 if the gate was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate.trials",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS), metavar="JOB")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="pairs of processes")
    parser.add_argument("--null-runs", type=int, default=NULL_RUNS, help="of the same twice")
    parser.add_argument("--json", type=Path, help="file for the times of all runs")
    options = parser.parse_args(argv)
    recorded = []
    wrong = []

    def run(name: str, builds: Builds) -> dict[str, Comparison]:
        times = measured(builds, options.jobs, options.rounds)
        recorded.append({"run": name, "times": times})
        if options.json:  # after each, as they take long
            options.json.write_text(json.dumps(recorded))
        comparisons = compare_all(times)
        print(f"{name}\n{table(comparisons)}\n", flush=True)
        return comparisons

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        planted = run("planted", Builds(ROOT, slowed_copy(work / "slowed"), work))
        missed = set(options.jobs) - WITHOUT_KERNELS - set(slower(planted))
        wrong += [f"missed: {job}" for job in sorted(missed)]
        for number in range(1, options.null_runs + 1):
            null = run(f"null {number}", Builds(ROOT, ROOT, work))
            wrong += [f"null {number}, found: {job}" for job in slower(null)]
    print("\n".join(wrong) or "the gate found what was planted, and nothing else")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
