"""What the table's numbers are, a line for each subject."""

import textwrap
from collections.abc import Sequence

import numba
import numpy as np

from . import report
from .case import BORDER
from .measure import Row
from .reference import LABEL_TOLERANCE, PICTURE_TOLERANCE


def caption(
    rows: Sequence[Row], side: int, statistic: str, spline: float | None, markdown: bool
) -> str:
    """Return the lines that concern these rows.

    `spline` is how far the B-splines of volaug and SimpleITK lie apart, if that was looked at.
    """
    jobs = " / ".join(row.job for row in rows)
    engines = " / ".join(row.engine for row in rows)

    def concerns(*words: str) -> bool:
        return any(word in jobs for word in words)

    lines = [
        f"MNI152 T1 brain in {side} x {side} x {side} voxels: float32, 0 to 255 as uint8, 0 to "
        "4095 as int16. All maps but flip and shift rotate about three axes, stretch, shear and "
        "shift; linear where nothing else is said."
    ]
    if concerns("elastic", "jacobian"):
        lines.append(
            "Elastic: a cubic B-spline of 11 x 11 x 11 control points, and the same affine map, "
            "resampled once."
        )
    if concerns("nearest", "label"):
        lines.append(
            "Nearest, label: uint8; background, grey matter, white matter and other. Label: the "
            "label of the largest linearly interpolated indicator."
        )
    if concerns("patch"):
        lines.append(
            "Patch: label, int16, in half of each side. 4 classes are those tissues; of more, the "
            "brain is cut into cells around voxels drawn at random."
        )
    if concerns("cubic"):
        lines.append("Cubic: B-spline through the voxels; each call makes the coefficients.")
    if concerns("flip", "shift"):
        lines.append("Flip: axis 2, the fastest. Shift: 3, 5 and 7 voxels.")
    if concerns("4 channels"):
        lines.append("4 channels: float32, in one array; Mvoxel/s counts each channel.")
    if concerns("min jacobian"):
        lines.append("Min jacobian: the least determinant of the elastic map over all voxels.")
    lines.append(
        f"ms: the {statistic} of so many calls; the engines take turns in one process. volaug and "
        "scipy write into an array that exists (but volaug.spline_filter), others return a new one."
    )
    if "slabs" in engines:
        lines.append(
            "scipy's C code has one thread; slabs: its output is cut for a pool of threads, as is "
            "its prefilter (float32)."
        )
    if "scipy" in engines and concerns("elastic + affine"):
        lines.append(
            "scipy's B-spline field is made by matrix products, with weights that are ready "
            "before, and its coordinates are float32."
        )
    if "grid given" in engines:
        lines.append("Grid given: making the coordinates is not timed.")
    lines.append(
        "Greatest difference: from a float64 reference, of the range, or the share of voxels with "
        f"another label, over voxels that read at least {BORDER} voxel inside of the volume. An "
        f"error if more than {PICTURE_TOLERANCE:g}, one level of integers, {LABEL_TOLERANCE:.1%} "
        "(label) or 0 (nearest, flip, shift)."
    )
    if spline is not None:
        lines.append(f"The B-splines of volaug and SimpleITK differ by {spline:.0e} voxel at most.")
    lines.append(f"{report.machine()}, numpy {np.__version__}, numba {numba.__version__}.")
    ends = "\n\n" if markdown else "\n"
    return ends.join(textwrap.fill(line, 100) for line in lines)
