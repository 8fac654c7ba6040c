"""What an image file holds."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...data.files.opening import affine_of, open_volume
from ...warping.geometry.anatomy import directed_axes
from ...warping.geometry.bspline import Floats

SLAB = 2**26  # voxels that are read at a time
LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))


class Values(NamedTuple):
    """What the voxels of an image are like."""

    low: float
    high: float
    mean: float
    not_finite: int
    are_whole: bool


def lines_of_volume(path: Path) -> list[str]:
    """Describe the voxels and the place of an image, a line each.

    Raises
    ------
    FileError
        If it cannot be read as a volume.
    """
    volume = open_volume(path)
    *channels, n0, n1, n2 = volume.shape
    dtype = np.dtype(volume.dtype)
    size = math.prod(volume.shape) * dtype.itemsize / 2**20
    values = values_of(volume)
    rows = [
        ("shape", f"{n0} x {n1} x {n2}" + (f", {channels[0]} channels" if channels else "")),
        ("dtype", f"{dtype} ({size:.1f} MiB in memory)"),
        ("values", text_of(values, dtype)),
    ]
    affine = affine_of(volume, path)
    rows += [("place", "not stated")] if affine is None else place_of(path, volume, affine)
    return [str(path), *(f"  {name:12}{text}" for name, text in rows)]


def values_of(volume: Any) -> Values:
    """Read a volume in slabs."""
    *_, n0, n1, n2 = volume.shape
    step = max(1, SLAB // max(1, math.prod(volume.shape) // n2))
    low, high, total, finite_count, not_finite, whole = math.inf, -math.inf, 0.0, 0, 0, True
    for start in range(0, n2, step):
        window = (..., slice(0, n0), slice(0, n1), slice(start, min(n2, start + step)))
        part = np.asarray(volume[window])
        finite = part[np.isfinite(part)] if part.dtype.kind == "f" else part.ravel()
        not_finite += part.size - finite.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            total += float(finite.sum(dtype=np.float64))
            finite_count += finite.size
            whole = whole and (part.dtype.kind != "f" or bool((finite == np.rint(finite)).all()))
    return Values(low, high, total / max(1, finite_count), not_finite, whole)


def text_of(values: Values, dtype: np.dtype[Any]) -> str:
    """Say the range of values, and what is special about them."""
    if values.low > values.high:
        return "not one is finite"
    text = f"{values.low:g} to {values.high:g}, mean {values.mean:.4g}"
    if values.are_whole and dtype.kind == "f":
        text += ", all whole numbers"
    return text + (f", {values.not_finite} are NaN or infinite" if values.not_finite else "")


def place_of(path: Path, volume: Any, affine: Floats) -> list[tuple[str, str]]:
    """Say how large voxels are, where the axes run, and the affine."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    axes, signs = directed_axes(affine)
    codes = [""] * 3
    for (high, low), axis, sign in zip(LETTERS, axes, signs, strict=True):
        codes[axis] = high if sign > 0 else low
    cosines = np.abs(affine[:3, :3] / spacing).max(axis=0)
    tilt = float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1))))
    orientation = "".join(codes) + (f", oblique by {tilt:.1f} degrees" if tilt > 0.1 else "")
    rows = [
        ("spacing", " x ".join(f"{mm:.4g}" for mm in spacing) + f" {unit_of(path)}"),
        ("orientation", f"{orientation}: where indices increase to"),
    ]
    if not getattr(volume, "is_placed", True):
        rows.append(("place", "not stated: qform_code and sform_code are 0"))
    names = ("affine", "", "")
    for name, row in zip(names, affine[:3], strict=True):
        rows.append((name, " ".join(f"{round(value, 4) + 0.0:10.4f}" for value in row)))
    return rows


def unit_of(path: Path) -> str:
    """The unit of lengths in the header; mm where no header says it."""
    if not path.name.lower().endswith((".nii", ".nii.gz", ".hdr", ".img")):
        return "mm"
    import nibabel

    header: Any = nibabel.load(path, mmap=False).header
    unit = header.get_xyzt_units()[0] if hasattr(header, "get_xyzt_units") else "mm"
    return "(unit not stated, taken as mm)" if unit == "unknown" else str(unit)
