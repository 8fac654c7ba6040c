"""Check that all engines computed the same picture, then time them in turn."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import volaug

from ..problem import Floats
from .case import Case
from .engines import Contender, simpleitk_spline

# Greatest difference allowed on interior voxels, of the range of the volume. Float32
# coordinates, which torch has, are worth 3e-5 voxel at 256^3.
PICTURE_TOLERANCE = 1e-3
SPLINE_TOLERANCE = 1e-4  # voxels

# What the threads of another engine may go on spinning for after its call.
PAUSE = 0.05


class DifferentPictureError(Exception):
    """An engine computed something else, so that its time means nothing."""


@dataclass(frozen=True)
class Row:
    """What was measured of a contender."""

    case: str
    contender: Contender
    difference: float | None
    seconds: list[float]


def differences(case: Case, entries: Sequence[Contender]) -> list[float | None]:
    """Return each engine's greatest difference from the float64 reference, of the range."""
    picture, interior = case.reference()
    if not interior.any():
        raise DifferentPictureError(f"{case.name}: no voxel reads the interior of the volume")
    wanted = picture[interior]
    spread = float(np.ptp(case.volume))
    found: list[float | None] = []
    for entry in entries:
        result = entry.run()
        if entry.picture is None:
            found.append(None)
            continue
        difference = float(np.abs(entry.picture(result)[interior] - wanted).max()) / spread
        if not difference <= PICTURE_TOLERANCE:  # `not <=`: NaN is a difference too
            raise DifferentPictureError(
                f"{case.name}: {entry.engine} differs from the reference by {difference:.2g} of "
                f"the range, more than {PICTURE_TOLERANCE:g}"
            )
        found.append(difference)
    return found


def measure(case: Case, entries: Sequence[Contender], effort: float) -> list[Row]:
    """Return a row for each contender; their repeats, times `effort`, are spread over the run."""
    found = differences(case, entries)  # each has run once, which compiled and warmed it up
    repeats = [max(1, round(entry.repeats * effort)) for entry in entries]
    seconds: list[list[float]] = [[] for _ in entries]
    turns = max(repeats)
    for turn in range(turns):
        for entry, times, taken in zip(entries, repeats, seconds, strict=True):
            if turn * times // turns == (turn + 1) * times // turns:
                continue
            time.sleep(PAUSE)
            start = time.perf_counter()
            result = entry.run()
            taken.append(time.perf_counter() - start)
            del result  # freed after the clock has stopped
    return [
        Row(case.name, entry, difference, taken)
        for entry, difference, taken in zip(entries, found, seconds, strict=True)
    ]


def spline_difference(control_points: Floats, side: int, samples: int = 2000) -> float:
    """Return how far volaug's and SimpleITK's displacements lie apart, in voxels, at most.

    A linear ramp is interpolated without error, so that its warped picture is the position
    that was read. A ramp of two voxels, stretched over all that is read, is enough.
    """
    margin = np.abs(control_points).max()
    scale = 1.0 / (side - 1 + 2 * margin)
    voxels = np.random.default_rng(0).integers(0, side, (samples, 3))
    voxels[:2] = [[0], [side - 1]]  # the ends of the lattice
    positions = np.empty((samples, 3))
    for axis in range(3):
        ramp = np.zeros((2, 2, 2))
        ramp.swapaxes(0, axis)[1] = 1.0
        read = volaug.elastic_deform(
            ramp,
            control_points,
            matrix=np.eye(3) * scale,
            offset=scale * margin,
            output_shape=(side, side, side),
        )
        positions[:, axis] = read[tuple(voxels.T)] / scale - margin
    transform = simpleitk_spline(control_points, (side, side, side))
    points = voxels[:, ::-1].astype(float).tolist()
    wanted = [transform.TransformPoint(point)[::-1] for point in points]
    difference = float(np.abs(positions - wanted).max())
    if not difference <= SPLINE_TOLERANCE:
        raise DifferentPictureError(
            f"volaug's B-spline lies {difference:.2g} voxels from SimpleITK's, "
            f"more than {SPLINE_TOLERANCE:g}"
        )
    return difference
