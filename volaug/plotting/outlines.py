"""Where the classes of a label end in a slice, and the color of each."""

import colorsys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from contourpy import contour_generator
from scipy import ndimage

from .views import Plane

# From 1 on. Bright, so that they stand out from gray; told apart by all common kinds of color
# vision as far as eight can be.
FIRST_COLORS = (
    "#f2b000", "#1e88ff", "#ee6677", "#36d1dc", "#b57bff", "#ff7f2a", "#b5d334", "#ff9ad5",
)  # fmt: skip
BACKGROUND = "#808080"

# Of later ones, hue, saturation and brightness follow from the label itself, so that a label has
# the same color in each figure. Multiples of these lie far from each other modulo 1.
GOLDEN = (0.6180339887, 0.7548776662, 0.5698402910)

# Red, orange, yellow, green, cyan, blue, violet, magenta and red: as many labels have each. Of
# evenly spaced hues a third would be green.
HUES = (0.0, 0.08, 0.15, 0.33, 0.5, 0.6, 0.74, 0.86, 1.0)

# A probability shows a class from here on.
PROBABLE = 0.5

# Outlines lie a quarter of a voxel within their class, so that those of two neighbors are seen.
LEVEL = 0.75

Line = npt.NDArray[np.float64]  # (N, 2), columns and rows


def color_of(label: int) -> str:
    """Return the color of a label, as #rrggbb."""
    if label == 0:
        return BACKGROUND
    if 1 <= label <= len(FIRST_COLORS):
        return FIRST_COLORS[label - 1]
    hue, saturation, brightness = (label * share % 1.0 for share in GOLDEN)
    hue = float(np.interp(hue, np.linspace(0, 1, len(HUES)), HUES))
    rgb = colorsys.hsv_to_rgb(hue, 0.4 + 0.6 * saturation, 0.75 + 0.25 * brightness)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def outlines(planes: Plane) -> dict[int, list[Line]]:
    """Return the lines around each class in a slice of a label.

    Parameters
    ----------
    planes : (C, rows, columns) array
        Of one channel, the classes are its values other than 0; but if not all are whole numbers,
        they are probabilities of class 1. Several channels are a class each, by their numbers from
        0, where they are at least 0.5.
    """
    if len(planes) > 1:
        masks = enumerate(plane >= PROBABLE for plane in planes)
        return {number: _lines(mask, 0, 0, number > 0) for number, mask in masks if mask.any()}
    plane = np.where(np.isfinite(planes[0]), planes[0], 0)
    if (plane != np.trunc(plane)).any():
        plane = plane >= PROBABLE
    return dict(_outlines_of_values(plane))


def _outlines_of_values(plane: Plane) -> Iterator[tuple[int, list[Line]]]:
    """Return each value other than 0, and the lines around it."""
    values, codes = np.unique(plane, return_inverse=True)
    codes = codes.reshape(plane.shape) + 1
    boxes = ndimage.find_objects(codes)
    for number, (value, box) in enumerate(zip(values.tolist(), boxes, strict=True), start=1):
        if value != 0:
            yield int(value), _lines(codes[box] == number, box[0].start, box[1].start)


def _lines(mask: Plane, row: int, column: int, is_closed: bool = True) -> list[Line]:
    """Return the lines around a mask that begins at a row and a column.

    They run along the edge of the slice too, but not those of the background, which would frame it.
    """
    padded = np.pad(mask, 1, mode="constant" if is_closed else "edge")
    lines = contour_generator(z=padded.astype(np.float64)).lines(LEVEL)
    return [line + np.array((column - 1, row - 1)) for line in lines]
