"""One sheet of pictures: a row for each strategy, before and after, with the labels' outlines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from ...keys import Key
from ...plotting.canvas import DIM, LANDMARK, POINT, Sheet, ring
from ..replacing import replacing
from .brain import BACKGROUND, GREY, LANDMARKS, OTHER, WHITE
from .slices import VIEWS, Slice
from .words import signed

# In the order in which they are drawn: a border between two tissues has the color of the later one.
# With any common kind of color vision one can tell the colors apart.
OUTLINES = (
    (OTHER, "other: cerebrospinal fluid", "#ee6677"),
    (GREY, "gray matter", "#f2b000"),
    (WHITE, "white matter", "#1e88ff"),
)
MARK: dict[str, Any] = {"color": DIM, "bbox": {"facecolor": "black", "pad": 2.0}}

# Darker than a brain is usually shown, so that the outlines stand out.
WINDOW = (0.15, 1.1)

# In pixels. A voxel of 1 mm is a whole number of pixels, so that all voxels look alike.
VOXEL = 2
MARGIN = 30
WORDS = 590  # the width of what is written beside the pictures
HEADER = 340
PAIR_GAP = 8
VIEW_GAP = 60
ROW_GAP = 30

GRID = 20  # mm


class Row(NamedTuple):
    """The words of one row, and its slices in each view."""

    title: str
    words: Sequence[str]
    before: Sequence[Slice]
    after: Sequence[Slice]


def save(sheet: Sheet, path: Path) -> None:
    """Write a sheet as a PNG."""
    with replacing(path) as partial:
        sheet.canvas.print_png(str(partial))


def draw_sheet(path: Path, key: Key, rows: Sequence[Row]) -> None:
    """Write a PNG of the rows, all of which were drawn with one key."""
    fields = [shown.image.shape for shown in rows[0].before]
    heights, widths = ([VOXEL * field[i] for field in fields] for i in (0, 1))
    pairs = [2 * width + PAIR_GAP for width in widths]
    lefts = [MARGIN + WORDS + sum(pairs[:i]) + i * VIEW_GAP for i in range(len(pairs))]
    row_height = max(heights) + ROW_GAP
    sheet = Sheet(lefts[-1] + pairs[-1] + MARGIN, HEADER + len(rows) * row_height)

    write_header(sheet, key)
    for view, landmark, left, width, pair in zip(
        VIEWS, LANDMARKS, lefts, widths, pairs, strict=True
    ):
        centered: dict[str, Any] = {"horizontalalignment": "center"}
        title = f"{view.name}, through the {landmark}"
        sheet.write(left + pair / 2, HEADER - 88, title, 28, **centered)
        sheet.write(left + width / 2, HEADER - 42, "before", 26, color=DIM, **centered)
        sheet.write(left + pair - width / 2, HEADER - 42, "after", 26, color=DIM, **centered)
    for number, row in enumerate(rows):
        top = HEADER + number * row_height
        words = "\n".join(row.words)
        sheet.write(MARGIN, top + 0.25 * row_height, row.title, 44, weight="bold")
        sheet.write(MARGIN, top + 0.25 * row_height + 72, words, 26, color=DIM, linespacing=1.5)
        for i, (before, after) in enumerate(zip(row.before, row.after, strict=True)):
            upper = top + (max(heights) - heights[i]) // 2
            draw_slice(sheet, lefts[i], upper, before)
            axes = draw_slice(sheet, lefts[i] + widths[i] + PAIR_GAP, upper, after)
            outline(axes, before.labels != BACKGROUND, "white", linestyles="dashed", alpha=0.7)
    save(sheet, path)


def write_header(sheet: Sheet, key: Key) -> None:
    """Write what the sheet shows, which side is left, and the colors."""
    title = "volaug demo: the MNI152 T1 brain at 1 mm, its labels and landmarks, augmented together"
    sheet.write(MARGIN, 28, title, 46)
    explanation = (
        f"Key of all draws: seed {key.seed}, epoch {key.epoch}, index {key.index}. In mm, x runs "
        "to the right, y forwards, z up. Each slice goes through its landmark, also after.\n"
        "Radiological convention: the patient's right (R) is on the left of the picture; A "
        "anterior, P posterior. A border between tissues has the first of their two colors."
    )
    sheet.write(MARGIN, 96, explanation, 28, color=DIM, linespacing=1.4)
    square = "\N{BLACK SQUARE}"
    left = float(MARGIN)
    for symbol, name, color in (
        *((square, name, color) for _, name, color in reversed(OUTLINES)),
        ("\N{LARGE CIRCLE}", "landmark", LANDMARK),
        ("- -", "edge of the brain before", "white"),
        ("+", f"lines that were {GRID} mm apart before", DIM),
    ):
        left = sheet.write(left, 194, symbol, 28, color=color) + 10
        left = sheet.write(left, 194, name, 28) + 40


def draw_slice(sheet: Sheet, left: int, upper: int, shown: Slice) -> Axes:
    """Draw the image, the grid before the warp, outlines, the landmark and the coordinate."""
    lines, columns = shown.image.shape
    width, height = VOXEL * columns, VOXEL * lines
    axes = sheet.axes(left, upper, width, height)
    low, high = WINDOW
    axes.imshow(shown.image, "gray", aspect="auto", interpolation="bilinear", vmin=low, vmax=high)
    grid: dict[str, Any] = {"colors": "white", "linestyles": "solid", "alpha": 0.25}
    for origins in shown.origins:
        levels = np.arange(origins.min() // GRID * GRID + GRID / 2, origins.max(), GRID)
        axes.contour(origins, levels, linewidths=1.2 * POINT, **grid)
    for label, _, color in OUTLINES:
        outline(axes, shown.labels == label, color)
    ring(axes, *shown.landmark, 16)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(-0.5, lines - 0.5)
    axes.set_axis_off()

    view = shown.view
    place = f"{'xyz'[view.axis]} = {signed(shown.place, 0)} mm"
    sheet.write(left + 6, upper + 4, view.left, 22, **MARK)
    sheet.write(left + 6, upper + height - 30, place, 20, **MARK)
    right = left + width - 6
    sheet.write(right, upper + 4, view.right, 22, horizontalalignment="right", **MARK)
    return axes


def outline(axes: Axes, mask: Any, color: str, **look: Any) -> None:
    """Draw the border of a mask."""
    axes.contour(mask, [0.5], colors=color, linewidths=1.2 * POINT, **look)
