"""What makes the problem of a job, from the side of the cube and a number of threads."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ..brain import TISSUES, brain, case, labels, parcels
from ..problem import (
    LOADED,
    Array,
    Floats,
    as_integers,
    control_points,
    pull_matrix,
    tiled,
)
from .case import Case
from .problems import LeastDeterminant, Loading, Patches, Resizing, Sample, Together, Training

CHANNELS = 4
CASES = 8
BATCHES = 20
PASS = CASES  # batches of 2: each case twice


def uint8(side: int) -> Array:
    """Return the brain in 8 bits."""
    return as_integers(brain(side), "uint8")


def int16(side: int) -> Array:
    """Return the brain in 12 of 16 bits."""
    return as_integers(brain(side), "int16")


def warp(
    volume: Callable[[int], Array],
    interpolation: str = "linear",
    matrix: Callable[[int], Floats] = pull_matrix,
    elastic: bool = False,
) -> Callable[[int, int], Case]:
    """Return what makes the warp of a volume."""

    def case(side: int, threads: int) -> Case:
        points = control_points() if elastic else None
        return Case(volume(side), matrix(side), points, interpolation, threads)

    return case


def resizing(
    volume: Callable[[int], Array], factor: float, interpolation: str
) -> Callable[[int, int], Resizing]:
    """Return what makes the resizing of a volume, so that the larger side is the job's."""

    def problem(side: int, threads: int) -> Resizing:
        small = round(side / max(factor, 1 / factor))
        source, target = (small, side) if factor > 1 else (side, small)
        return Resizing(volume(source), target, interpolation, threads)

    return problem


def patch(classes: int) -> Callable[[int, int], Case]:
    """Return what makes the warp of labels as in a worker that fills batches of patches.

    The cube has half the side, and there is one thread.
    """
    of_parcels = warp(partial(parcels, classes=classes), "label")
    return lambda side, threads: of_parcels(side // 2, 1)


def image_and_label(elastic: bool) -> Callable[[int, int], Together]:
    """Return what makes the warp of the brain and its labels."""
    both = warp(brain, elastic=elastic), warp(labels, "label", elastic=elastic)
    return lambda side, threads: Together(tuple(make(side, threads) for make in both))


def channels(side: int, threads: int) -> Together:
    """Make the warp of channels, no two of which are the same."""
    volumes = [lambda side, k=k: np.roll(brain(side), k, axis=0) for k in range(CHANNELS)]
    return Together(tuple(warp(volume)(side, threads) for volume in volumes))


def determinant(side: int, threads: int) -> LeastDeterminant:
    """Make the question whether the elastic warp folds."""
    return LeastDeterminant(warp(brain, elastic=True)(side, threads))


def sample(side: int, threads: int) -> Sample:
    """Make the random sample of a worker that fills batches: half the side, one thread."""
    return Sample(brain(side // 2), parcels(side // 2, TISSUES), 1)


def patches(elastic: bool) -> Callable[[int, int], Patches]:
    """Return what makes patches of half the side, out of volumes 5/4, 2 and 4 times as long."""

    def problem(side: int, threads: int) -> Patches:
        patch = side // 2
        least = int16(patch * 5 // 4)
        volumes = tuple(tiled(least, length) for length in (len(least), 2 * patch, 4 * patch))
        return Patches(volumes, patch, elastic)

    return problem


def loading(side: int, threads: int) -> Loading:
    """Make eight cases of the whole brain, and patches of half the side."""
    image, label = case(max(1, 256 // side))
    return Loading(rolled(image), rolled(label), side // 2, BATCHES, threads)


def cubes(side: int, threads: int) -> Loading:
    """Make eight cubes of half the side, cut from the brain, and their labels."""
    half = side // 2
    return Loading(rolled(brain(half)), rolled(parcels(half, TISSUES)), half, PASS, threads)


def rolled(volume: Array) -> tuple[Array, ...]:
    """Return copies of a volume, no two of which are the same."""
    return tuple(np.roll(volume, 3 * k, axis=0) for k in range(CASES))


def training(side: int, threads: int) -> Training:
    """Make the patch of half the side that nnU-Net would train with, and one thread."""
    patch = side // 2
    loaded = 2 * round(LOADED * patch / 2)
    image = brain(loaded)
    normal = (image - image.mean()) / image.std()
    return Training(normal, parcels(loaded, TISSUES), patch, 1)
