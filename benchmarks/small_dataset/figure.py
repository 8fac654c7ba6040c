"""The figure: moved heads with their classes above, the Dice by strength below."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .arms import ARMS
from .experiment import FIRST_MOVE, STRENGTHS, Outcome
from .heads import CLASSES, Head
from .moves import moved
from .results import directions, mean_dice, of_arm

# Colors that readers with any color vision tell apart (Okabe and Ito).
COLORS = ("#999999", "#0072B2", "#009E73", "#D55E00", "#CC79A7")
MARKERS = ("o", "s", "D", "^")


def draw(outcomes: Sequence[Outcome], head: Head, spacing: float, file: Path) -> None:
    """Write the figure as a PNG; the pictures are of `head`, in voxels of `spacing` mm."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1.7))
    above, below = parts
    for axes, strength in zip(above.subplots(1, len(STRENGTHS)), STRENGTHS, strict=True):
        _picture(axes, head, spacing, strength)
    above.suptitle(
        f"{head.name}, moved by SimpleITK: the first test image of each strength", fontsize=11
    )
    panels = below.subplots(1, 2, sharey=True)
    for axes, (one, other) in zip(panels, directions(outcomes), strict=False):
        _curves(axes, outcomes, one)
        axes.set_title(f"trained on {one}, tested on {other}", fontsize=11)
        axes.set_xlabel("strength of the move")
    panels[0].set_ylabel(f"mean Dice of {len(CLASSES)} classes")
    panels[0].set_ylim(0, 1)
    panels[0].legend(frameon=False)
    figure.savefig(file, format="png")


def _picture(axes: Any, head: Head, spacing: float, strength: float) -> None:
    image, label = moved(head, spacing, strength, FIRST_MOVE)
    place = image.shape[0] * 3 // 5
    axes.imshow(image[place].T, origin="lower", cmap="gray", interpolation="nearest")
    classes = np.ma.masked_equal(label[place].T, 0)
    axes.imshow(
        classes, origin="lower", cmap=_colors(), vmin=0.5, vmax=len(CLASSES) + 0.5, alpha=0.45,
        interpolation="nearest",
    )  # fmt: skip
    axes.set_title(f"strength {strength:g}", fontsize=10)
    axes.set_axis_off()


def _colors() -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap(["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7"])


def _curves(axes: Any, outcomes: Sequence[Outcome], trained_on: str) -> None:
    """Draw the mean over seeds of each arm, and the single seeds as a band."""
    for arm, color, marker in zip(ARMS, COLORS, MARKERS, strict=False):
        runs = of_arm(outcomes, arm, trained_on)
        if not runs:  # of a run that was interrupted
            continue
        scores = [[mean_dice(run, strength) for run in runs] for strength in STRENGTHS]
        axes.plot(STRENGTHS, list(map(statistics.fmean, scores)), marker, ls="-", color=color,
                  label=arm)  # fmt: skip
        axes.fill_between(
            STRENGTHS, list(map(min, scores)), list(map(max, scores)), color=color, alpha=0.2
        )
    axes.set_xticks(STRENGTHS)
    axes.grid(alpha=0.3)
