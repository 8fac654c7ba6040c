"""Compare the speed of two builds: ``python -m benchmarks.gate [BEFORE] [AFTER]``.

Exit status 1: a job takes over 15 % longer, and so does its whole confidence interval.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .builds import ROOT, Builds, build_of, last_landed
from .jobs import JOBS
from .large import LARGE_JOBS
from .statistics import LIMIT, Comparison, Round, compare_all, slower, table

ROUNDS = 12
TURNS = 3


def measured(
    builds: Builds,
    jobs: Sequence[str] = tuple(JOBS),
    rounds: int = ROUNDS,
    limit: float = LIMIT,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, list[Round]]:
    """Time two builds in alternation; what is unclear then, as many rounds again."""
    builds.round(jobs, turns=1)  # compiles
    times: dict[str, list[Round]] = {}
    for wanted in range(2):
        for number in range(rounds):
            report(f"round {number + 1 + wanted * rounds}: {len(jobs)} jobs")
            for job, turns in builds.round(jobs, TURNS).items():
                times.setdefault(job, []).append(turns)
        verdicts = compare_all(times)
        jobs = [job for job in jobs if job in times and verdicts[job].verdict(limit) == "unclear"]
        if not jobs:
            break
    return times


def report_of(comparisons: dict[str, Comparison], limit: float) -> str:
    """Return the table, and what it comes to."""
    lines = [table(comparisons, limit), ""]
    if worse := slower(comparisons, limit):
        lines.append(f"slower by over {100 * (limit - 1):.0f} %: {', '.join(worse)}")
    else:
        lines.append(f"nothing is slower by over {100 * (limit - 1):.0f} %")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and return 1 if something is slower."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "before", nargs="?", help="folder of a checkout, or commit; default: the last landed"
    )
    parser.add_argument(
        "after", nargs="?", default=str(ROOT), help="the same; default: this checkout"
    )
    every = [*JOBS, *LARGE_JOBS]
    parser.add_argument("--jobs", nargs="+", choices=every, default=list(JOBS), metavar="JOB")
    parser.add_argument(
        "--large",
        action="store_const",
        dest="jobs",
        const=list(LARGE_JOBS),
        help="jobs with two threads: warps of 256^3, other steps of 128^3",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="pairs of processes")
    parser.add_argument("--limit", type=float, default=LIMIT, help="times as long that is too slow")
    parser.add_argument("--json", type=Path, help="file for the times")
    options = parser.parse_args(argv)
    before = options.before or last_landed()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "before").mkdir()
        (work / "after").mkdir()
        builds = Builds(
            build_of(before, work / "before"), build_of(options.after, work / "after"), work
        )
        print(f"before: {before}\nafter:  {options.after}\n", flush=True)
        times = measured(
            builds,
            options.jobs,
            options.rounds,
            options.limit,
            lambda line: print(line, file=sys.stderr),
        )
    if options.json:
        options.json.write_text(json.dumps(times))
    comparisons = compare_all(times)
    print(report_of(comparisons, options.limit))
    return bool(slower(comparisons, options.limit))


if __name__ == "__main__":
    sys.exit(main())
