"""The figure of several samples, one below the other: the words of each, and its slices."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from .canvas import DIM, Sheet
from .contents import Contents
from .panels import BAR, MARGIN, WIDTH, Panel, draw_scale_bar, draw_slice, panels_of, scale_of
from .pictures import Picture, pictures_of, window_of
from .texts import (
    HEADING,
    LINE,
    MONO,
    PLAIN,
    TITLE_LINE,
    WORD,
    characters,
    gray_level,
    legend_of,
    wrapped,
)

# In pixels.
HEIGHT = 400  # of a slice, at most
ROW_GAP = 34
SPACING = LINE / WORD

Window = tuple[float, float]


class Row(NamedTuple):
    """A sample, its slices, and the lines of its words."""

    contents: Contents
    panels: list[Panel]
    words: list[str]

    @property
    def above(self) -> float:
        """What is above the slices and the letters, in pixels: a heading, words and places."""
        gap = 12 if self.words else 4
        return TITLE_LINE + LINE * (len(self.words) + 1) + gap

    @property
    def height(self) -> float:
        """In pixels."""
        first = self.panels[0]
        slices = max(panel.height + 2 * panel.gutter for panel in self.panels)
        return self.above + max(slices, first.height + 2 * first.gutter + BAR) + ROW_GAP


def draw_rows(samples: Sequence[Contents], title: str = "") -> Figure:
    """Draw several samples one below the other, to one scale and with the same gray levels.

    Samples that `Normalize` changed have gray levels of their own, which they share.
    """
    pictures = [pictures_of(contents) for contents in samples]
    windows = windows_of(samples, pictures)
    scale = min(scale_of(shown, WIDTH, HEIGHT) for shown in pictures)
    columns = int(WIDTH / characters(1, WORD))
    rows = [
        Row(contents, panels_of(shown, scale), [*wrapped(contents.words, columns)])
        for contents, shown in zip(samples, pictures, strict=True)
    ]
    lefts = lefts_of(rows)
    width = max(MARGIN + WIDTH, lefts[-1]) + MARGIN
    legend = [*legend_of([picture for shown in pictures for picture in shown], columns)]
    head = heading(samples[0].title, title, windows)
    below = MARGIN + TITLE_LINE * len(head) + 4.0
    top = below + LINE * (legend[-1].line + 1 if legend else 0) + ROW_GAP / 2

    sheet = Sheet(round(width), round(top + sum(row.height for row in rows) + MARGIN - ROW_GAP))
    sheet.write(MARGIN, MARGIN, "\n".join(head), HEADING, linespacing=1.2, **MONO)
    for text in legend:
        place = MARGIN + characters(text.column, WORD), below + LINE * text.line
        sheet.write(*place, text.text, WORD, color=text.color, **MONO)
    for row in rows:
        draw_row(sheet, top, row, lefts, windows[row.contents.is_normalized])
        top += row.height
    return sheet.figure


def draw_row(sheet: Sheet, top: float, row: Row, lefts: list[float], window: Window) -> None:
    """Draw a heading, the words below it, and the slices below these."""
    look: dict[str, Any] = {"color": DIM, **MONO}
    sheet.write(MARGIN, top, row.contents.heading, HEADING, weight="bold", **PLAIN)
    words = "\n".join(row.words)
    sheet.write(MARGIN, top + TITLE_LINE + 2, words, WORD, linespacing=SPACING, **look)
    places, upper = top + row.above - LINE - 4, top + row.above
    for panel, left in zip(row.panels, lefts, strict=False):
        moved = panel._replace(left=left)
        sheet.write(left, places, panel.picture.title, WORD, **look)
        draw_slice(sheet, upper + panel.gutter, moved, window)
    draw_scale_bar(sheet, upper + row.panels[0].gutter, row.panels[0], row.contents.unit)


def lefts_of(rows: Sequence[Row]) -> list[float]:
    """Return where the slices of each column begin, and where the last ones end."""
    lefts = [float(MARGIN)]
    for column in range(max(len(row.panels) for row in rows)):
        there = [row.panels[column] for row in rows if column < len(row.panels)]
        lefts.append(lefts[-1] + max(panel.next - panel.left for panel in there))
    return lefts


def windows_of(
    samples: Sequence[Contents], pictures: Sequence[list[Picture]]
) -> dict[bool, Window]:
    """Return what is black and white in the samples that are normalized, and in the others.

    Black is that of the first of them: noise would make it gray.
    """
    together: dict[bool, list[list[Picture]]] = {}
    for contents, shown in zip(samples, pictures, strict=True):
        together.setdefault(contents.is_normalized, []).append(shown)
    windows = {}
    for is_normalized, group in together.items():
        low, high = window_of([*itertools.chain.from_iterable(group)])
        black, _ = window_of(group[0])
        windows[is_normalized] = (black if black < high else low, high)
    return windows


def heading(image: str, title: str, windows: dict[bool, Window]) -> list[str]:
    """Return the lines above the rows: what is shown, and the gray levels."""
    levels = [
        f"{'after Normalize ' if is_normalized and len(windows) > 1 else ''}black is "
        f"{gray_level(low)}, white is {gray_level(high)}"
        for is_normalized, (low, high) in sorted(windows.items())
    ]
    columns = int(WIDTH / characters(1, HEADING))
    return [*wrapped(title, columns), *wrapped(f"{image}: {'; '.join(levels)}", columns)]
