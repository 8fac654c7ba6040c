"""The random pipeline that every benchmark measures, and what calls it."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import volaug

from .problem import DEGREES, KNOTS, MAX_LENGTH, SCALE, SEED, SLOPE


def random_pipeline(
    side: int, elastic: bool = True, first: Sequence[Any] = (), **options: Any
) -> volaug.Compose:
    """Return the pipeline for pictures of `side` voxels along each axis."""
    steps = [
        *first,
        volaug.RandomFlip(),
        volaug.RandomAffine(degrees=DEGREES, scale=SCALE, shear=SLOPE, translation=0.0, p=1.0),
    ]
    if elastic:
        steps.append(volaug.RandomElastic(MAX_LENGTH * side, num_control_points=KNOTS, p=1.0))
    return volaug.Compose(steps, seed=SEED, **options)


def random_patch(side: int, elastic: bool = True) -> volaug.Compose:
    """Return the pipeline for patches of `side` voxels from anywhere in a volume."""
    return random_pipeline(side, elastic, [volaug.RandomCrop(side)])


def sampling(pipeline: volaug.Compose, **targets: Any) -> Callable[[], volaug.Sample]:
    """Return what draws and computes another sample at each call, in one thread."""
    indices = itertools.count()
    return lambda: pipeline(**targets, index=next(indices), threads=1)


def drawing(pipeline: volaug.Compose, side: int) -> Callable[[], volaug.Record]:
    """Return what draws another sample at each call, and computes none."""
    indices = itertools.count()
    return lambda: pipeline.draw((side, side, side), index=next(indices))
