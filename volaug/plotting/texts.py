"""The words of a figure: fonts, lines that are wrapped, and the legend."""

import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from .canvas import DIM, LANDMARK
from .outlines import color_of
from .pictures import Picture

# In pixels.
HEADING, WORD = 17, 13
LINE = 20  # from one line of words to the next
TITLE_LINE = 24

# The fonts that matplotlib brings, whatever a user's style says; and no formulas between dollars.
PLAIN: dict[str, Any] = {"family": "DejaVu Sans", "parse_math": False, "usetex": False}
MONO: dict[str, Any] = {**PLAIN, "family": "DejaVu Sans Mono"}
ADVANCE = 1233 / 2048  # how wide a character of the latter is, in sizes of the font

LEGEND_LINES = 4


class Text(NamedTuple):
    """A piece of a line."""

    line: int
    column: int  # in characters
    text: str
    color: str


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


def gray_level(value: float) -> str:
    """Return what is black or white, with a true minus."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
