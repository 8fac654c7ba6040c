"""The figure of a sample: slices beside each other, and below them the colors and the words."""

import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from .canvas import DIM, LANDMARK, POINT, Sheet, ring
from .contents import Contents
from .outlines import Line, color_of
from .pictures import Picture, pictures_of, window_of

# In pixels.
MARGIN = 40  # which the letters at the left of the first slice share
WIDTH = 1040  # of the slices together, and of the words below them
HEIGHT = 440  # of a slice, at most
NARROW = 6  # a slice is drawn so wide at least
BESIDE = 380  # the words are beside the slices if there is so much room
GAP, GUTTER = 12, 26  # from slice to slice, and for letters on each side of one
HEADING, WORD = 17, 13
LINE = 20  # from one line of words to the next
TITLE_LINE = 24
ABOVE = TITLE_LINE + LINE + 8  # what a slice has above it, but for a letter

# The fonts that matplotlib brings, whatever a user's style says; and no formulas between dollars.
PLAIN: dict[str, Any] = {"family": "DejaVu Sans", "parse_math": False, "usetex": False}
MONO: dict[str, Any] = {**PLAIN, "family": "DejaVu Sans Mono"}
ADVANCE = 1233 / 2048  # how wide a character of the latter is, in sizes of the font

NOT_FINITE = "#5f3a75"
FRAME = "#484848"
LEGEND_LINES = 4


class Panel(NamedTuple):
    """A picture, and where it is, in pixels."""

    picture: Picture
    left: float
    width: float
    height: float
    gutter: float  # for letters on each side
    next: float  # where the next one begins


class Text(NamedTuple):
    """A piece of a line."""

    line: int
    column: int  # in characters
    text: str
    color: str


def draw(contents: Contents) -> Figure:
    """Draw the contents of a sample."""
    pictures = pictures_of(contents)
    window = window_of(pictures)
    panels = panels_of(pictures)
    last = panels[-1]
    black, white = (f"{value:.3g}".replace("-", "\N{MINUS SIGN}") for value in window)
    title = f"{contents.title}: black is {black}, white is {white}"
    titles = [*wrapped(title, int(WIDTH / characters(1, HEADING)))]
    top = MARGIN + TITLE_LINE * len(titles) + LINE
    bottom = top + ABOVE + max(panel.height for panel in panels) + 2 * last.gutter

    room = MARGIN + WIDTH - last.next
    is_beside = contents.words != "" and room >= BESIDE
    texts = texts_of(pictures, contents.words, room if is_beside else WIDTH)
    x, y = (last.next + GUTTER, top) if is_beside else (MARGIN, bottom + LINE)
    ends = [
        last.left + max(last.width, characters(len(last.picture.place), WORD)),
        *(MARGIN + characters(len(line), HEADING) for line in titles),
        *(x + characters(text.column + len(text.text), WORD) for text in texts),
    ]
    if texts:
        bottom = max(bottom, y + LINE * (texts[-1].line + 1))
    sheet = Sheet(round(max(ends) + MARGIN), round(bottom + MARGIN))

    sheet.write(MARGIN, MARGIN, "\n".join(titles), HEADING, linespacing=1.2, **MONO)
    for panel in panels:
        draw_panel(sheet, top, panel, window)
    for text in texts:
        place = x + characters(text.column, WORD), y + LINE * text.line
        sheet.write(*place, text.text, WORD, color=text.color, **MONO)
    return sheet.figure


def panels_of(pictures: list[Picture]) -> list[Panel]:
    """Lay pictures beside each other, as large as there is room for."""
    room = WIDTH - len(pictures) * (2 * GUTTER + GAP)
    scale = min(
        room / sum(picture.width for picture in pictures),
        HEIGHT / max(picture.height for picture in pictures),
    )
    panels, left = [], float(MARGIN)
    for picture in pictures:
        width, height = (
            max(NARROW, round(side * scale)) for side in (picture.width, picture.height)
        )
        gutter = GUTTER if picture.view.left else 0
        words = characters(len(picture.place) + 3, WORD)
        after = left + max(width + 2 * gutter + GAP, words)
        panels.append(Panel(picture, left, width, height, gutter, after))
        left = after
    return panels


def draw_panel(sheet: Sheet, top: float, panel: Panel, window: tuple[float, float]) -> None:
    """Draw a slice, its outlines, landmarks and letters; say where it is."""
    picture, left, width, height, gutter, _ = panel
    view = picture.view
    sheet.write(left, top, view.name, HEADING, weight="bold", **PLAIN)
    sheet.write(left, top + TITLE_LINE, picture.place, WORD, color=DIM, **MONO)
    upper = top + ABOVE + gutter
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


def texts_of(pictures: list[Picture], words: str, width: float) -> list[Text]:
    """Return the legend, and below it the words."""
    columns = int(width / characters(1, WORD))
    texts = [*legend_of(pictures, columns)]
    first = texts[-1].line + 2 if texts else 0
    texts += [Text(first + n, 0, line, DIM) for n, line in enumerate(wrapped(words, columns))]
    return texts


def legend_of(pictures: list[Picture], columns: int) -> Iterator[Text]:
    """Return the color of landmarks, and of each label that is seen, in columns."""
    left = 0
    if any(len(picture.landmarks[0]) for picture in pictures):
        yield Text(0, left, "\N{WHITE CIRCLE}", LANDMARK)
        yield Text(0, left + 2, "landmark", "white")
        left += len("landmark") + 5
    values = sorted({value for picture in pictures for value in picture.lines})
    if not values:
        return
    yield Text(0, left, "label", DIM)
    left += len("label") + 2
    names = [*map(str, values)]
    wide = max(map(len, names)) + 4
    per_line = max(1, (columns - left + 2) // wide)
    for number, (value, name) in enumerate(zip(values, names, strict=True)):
        line, column = divmod(number, per_line)
        if line == LEGEND_LINES:
            yield Text(line, left, f"and {len(values) - number} more", DIM)
            return
        yield Text(line, left + column * wide, "\N{BLACK SQUARE}", color_of(value))
        yield Text(line, left + column * wide + 2, name, "white")


def wrapped(text: str, columns: int) -> Iterator[str]:
    """Return the lines of a text, wrapped at a number of characters; later lines are indented."""
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        yield from textwrap.wrap(line, columns, subsequent_indent=indent, break_on_hyphens=False)


def characters(count: int, size: float) -> float:
    """Return the width of a number of characters in the monospaced font."""
    return count * size * ADVANCE
