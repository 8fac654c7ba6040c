"""One sheet of pictures: a row for each warp, with the labels' outlines over the image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .brain import GREY, OTHER, WHITE
from .files import replacing
from .slices import VIEWS, Plane

# From the lowest line to the topmost: a border is drawn in the colour of the later of the two
# tissues that meet there. Told apart by all common kinds of colour vision.
OUTLINES = (
    (OTHER, "other: cerebrospinal fluid", "#ee6677"),
    (GREY, "grey matter", "#f2b000"),
    (WHITE, "white matter", "#1e88ff"),
)

# Darker than a brain is usually shown, so that the outlines stand out.
WINDOW = (0.15, 1.1)

# In pixels. A voxel of 1 mm is a whole number of them, so that all are drawn alike.
DPI = 100
VOXEL = 3
TITLES = 560
HEADER = 250
GAP = 30

POINT = 72 / DPI

GRID = 20  # mm
DIM = "#b8b8b8"
MARK: dict[str, Any] = {"color": DIM, "bbox": {"facecolor": "black", "pad": 3.0}}


class Sheet:
    """A black figure of so many pixels, in which places are pixels from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        size = (width / DPI, height / DPI)
        self.figure = Figure(size, dpi=DPI, facecolor="black")
        self.canvas = FigureCanvasAgg(self.figure)

    def write(self, x: float, y: float, text: str, pixels: float, **look: Any) -> None:
        """Write text below and, unless `look` says otherwise, to the right of a place."""
        width, height = self.size
        look = {"color": "white", "verticalalignment": "top", **look}
        self.figure.text(x / width, 1 - y / height, text, fontsize=pixels * POINT, **look)

    def axes(self, x: int, y: int, width: int, height: int) -> Axes:
        """Axes that fill a box, given by its upper left corner."""
        across, down = self.size
        return self.figure.add_axes(
            (x / across, 1 - (y + height) / down, width / across, height / down)
        )

    def save(self, path: Path) -> None:
        """Write the figure as a PNG."""
        with replacing(path) as partial:
            self.canvas.print_png(str(partial))


class Row(NamedTuple):
    """What one row shows, slice by slice."""

    title: str
    words: str
    images: list[Plane]
    labels: list[Plane]
    origins: list[Plane]  # (2, rows, columns): the input voxel that each voxel shows


def draw_sheet(path: Path, rows: Sequence[Row], millimetres: Sequence[float]) -> None:
    """Draw the rows, whose slices lie at these places along the three axes, as a PNG."""
    fields = [image.shape for image in rows[0].images]
    heights, widths = ([VOXEL * field[i] for field in fields] for i in (0, 1))
    lefts = [TITLES + sum(widths[:i]) + i * GAP for i in range(len(widths))]
    row_height = max(heights) + GAP
    sheet = Sheet(lefts[-1] + widths[-1] + GAP, HEADER + len(rows) * row_height)

    write_header(sheet)
    for view, left, width, at in zip(VIEWS, lefts, widths, millimetres, strict=True):
        place = f"{view.name}, {'xyz'[view.axis]} = {at:+.0f} mm".replace("-", "\N{MINUS SIGN}")
        sheet.write(left + width / 2, HEADER - 42, place, 28, horizontalalignment="center")
    for number, row in enumerate(rows):
        top = HEADER + number * row_height
        sheet.write(GAP, top + 0.3 * row_height, row.title, 40, weight="bold")
        sheet.write(GAP, top + 0.3 * row_height + 64, row.words, 28, color=DIM, linespacing=1.4)
        for i, view in enumerate(VIEWS):
            upper = top + (max(heights) - heights[i]) // 2
            axes = sheet.axes(lefts[i], upper, widths[i], heights[i])
            draw_slice(axes, row.images[i], row.labels[i], row.origins[i])
            right = lefts[i] + widths[i]
            sheet.write(lefts[i] + 4, upper + 4, view.left, 26, **MARK)
            sheet.write(right - 4, upper + 4, view.right, 26, horizontalalignment="right", **MARK)
    sheet.save(path)


def write_header(sheet: Sheet) -> None:
    """Say what the sheet shows, the side one looks from, and the colours."""
    sheet.write(GAP, 28, "volaug demo: the MNI152 T1 brain at 1 mm, warped with its labels", 46)
    convention = (
        "Radiological convention: the patient's right (R) is on the left of the picture; "
        f"A anterior, P posterior. Thin grid: lines that were {GRID} mm apart before the warp."
    )
    sheet.write(GAP, 100, convention, 28, color=DIM)
    left = GAP
    for _, name, colour in reversed(OUTLINES):
        sheet.write(left, 150, "\N{BLACK SQUARE}", 30, color=colour)
        sheet.write(left + 34, 150, name, 28)
        left += 70 + 14 * len(name)
    sheet.write(left, 150, "A border is drawn in the first of the two colours.", 28, color=DIM)


def draw_slice(axes: Axes, image: Plane, labels: Plane, origins: Plane) -> None:
    """Draw one slice: grey image, the grid it came from, outlines of the labels."""
    low, high = WINDOW
    axes.imshow(image, "gray", aspect="auto", interpolation="bilinear", vmin=low, vmax=high)
    levels = np.arange(GRID / 2, max(image.shape) + GRID, GRID)
    for origin in np.ma.masked_invalid(origins):
        axes.contour(origin, levels, colors="white", linewidths=1.2 * POINT, alpha=0.25)
    for label, _, colour in OUTLINES:
        outlines = axes.contour(labels == label, [0.5], colors=colour)
        outlines.set_linewidth(1.5 * POINT)
    lines, columns = image.shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(-0.5, lines - 0.5)
    axes.set_axis_off()
