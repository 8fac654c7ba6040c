"""A black figure, in which places are pixels, and what is drawn into it."""

import io
from typing import Any

import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

LANDMARK = "#40ff90"
DIM = "#b8b8b8"

DPI = 100
POINT = 72 / DPI  # one pixel


class NotebookFigure(Figure):
    """A figure that a notebook shows as a picture, whether or not pyplot is imported."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=self.dpi)
        return png.getvalue()


class Sheet:
    """A black figure. Sizes and places are in pixels, from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.size = width, height
        self.figure = NotebookFigure((width / DPI, height / DPI), dpi=DPI, facecolor="black")
        # a user's style may ask for one, which would move what has its place
        self.figure.set_layout_engine("none")
        self.canvas = FigureCanvasAgg(self.figure)

    def write(self, x: float, y: float, text: str, pixels: float, **look: Any) -> float:
        """Write below and, unless `look` says otherwise, to the right of a place; how far."""
        width, height = self.size
        look = {"color": "white", "verticalalignment": "top", **look}
        written = self.figure.text(x / width, 1 - y / height, text, size=pixels * POINT, **look)
        return float(written.get_window_extent(self.canvas.get_renderer()).x1)

    def draw_line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a white line from one place to another."""
        width, height = self.size
        ends = (x0 / width, x1 / width), (1 - y0 / height, 1 - y1 / height)
        look: dict[str, Any] = {"color": "white", "linewidth": 3 * POINT}
        self.figure.add_artist(Line2D(*ends, solid_capstyle="butt", **look))

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes that fill a box, given by its upper left corner."""
        across, down = self.size
        return self.figure.add_axes(
            (x / across, 1 - (y + height) / down, width / across, height / down)
        )


def ring(axes: Axes, columns: npt.ArrayLike, rows: npt.ArrayLike, pixels: float) -> None:
    """Draw rings around landmarks."""
    look: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": LANDMARK}
    look |= {"markersize": pixels * POINT, "markeredgewidth": 3 * POINT}
    axes.plot(columns, rows, "o", **look)
