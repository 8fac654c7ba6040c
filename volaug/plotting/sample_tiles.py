"""The figure of many samples by one slice each: tiles in columns, with words above them."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from .canvas import DIM, Sheet
from .contents import Contents
from .panels import BAR, GUTTER, MARGIN, Panel, draw_scale_bar, draw_slice
from .pictures import pictures_of
from .sample_rows import SPACING, Window
from .texts import HEADING, LINE, MONO, PLAIN, TITLE_LINE, WORD, characters, legend_of, wrapped

# In pixels.
TILE = 300  # the width of a slice
GAP = 28


def draw_tiles(
    samples: Sequence[Contents], view: str, columns: int, window: Window, title: str
) -> Figure:
    """Draw one slice of each of several samples, which have one shape.

    Parameters
    ----------
    samples : sequence of Contents
        In the order of reading.
    view : str
        Name of the view, such as "Axial".
    columns : int
        How many tiles are beside each other.
    window : (black, white)
        Gray levels of all tiles.
    title : str
        What is written above all.
    """
    pictures = [
        next(picture for picture in pictures_of(contents) if picture.view.name == view)
        for contents in samples
    ]
    columns_of_words = int((TILE + GUTTER) / characters(1, WORD))
    words = [[*wrapped(contents.words, columns_of_words)] for contents in samples]
    height = round(TILE * pictures[0].height / pictures[0].width)
    above = TITLE_LINE + LINE * max(map(len, words)) + 6
    across, down = TILE + 2 * GUTTER + GAP, above + height + 2 * GUTTER + GAP
    legend = [*legend_of(pictures, int(columns * TILE / characters(1, WORD)))]
    top = MARGIN + TITLE_LINE + (LINE * (legend[-1].line + 1) if legend else 0) + GAP
    rows = -(-len(samples) // columns)
    sheet = Sheet(2 * MARGIN + columns * across - 2 * GUTTER - GAP, top + rows * down)
    sheet.write(MARGIN, MARGIN, title, HEADING, **MONO)
    for text in legend:
        place = MARGIN + characters(text.column, WORD), MARGIN + TITLE_LINE + 4 + LINE * text.line
        sheet.write(*place, text.text, WORD, color=text.color, **MONO)
    look: dict[str, Any] = {"color": DIM, "linespacing": SPACING, **MONO}
    for number, (contents, picture) in enumerate(zip(samples, pictures, strict=True)):
        row, column = divmod(number, columns)
        left, upper = MARGIN + column * across, top + row * down
        sheet.write(left, upper, contents.heading, HEADING, weight="bold", **PLAIN)
        sheet.write(left, upper + TITLE_LINE + 2, "\n".join(words[number]), WORD, **look)
        panel = Panel(picture, left, TILE, height, GUTTER, 0.0)
        draw_slice(sheet, upper + above + GUTTER, panel, window)
        if number == 0:  # all are to one scale
            draw_scale_bar(sheet, upper + above + GUTTER - BAR / 2, panel, contents.unit)
    return sheet.figure
