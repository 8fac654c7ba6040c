"""The sheets of the demo: a brain as it is, and after each strategy, a slice of each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...data.files.atomic import replacing
from ...plotting.contents import Contents, contents_of
from ...plotting.sample_tiles import draw_tiles
from .brain import LANDMARKS, Brain

TITLE = "volaug demo: a brain, its tissue labels and landmarks, augmented together"
TISSUES = "1 gray matter, 2 white matter, 3 other", "radiological: R is the patient's right"
LANDMARK = "right caudate nucleus"  # through which slices go, wherever it lies

# All sheets show the same view, darker than a brain is usually shown, so that outlines stand out.
VIEW, COLUMNS, WINDOW = "Axial", 3, (0.0, 1.1)


def tile(title: str, words: Sequence[str], brain: Brain) -> Contents:
    """What is shown of a brain: the axial slice through a landmark."""
    given = {"image": brain.image, "label": brain.labels, "points": brain.landmarks}
    place = brain.landmarks[[*LANDMARKS].index(LANDMARK)]
    i, j, k = np.clip(np.rint(place), 0, np.array(brain.image.shape) - 1).astype(int).tolist()
    contents = contents_of(given, "image", 0, (i, j, k), brain.affine)
    return contents._replace(heading=title, words="\n".join(words))


def draw_sheet(path: Path, tiles: Sequence[Contents], title: str = TITLE) -> None:
    """Write a PNG of tiles."""
    figure = draw_tiles(tiles, VIEW, COLUMNS, WINDOW, title)
    with replacing(path) as partial:
        figure.savefig(partial, format="png")
