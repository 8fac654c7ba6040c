"""A second sheet: one slice of the brain, changed by each step that changes intensities."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ... import (
    Compose,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
)
from ...plotting.contents import Contents
from ...transforms.base import Transform
from .brain import Brain
from .sheet import draw_sheet, tile
from .strategies import INDEX, SEED


class Change(NamedTuple):
    """A step, its title, and a function that says what it drew."""

    title: str
    step: Transform
    words: Callable[[Any], str]


# Stronger than the defaults, so that one sees the effects.
CHANGES = (
    Change("Less contrast", RandomContrast((0.4, 0.6), p=1.0), lambda d: f"× {d.factor:.2f}"),
    Change("More contrast", RandomContrast((1.2, 1.6), p=1.0), lambda d: f"× {d.factor:.2f}"),
    Change("Brightness", RandomBrightness((0.5, 0.7), p=1.0), lambda d: f"× {d.factor:.2f}"),
    Change(
        "Gamma",
        RandomGamma((1.6, 2.0), p_inverted=0.0, p=1.0),
        lambda d: f"{d.exponent:.2f}, mean and deviation stay",
    ),
    Change(
        "Inverted gamma",
        RandomGamma((1.8, 2.4), p_inverted=1.0, p=1.0),
        lambda d: f"{d.exponent:.2f}, mean and deviation stay",
    ),
    Change(
        "Histogram shift",
        RandomHistogramShift((0.3, 0.5), num_control_points=4, p=1.0),
        lambda d: f"thirds at {d.levels[1]:.2f} and {d.levels[2]:.2f}",
    ),
    Change(
        "Gaussian noise",
        RandomNoise((0.15, 0.25), p=1.0),
        lambda d: f"{d.std:.2f} standard deviations",
    ),
    Change(
        "Rician noise",
        RandomNoise((0.15, 0.25), kind="rician", p=1.0),
        lambda d: f"{d.std:.2f} standard deviations",
    ),
    Change(
        "Blur",
        RandomBlur((1.2, 1.8), isotropic=True, p=1.0),
        lambda d: f"Gaussian of {d.sigma[0]:.1f} mm",
    ),
    Change(
        "Low resolution",
        RandomLowResolution((0.3, 0.4), p=1.0),
        lambda d: f"{100 * d.resolution[0]:.0f} % of the voxels an axis",
    ),
    Change(
        "Bias field", RandomBiasField((3.0, 4.0), p=1.0), lambda d: "the logarithm is a B-spline"
    ),
)

TITLE = "volaug demo: steps that change the values of the image alone"


def draw_contrast(path: Path, brain: Brain, threads: int) -> None:
    """Write a PNG of a slice as it is, and changed by each step."""
    given: Any = {"image": brain.image, "affine": brain.affine, "index": INDEX, "threads": threads}
    tiles = [without_label(tile("Original", ["MNI152 T1"], brain))]
    for title, step, say in CHANGES:
        sample = Compose([step], seed=SEED)(**given)
        ((_, operation),) = sample.record.steps
        changed = brain._replace(image=sample["image"])
        tiles.append(without_label(tile(title, [say(operation)], changed)))
    draw_sheet(path, tiles, TITLE)


def without_label(contents: Contents) -> Contents:
    """The image alone, which is all that changes."""
    return contents._replace(label=None, points=np.empty((0, 3)))
