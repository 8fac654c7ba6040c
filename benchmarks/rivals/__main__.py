"""Command line of the comparison."""

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from volaug import warmup
from volaug.threads.limits import granted_threads

from ..problem import control_points
from . import page, record, report
from .caption import caption
from .engines.by_simpleitk import spline_difference
from .jobs import JOBS
from .measure import STATISTICS, DifferentResultError, Row, measure
from .record import Run

QUICK = 0.2
SPLINE_TOLERANCE = 1e-4  # voxels
MIN_SPACING = 32  # of which half a side has room for 300 classes

# What a report also measures for other sides, and for other numbers of threads.
SWEPT = ("affine", "elastic + affine")
SIDES = (64, 128)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line, or stop with what is wrong with it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rivals",
        description="volaug beside the libraries that are installed: scipy, SimpleITK, torch, "
        "MONAI, TorchIO, batchgeneratorsv2, nnU-Net, torchtransform, AlbumentationsX, albucore, "
        "DIPY, ANTs (antspyx), DALI (nvidia-dali-cuda130), affine-rs, volresample, scikit-image.",
    )
    parser.add_argument("--jobs", help="names, separated by commas; all without it")
    parser.add_argument("--list", action="store_true", help="name the jobs, and stop")
    parser.add_argument("--side", type=int, default=256, help="of the cube, in voxels (256)")
    parser.add_argument("--threads", type=int, default=2, help="of every engine (2)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the repeats")
    parser.add_argument(
        "--statistic", choices=STATISTICS, default="best", help="of warps that are given (best)"
    )
    parser.add_argument("--markdown", action="store_true", help="a table for GitHub")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="write a record (JSON) there, and a page with pictures of all records in it; "
        "warps are measured for more sides and threads, too",
    )
    options = parser.parse_args(argv)
    options.jobs = [name.strip() for name in (options.jobs or ",".join(JOBS)).split(",")]
    unknown = [name for name in options.jobs if name not in JOBS]
    if unknown:
        parser.error(f"--jobs must be of {', '.join(JOBS)}; got {', '.join(unknown)}")
    if options.side < MIN_SPACING:
        parser.error(f"--side must be at least {MIN_SPACING}, got {options.side}")
    if not 1 <= options.threads <= granted_threads():
        parser.error(
            f"--threads must be 1 to {granted_threads()}, which this process is granted, "
            f"got {options.threads}"
        )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Check, measure and print; 1 if the engines do not agree on the result."""
    options = arguments(argv)
    if options.report:
        options.report.mkdir(parents=True, exist_ok=True)
    if options.list:
        print("\n".join(JOBS))
        return 0
    spline = None
    try:
        if "elastic + affine" in options.jobs and importlib.util.find_spec("SimpleITK"):
            spline = same_spline(options.side)
        runs = [run_of(options.jobs, options.side, options.threads, options)]
        for side, threads in swept(options) if options.report else ():
            names = [name for name in SWEPT if name in options.jobs]
            runs.append(run_of(names, side, threads, options))
    except DifferentResultError as error:
        print(f"benchmarks.rivals: {error}", file=sys.stderr)
        return 1
    rows = runs[0].rows
    print(report.table(rows, options.markdown))
    print()
    print(caption(rows, options.side, spline, options.markdown))
    if options.report:
        said = sys.argv[1:] if argv is None else argv
        words = caption(rows, options.side, spline, markdown=True)
        print(record.write(record.record_of(runs, said, words), options.report))
        print(page.write_page(options.report))
    return 0


def swept(options: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """Yield the other sides and numbers of threads of a report."""
    for side in SIDES:
        if side < options.side:
            yield side, options.threads
    threads = options.threads // 2
    while threads:
        yield options.side, threads
        threads //= 2


def run_of(names: Sequence[str], side: int, threads: int, options: argparse.Namespace) -> Run:
    """Measure some jobs."""
    rows: list[Row] = []
    for name in names:
        rows += measured(name, side, threads, options)
    return Run(side, threads, rows)


def measured(name: str, side: int, threads: int, options: argparse.Namespace) -> list[Row]:
    """Return the rows of a job."""
    job = JOBS[name]
    problem = job.problem(side, threads)
    effort = QUICK if options.quick else 1.0
    statistic = job.statistic or options.statistic
    if statistic == "mean":  # which would count a call that compiles
        warmup(("float32", "int16", "uint8"))
    return measure(name, problem, list(job.contenders(problem)), effort, statistic)


def same_spline(side: int) -> float:
    """Return how far SimpleITK's displacement lies from volaug's, if that is near enough."""
    difference = spline_difference(control_points(), side)
    if not difference <= SPLINE_TOLERANCE:  # `not <=`: NaN is a difference too
        raise DifferentResultError(
            f"volaug's B-spline lies {difference:.2g} voxels from SimpleITK's, "
            f"more than {SPLINE_TOLERANCE:g}"
        )
    return difference


if __name__ == "__main__":
    sys.exit(main())
