"""What the table's numbers are, a line for each subject."""

import textwrap
from collections.abc import Callable, Sequence

import numba
import numpy as np

from ..problem import DEEP_SUPERVISION, DEGREES, KNOTS, LOADED, MAX_LENGTH, SCALE, SLOPE
from . import changes, report
from .case import BORDER
from .contender import KEYS
from .measure import Row
from .problems import BATCH_SIZE
from .reference import LABEL_TOLERANCE, PICTURE_TOLERANCE, TISSUE_TOLERANCE


def caption(rows: Sequence[Row], side: int, spline: float | None, markdown: bool) -> str:
    """Return the lines that concern these rows.

    `spline` is how far the B-splines of volaug and SimpleITK lie apart, if that was looked at.
    """
    jobs = " / ".join(row.job for row in rows)
    engines = " / ".join(row.engine for row in rows)

    def concerns(*words: str) -> bool:
        return any(word in jobs for word in words)

    lines = [
        f"MNI152 T1 brain in {side} x {side} x {side} voxels: float32, 0 to 255 as uint8, 0 to "
        "4095 as int16. All maps but flip, shift and those that are drawn rotate about three axes, "
        "stretch, shear and shift; linear where nothing else is said."
    ]
    if concerns("elastic", "jacobian"):
        lines.append(
            "Elastic: a cubic B-spline of 11 x 11 x 11 control points, and the same affine map, "
            "resampled once."
        )
    if concerns("nearest", "label"):
        lines.append(
            "Nearest, label: uint8; background, gray matter, white matter and other. Label: the "
            "label of the largest linearly interpolated indicator."
        )
    if concerns("classes"):
        lines.append(
            "Patch: label, int16, in half of each side. 4 classes are those tissues; of more, the "
            "brain is cut into cells around voxels drawn at random."
        )
    if concerns("cubic"):
        lines.append("Cubic: B-spline through the voxels; each call makes the coefficients.")
    if concerns("flip", "shift float32", "shift uint8"):
        lines.append("Flip: axis 2, the fastest. Shift: 3, 5 and 7 voxels.")
    if concerns("4 channels"):
        lines.append("4 channels: float32, in one array; Mvoxel/s counts each channel.")
    if concerns("min jacobian"):
        lines.append("Min jacobian: the least determinant of the elastic map over all voxels.")
    if concerns("pipeline", "overhead", "crop"):
        lines += drawn_lines(side // 2, concerns)
    if concerns("brightness", "gamma", "blur"):
        lines.append(changes_line(side // 2))
    if concerns("nnU-Net"):
        lines.append(training_line(side // 2))
    if concerns("loader"):
        lines.append(loading_line(side // 2))
    if concerns("adapters"):
        lines.append("Adapters: the pipeline's samples, by volaug in the form of other libraries.")
    lines.append(
        f"ms: {statistics(rows)}; the engines take turns in one process. volaug, scipy and "
        "slabs write into an array that exists (but volaug.spline_filter, and where maps are "
        "drawn), others return a new one."
    )
    if "slabs" in engines:
        lines.append(
            "Within a volume, scipy, DIPY and DALI have one thread; slabs: the output is cut for a "
            "pool of threads, as is scipy's prefilter (float32)."
        )
    if "scipy" in engines and concerns("elastic + affine"):
        lines.append(
            "scipy's B-spline field is made by matrix products, with weights that are ready "
            "before, and its coordinates are float32."
        )
    if "grid given" in engines or "field given" in engines:
        lines.append("Grid given, field given: making coordinates or displacements is not timed.")
    lines.append(
        "Greatest difference: from a float64 reference, of the range, or the share of voxels with "
        f"another label, over voxels that read at least {BORDER} voxel inside of the volume. An "
        f"error if more than {PICTURE_TOLERANCE:g}, one level of integers, {LABEL_TOLERANCE:.1%} "
        "(label) or 0 (nearest, flip, shift). Pipeline: how far the mean of a tissue is from what "
        f"it was, of the range; an error if more than {TISSUE_TOLERANCE:g}."
    )
    if spline is not None:
        lines.append(f"The B-splines of volaug and SimpleITK differ by {spline:.0e} voxel at most.")
    lines.append(f"{report.machine()}, numpy {np.__version__}, numba {numba.__version__}.")
    ends = "\n\n" if markdown else "\n"
    return ends.join(textwrap.fill(line, 100) for line in lines)


def changes_line(side: int) -> str:
    """Return the line on changes of values."""
    return (
        f"Brightness to bias field: float32, {side} x {side} x {side} voxels, one thread; in place "
        "but for scipy, MONAI and TorchIO, each time the same picture, after two such calls that "
        f"are not timed. Brightness and contrast by {changes.FACTOR:g}; gamma "
        f"{changes.EXPONENT:g}, retaining mean and deviation; blur of {changes.SIGMA:g} voxels, "
        f"cut at {changes.TRUNCATE:g} sigmas; low resolution keeps {changes.SCALE:g} of the voxels "
        "along each axis. MONAI's curve is of straight lines, and TorchIO's field a polynomial of "
        "order 3."
    )


def training_line(side: int) -> str:
    """Return the line on nnU-Net's pipeline."""
    return (
        f"nnU-Net: a patch of {side}^3 out of {LOADED * side:.0f}^3, image and label of 4 classes, "
        f"int16, with labels in {len(DEEP_SUPERVISION)} resolutions; {KEYS} keys, one thread. Its "
        "own transforms are those of its trainer; presets.nnunet_elastic has shear and elastic "
        "deformation too."
    )


def loading_line(side: int) -> str:
    """Return the line on loaders."""
    return (
        f"Loader: 20 batches of {BATCH_SIZE} patches of {side}^3, image and label, from eight "
        "brains in memory, while nothing else is done; what was made ahead does not count. "
        "volaug: presets.nnunet_elastic, in threads of one process; its samples alone were drawn "
        "before. nnU-Net's loader: its default transforms, in as many processes, as its trainer "
        "makes it. "
        f"Dataloader: torch's, a pass of 8 batches of {BATCH_SIZE} in worker processes, of the "
        f"random pipelines above, {side}^3."
    )


def statistics(rows: Sequence[Row]) -> str:
    """Return which statistic of the calls is shown, of which jobs."""
    jobs: dict[str, dict[str, None]] = {}
    for row in rows:
        jobs.setdefault(row.statistic, {})[row.job] = None
    (first, _), *others = jobs.items()
    parts = [f"for {' and '.join(names)}, the {statistic}" for statistic, names in others]
    return "; ".join([f"the {first} of so many calls", *parts])


def drawn_lines(side: int, concerns: Callable[..., bool]) -> list[str]:
    """Return the lines on pictures of `side` voxels whose map each call draws for itself."""
    low, high = SCALE
    lines = [
        f"Pipeline, overhead, crop: each call draws another map, for {side} x {side} x {side} "
        f"voxels, in one thread: flips, each axis in half of the calls; rotation by up to "
        f"{DEGREES:g} degrees about each axis, stretching by {low:g} to {high:g}, shears by up to "
        f"{SLOPE:g}; and, but for crop affine, an elastic displacement: {KNOTS} control points "
        f"along each axis that move by up to {MAX_LENGTH * side:.3g} voxels."
    ]
    if concerns("pipeline"):
        lines += [
            "Pipeline: image, float32, and labels, int16, of 4 classes. Each engine draws by its "
            "own rule, so that the pictures are not the same, but they are moved as far; TorchIO, "
            "batchgeneratorsv2 and AlbumentationsX have no shear. Labels: by the largest "
            "interpolated indicator (volaug, batchgeneratorsv2) where nothing else is said; those "
            "of others are nearest.",
            "torchtransform: a B-spline of as many control points, normally distributed with the "
            "same deviation, which it evaluates at every fourth voxel; linear in between. "
            "AlbumentationsX: resampled twice; B-splines of two axes at a time, as strong as it "
            "takes them, which is half as far.",
            "MONAI: without meta data, in float32, with its affine grid cached. Two transforms "
            "resample twice; Rand3DElasticd alone has the affine ranges as well. Its noise is "
            "smoothed as in its own examples; as smooth as the B-spline it would take longer.",
            "TorchIO: the same B-spline, copy=False. batchgeneratorsv2: smoothed noise too.",
        ]
    if concerns("overhead"):
        lines.append(
            "Overhead: such samples; what of them is spent outside of the kernel; and draws "
            "alone, one after each sample, and many at once."
        )
    if concerns("crop"):
        lines.append("Crop: image, int16, a patch from anywhere in a volume of so many voxels.")
    return lines
