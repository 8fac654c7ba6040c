"""The ways to train that are compared: pipelines from no augmentation to too much of it."""

from collections.abc import Callable

from volaug import (
    Compose,
    RandomBrightness,
    RandomContrast,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
)


def nothing() -> Compose:
    """Return a pipeline that leaves the head as it is."""
    return Compose([])


def rigid() -> Compose:
    """Return rotations and translations alone."""
    return Compose([RandomRotation(20.0, p=0.8), RandomTranslation(12.0, p=0.8)])


def all_seven() -> Compose:
    """Return all seven strategies in ranges that a head may have."""
    return Compose(
        [
            RandomFlip("LR"),
            RandomScaling(0.2, p=0.8),
            RandomShear(0.05, p=0.5),
            RandomRotation(20.0, p=0.8),
            RandomTranslation(12.0, p=0.8),
            RandomElastic(10.0, num_control_points=7, p=0.8),
            RandomContrast((0.75, 1.25), p=0.5),
            RandomBrightness((0.75, 1.25), p=0.5),
            RandomGamma((0.6, 1.6), p_inverted=0.0, p=0.5),
        ],
        swap=set(),
    )


def overdone() -> Compose:
    """Return the same steps, each time and so far that no head looks like it."""
    return Compose(
        [
            RandomFlip((0, 1, 2)),
            RandomScaling((0.4, 2.5), p=1.0),
            RandomShear(0.4, p=1.0),
            RandomRotation("uniform", p=1.0),
            RandomTranslation(50.0, p=1.0),
            RandomElastic(40.0, num_control_points=9, folding="allow", p=1.0),
            RandomContrast((0.2, 4.0), p=1.0),
            RandomBrightness((0.2, 4.0), p=1.0),
            RandomGamma((0.2, 5.0), p_inverted=0.5, p=1.0),
        ],
        swap=set(),
    )


ARMS: dict[str, Callable[[], Compose]] = {
    "no augmentation": nothing,
    "rigid only": rigid,
    "all seven": all_seven,
    "overdone": overdone,
}
