"""The figure of a sample: slices beside each other, and below them the colors and the words."""

from matplotlib.figure import Figure

from .canvas import DIM, Sheet
from .contents import Contents
from .panels import (
    ABOVE,
    BAR,
    GUTTER,
    MARGIN,
    WIDTH,
    draw_panel,
    draw_scale_bar,
    panels_of,
    scale_of,
)
from .pictures import Picture, pictures_of, window_of
from .texts import (
    HEADING,
    LINE,
    MONO,
    TITLE_LINE,
    WORD,
    Text,
    characters,
    gray_level,
    legend_of,
    wrapped,
)

BESIDE = 380  # pixels: the words are beside the slices if there is so much room


def draw(contents: Contents) -> Figure:
    """Draw the contents of a sample."""
    pictures = pictures_of(contents)
    window = window_of(pictures)
    panels = panels_of(pictures, scale_of(pictures))
    last = panels[-1]
    black, white = map(gray_level, window)
    title = f"{contents.title}: black is {black}, white is {white}"
    titles = [*wrapped(title, int(WIDTH / characters(1, HEADING)))]
    top = MARGIN + TITLE_LINE * len(titles) + LINE
    bottom = top + ABOVE + max(panel.height for panel in panels) + 2 * last.gutter + BAR

    room = MARGIN + WIDTH - last.next
    is_beside = contents.details != "" and room >= BESIDE
    texts = texts_of(pictures, contents.details, room if is_beside else WIDTH)
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
    draw_scale_bar(sheet, top + ABOVE + panels[0].gutter, panels[0], contents.unit)
    for text in texts:
        place = x + characters(text.column, WORD), y + LINE * text.line
        sheet.write(*place, text.text, WORD, color=text.color, **MONO)
    return sheet.figure


def texts_of(pictures: list[Picture], words: str, width: float) -> list[Text]:
    """Return the legend, and below it the words."""
    columns = int(width / characters(1, WORD))
    texts = [*legend_of(pictures, columns)]
    first = texts[-1].line + 2 if texts else 0
    texts += [Text(first + n, 0, line, DIM) for n, line in enumerate(wrapped(words, columns))]
    return texts
