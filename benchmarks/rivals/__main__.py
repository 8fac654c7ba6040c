"""Command line of the comparison."""

import argparse
import importlib.util
import sys
import textwrap
from collections.abc import Sequence

import numba
import numpy as np

from volaug.threads import granted_threads

from ..problem import brain, control_points, pull_matrix
from . import report
from .case import BORDER, Case
from .engines import contenders
from .measure import PICTURE_TOLERANCE, DifferentPictureError, Row, measure, spline_difference

QUICK = 0.2


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line, or stop with what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("--side", type=int, default=256, help="of the cube, in voxels (256)")
    parser.add_argument("--threads", type=int, default=2, help="of every engine (2)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the repeats")
    parser.add_argument("--statistic", choices=report.STATISTICS, default="best")
    parser.add_argument("--markdown", action="store_true", help="a table for GitHub")
    options = parser.parse_args(argv)
    if options.side < 16:
        parser.error(f"--side must be at least 16, got {options.side}")
    if not 1 <= options.threads <= granted_threads():
        parser.error(
            f"--threads must be 1 to {granted_threads()}, which this process is granted, "
            f"got {options.threads}"
        )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Check, measure and print; 1 if the engines do not agree on the picture."""
    options = arguments(argv)
    side, threads = options.side, options.threads
    volume, matrix, points = brain(side), pull_matrix(side), control_points()
    cases = [
        Case("affine", volume, matrix, None, threads),
        Case("elastic + affine", volume, matrix, points, threads),
    ]
    rows: list[Row] = []
    try:
        spline = spline_difference(points, side) if importlib.util.find_spec("SimpleITK") else None
        for case in cases:
            rows += measure(case, list(contenders(case)), QUICK if options.quick else 1.0)
    except DifferentPictureError as error:
        print(f"benchmarks.rivals: {error}", file=sys.stderr)
        return 1
    print(report.table(rows, volume.size, options.statistic, options.markdown))
    print()
    print(caption(rows, options, spline))
    return 0


def caption(rows: Sequence[Row], options: argparse.Namespace, spline: float | None) -> str:
    """Return what the table's numbers are, a line for each subject."""
    side = options.side
    present = {row.contender.engine for row in rows}
    lines = [
        f"MNI152 T1 brain, float32, {side} x {side} x {side} voxels, trilinear. Affine: rotation "
        "about three axes, stretch, shear and shift. Elastic + affine: a cubic B-spline of "
        "11 x 11 x 11 control points with the same affine map, resampled once.",
        f"ms: the {options.statistic} of so many calls; the engines take turns in one process.",
        "volaug and scipy write into an array that exists. scipy's C code has one thread: with "
        "more, its output is cut into slabs for a pool of them. Its B-spline field is made by "
        "matrix products, with weights that are ready before, and its coordinates are float32.",
    ]
    if "SimpleITK" in present or "torch" in present:
        lines.append('SimpleITK and torch return a new array, as "volaug, new array" does.')
    if "torch (grid given)" in present:
        lines.append("Grid given: torch has no B-spline; making the coordinates is not timed.")
    lines.append(
        "Greatest difference: from a float64 reference, of the range, on voxels that read at "
        f"least {BORDER} voxel inside of the volume; more than {PICTURE_TOLERANCE:g} is an error."
    )
    if spline is not None:
        lines.append(f"The B-splines of volaug and SimpleITK differ by {spline:.0e} voxel at most.")
    lines.append(f"{report.machine()}, numpy {np.__version__}, numba {numba.__version__}.")
    ends = "\n\n" if options.markdown else "\n"
    return ends.join(textwrap.fill(line, 100) for line in lines)


if __name__ == "__main__":
    sys.exit(main())
