"""Slices beside each other: where each lies, and how it is drawn."""

import math
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from .canvas import DIM, POINT, Sheet, ring
from .outlines import Line, color_of
from .pictures import Picture
from .texts import HEADING, LINE, MONO, PLAIN, TITLE_LINE, WORD, characters

# In pixels.
MARGIN = 40  # which the letters at the left of the first slice share
WIDTH = 1040  # of the slices together, and of the words below them
HEIGHT = 440  # of a slice, at most
NARROW = 6  # a slice is drawn so wide at least
GAP, GUTTER = 12, 26  # from slice to slice, and for letters on each side of one
ABOVE = TITLE_LINE + LINE + 8  # what a slice has above it, but for a letter
BAR = 26  # from a slice, or the letter below it, to the middle of the scale bar
BAR_SHARE = 0.3  # of a slice's width is what a scale bar may have

NOT_FINITE = "#5f3a75"
FRAME = "#484848"


class Panel(NamedTuple):
    """A picture, and where it is, in pixels."""

    picture: Picture
    left: float
    width: float
    height: float
    gutter: float  # for letters on each side
    next: float  # where the next one begins


def scale_of(pictures: list[Picture], width: float = WIDTH, height: float = HEIGHT) -> float:
    """Return the pixels for a mm, so that pictures beside each other fit into a box."""
    room = width - len(pictures) * (2 * GUTTER + GAP)
    return min(
        room / sum(picture.width for picture in pictures),
        height / max(picture.height for picture in pictures),
    )


def panels_of(pictures: list[Picture], scale: float) -> list[Panel]:
    """Lay pictures beside each other."""
    panels, left = [], float(MARGIN)
    for picture in pictures:
        width, height = (
            max(NARROW, round(side * scale)) for side in (picture.width, picture.height)
        )
        gutter = GUTTER if picture.view.left else 0
        words = characters(max(len(picture.title), len(picture.place)) + 3, WORD)
        after = left + max(width + 2 * gutter + GAP, words)
        panels.append(Panel(picture, left, width, height, gutter, after))
        left = after
    return panels


def draw_panel(sheet: Sheet, top: float, panel: Panel, window: tuple[float, float]) -> None:
    """Draw a slice, its outlines, landmarks and letters; say where it is."""
    picture, left = panel.picture, panel.left
    sheet.write(left, top, picture.view.name, HEADING, weight="bold", **PLAIN)
    sheet.write(left, top + TITLE_LINE, picture.place, WORD, color=DIM, **MONO)
    draw_slice(sheet, top + ABOVE + panel.gutter, panel, window)


def draw_slice(sheet: Sheet, upper: float, panel: Panel, window: tuple[float, float]) -> None:
    """Draw a slice with its outlines, landmarks and letters."""
    picture, left, width, height, _, _ = panel
    view = picture.view
    axes = sheet.axes(left, upper, width, height)
    axes.set_label(view.name)
    gray = matplotlib.colormaps["gray"].with_extremes(bad=NOT_FINITE)
    low, high = window
    axes.imshow(
        picture.plane, gray, aspect="auto", origin="lower", interpolation="antialiased",
        vmin=low, vmax=high,
    )  # fmt: skip
    draw_lines(axes, picture.lines)
    ring(axes, *picture.landmarks, 14)
    rows, columns = picture.plane.shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(-0.5, rows - 0.5)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=FRAME, linewidth=POINT)

    middle, center = left + width / 2, upper + height / 2
    for letter, x, y, across, down in (
        (view.left, left - 7, center, "right", "center"),
        (view.right, left + width + 7, center, "left", "center"),
        (view.top, middle, upper - 5, "center", "bottom"),
        (view.bottom, middle, upper + height + 5, "center", "top"),
    ):
        look: dict[str, Any] = {"horizontalalignment": across, "verticalalignment": down, **PLAIN}
        sheet.write(x, y, letter, HEADING, **look)


def draw_lines(axes: Axes, lines: dict[int, list[Line]]) -> None:
    """Draw the outlines of each class in its color."""
    colors = [color_of(value) for value, of_value in lines.items() for _ in of_value]
    segments = [line for of_value in lines.values() for line in of_value]
    axes.add_collection(LineCollection(segments, colors=colors, linewidths=1.3 * POINT))


def draw_scale_bar(sheet: Sheet, upper: float, panel: Panel, unit: str) -> None:
    """Draw a line of a round length below a slice, and write that length beside it."""
    scale = panel.width / panel.picture.width
    length = round_length(BAR_SHARE * panel.picture.width)
    y = upper + panel.height + panel.gutter + BAR / 2
    end = panel.left + scale * length
    sheet.draw_line(panel.left, y, end, y)
    look: dict[str, Any] = {"color": DIM, "verticalalignment": "center", **MONO}
    sheet.write(end + 8, y, f"{length:g} {unit}", WORD, **look)


def round_length(most: float) -> float:
    """Return the largest of ..., 0.1, 0.2, 0.5, 1, 2, 5, 10, ... that does not exceed a length."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))
