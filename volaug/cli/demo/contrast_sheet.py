"""A second sheet: one slice of the brain, changed by each step that changes intensities."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
from ...plotting.canvas import DIM, Sheet
from ...plotting.views import Plane
from ...transforms.base import Transform
from .brain import LANDMARKS, Brain
from .sheet import MARGIN, VOXEL, save
from .slices import VIEWS
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

COLUMNS = 4
TITLE, TOP, GAP = 84, 110, 24
VIEW = VIEWS[2]
WINDOW = (0.0, 1.1)


def draw_contrast(path: Path, brain: Brain, threads: int) -> None:
    """Write a PNG of the slice as it is, and changed by each step."""
    given: Any = {"image": brain.image, "affine": brain.affine, "index": INDEX, "threads": threads}
    shown: list[tuple[str, str, Plane]] = [("Original", "MNI152 T1", slice_of(brain.image, brain))]
    for title, step, say in CHANGES:
        sample = Compose([step], seed=SEED)(**given)
        ((_, operation),) = sample.record.steps
        shown.append((title, say(operation), slice_of(sample["image"], brain)))

    height, width = (VOXEL * length for length in shown[0][2].shape)
    rows = -(-len(shown) // COLUMNS)
    sheet = Sheet(
        2 * MARGIN + COLUMNS * width + (COLUMNS - 1) * GAP, TOP + rows * (TITLE + height + GAP)
    )
    sheet.write(MARGIN, 28, "volaug demo: steps that change the values of the image alone", 40)
    for number, (title, words, plane) in enumerate(shown):
        row, column = divmod(number, COLUMNS)
        left, top = MARGIN + column * (width + GAP), TOP + row * (TITLE + height + GAP)
        sheet.write(left, top, title, 30, weight="bold")
        sheet.write(left, top + 42, words, 24, color=DIM)
        axes = sheet.axes(left, top + TITLE, width, height)
        low, high = WINDOW
        axes.imshow(plane, "gray", aspect="auto", origin="lower", vmin=low, vmax=high)
        axes.set_axis_off()
    save(sheet, path)


def slice_of(image: Any, brain: Brain) -> Plane:
    """The axial slice through a landmark."""
    place = list(LANDMARKS).index("right caudate nucleus")
    return VIEW.plane(image, round(float(brain.landmarks[place, VIEW.axis])))
