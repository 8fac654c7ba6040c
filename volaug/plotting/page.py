"""A page of samples: one HTML file with all data inside, for sliders through slices and draws."""

import base64
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..warping.resizing import resample
from .contents import Contents
from .outlines import PROBABLE, color_of
from .pictures import pictures_of
from .sample_rows import Window, heading, windows_of
from .views import View, views_of

TEMPLATE = Path(__file__).with_name("page.html")
PLACE = "/*DATA*/null"

# Voxels of a volume. Larger ones are shown at a lower resolution: a browser has some four bytes for
# each, and some of them refuse pictures of more than 16 million pixels.
MAX_VOXELS = 10_000_000
QUALITY = 88  # of JPEG, 0 to 100
MAX_SPAN = 2**16  # from the lowest to the highest label, for a table of all between them

Array = npt.NDArray[Any]


class Reduced(NamedTuple):
    """A sample at the resolution of the page."""

    volume: Array  # uint8
    classes: tuple[Array, Array] | None  # the values of the label, and a number for each voxel
    step: tuple[float, ...]  # voxels of the sample for one of these, along each axis


def page_of(samples: Sequence[Contents], title: str) -> str:
    """Return the text of a page that shows samples one at a time.

    Parameters
    ----------
    samples : sequence of Contents
        The first is what the page calls "before".
    title : str
        What the samples are.
    """
    windows = windows_of(samples, [pictures_of(contents) for contents in samples])
    reduced = [reduced_sample(c, windows[c.is_normalized]) for c in samples]
    values = sorted({int(v) for each in reduced if each.classes for v in each.classes[0] if v})
    _, levels = heading(samples[0].title, "-", windows)
    smaller = any(max(each.step) > 1.0 for each in reduced)
    data = {
        "title": title,
        "levels": levels + (" (shown at a lower resolution)" if smaller else ""),
        "unit": samples[0].unit,
        "views": [view_data(view) for view in views_of(samples[0].affine)],
        "samples": [sample_data(*pair) for pair in zip(samples, reduced, strict=True)],
        "legend": [{"name": f"label {value}", "color": color_of(value)} for value in values],
    }
    # what begins a tag cannot end the script that it is in
    text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace(PLACE, text)


def reduced_sample(contents: Contents, window: Window) -> Reduced:
    """Return a volume in 256 gray levels, and its label, at the resolution of the page."""
    low, high = window
    volume = np.nan_to_num(contents.volume.astype(np.float32), nan=low, posinf=high, neginf=low)
    label = None if contents.label is None else whole_label(contents.label)
    shape = volume.shape
    factor = min(1.0, (MAX_VOXELS / volume.size) ** (1 / 3))
    a, b, c = (max(1, int(n * factor)) for n in shape)
    if (a, b, c) != shape:
        volume = resample(volume, (a, b, c), antialias=True)
    if label is not None and label.shape != (a, b, c):
        label = resample(label, (a, b, c), interpolation="nearest")
    gray = np.clip((volume - low) * (255.0 / (high - low)), 0.0, 255.0).round().astype(np.uint8)
    step = tuple(n / m for n, m in zip(shape, (a, b, c), strict=True))
    return Reduced(gray, None if label is None else classes_of(label), step)


def whole_label(label: Array) -> Array:
    """Return one whole number for each voxel; see `outlines` for what channels mean."""
    if label.ndim == 4 and len(label) > 1:
        numbers = np.zeros(label.shape[1:], np.int32)
        for number, channel in enumerate(label):
            numbers[channel >= PROBABLE] = number
        return numbers
    plane = label[0] if label.ndim == 4 else label
    if plane.dtype.kind in "biu":
        return plane
    finite = np.where(np.isfinite(plane), plane, 0)
    return finite.astype(np.int64) if (finite == np.trunc(finite)).all() else finite >= PROBABLE


def classes_of(label: Array) -> tuple[Array, Array]:
    """Return the values of a label, and for each voxel the number of its value."""
    low, high = int(label.min()), int(label.max())
    if high - low >= MAX_SPAN:
        values, codes = np.unique(label, return_inverse=True)
        return values, codes.reshape(label.shape)
    # without sorting 10 million voxels
    codes = np.subtract(label, low, dtype=np.int64, casting="unsafe")
    found = np.flatnonzero(np.bincount(codes.ravel()))
    numbers = np.zeros(high - low + 1, np.uint16)
    numbers[found] = np.arange(len(found))
    return found + low, numbers[codes]


def view_data(view: View) -> dict[str, Any]:
    """Return a view by the names that the page uses."""
    return {
        "name": view.name,
        "axis": view.axis,
        "columns": view.columns,
        "rows": view.rows,
        "reversesColumns": view.reverses_columns,
        "reversesRows": view.reverses_rows,
        "left": view.left,
        "right": view.right,
        "bottom": view.bottom,
        "top": view.top,
    }


def sample_data(contents: Contents, reduced: Reduced) -> dict[str, Any]:
    """Return a sample by the names that the page uses, with its volumes as pictures."""
    at = [int((voxel + 0.5) / step) for voxel, step in zip(contents.at, reduced.step, strict=True)]
    classes = reduced.classes
    return {
        "heading": contents.heading,
        "words": contents.words.splitlines(),
        "shape": reduced.volume.shape,
        "spacing": [a * b for a, b in zip(contents.spacing, reduced.step, strict=True)],
        "step": reduced.step,
        "at": at,
        "image": picture_url(mosaic(reduced.volume), "JPEG", quality=QUALITY),
        "label": picture_url(colored(*classes), "PNG", compress_level=4) if classes else None,
    }


def colored(values: Array, codes: Array) -> Array:
    """Return the mosaic of the colors of each voxel's label; black for the background."""
    colors = [color_of(int(value)) if value else "#000000" for value in values]
    table = np.array([[*bytes.fromhex(color[1:])] for color in colors], np.uint8)
    return table[mosaic(codes)]


def mosaic(volume: Array) -> Array:
    """Return the slices across axis 2 beside and below each other, nearly a square."""
    n0, n1, n2 = volume.shape
    across = max(1, min(n2, round(math.sqrt(n0 * n1 * n2) / n1)))
    down = -(-n2 // across)
    slices = np.zeros((down * across, n0, n1), volume.dtype)
    slices[:n2] = np.moveaxis(volume, 2, 0)
    return slices.reshape(down, across, n0, n1).swapaxes(1, 2).reshape(down * n0, across * n1)


def picture_url(pixels: Array, kind: str, **options: Any) -> str:
    """Return a picture as an address that holds it."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
