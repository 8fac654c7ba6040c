"""The seven strategies of the demo, and all of them in one pipeline.

What a step draws depends on the key and on the step alone. So the last pipeline, which has all
steps, draws the same as the others.
"""

from collections.abc import Callable
from typing import NamedTuple

from ... import (
    Compose,
    RandomContrast,
    RandomElastic,
    RandomFlip,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    Record,
)
from . import words

# The key of all draws, so that everyone sees the same pictures.
SEED, INDEX = 0, 2916

# Stronger than the defaults, so that one sees the effects. Lengths are in mm.
STEPS = (
    ("Translation", RandomTranslation(15.0, p=1.0), words.translation),
    ("Rotation", RandomRotation(15.0, p=1.0), words.rotation),
    ("Flip", RandomFlip(axes=0, p=1.0), words.flip),
    ("Stretch", RandomScaling(0.25, p=1.0), words.stretch),
    ("Shear", RandomShear(0.15, p=1.0), words.shear),
    ("Elastic", RandomElastic(12.0, num_control_points=9, p=1.0), words.elastic),
    ("Contrast", RandomContrast((0.5, 2.0), p=1.0), words.contrast),
)


class Strategy(NamedTuple):
    """A pipeline, its title, and a function that says what it drew, line by line."""

    title: str
    pipeline: Compose
    words: Callable[[Record], list[str]]

    @property
    def stem(self) -> str:
        """The beginning of the names of its files."""
        return self.title.lower().replace(" ", "-")


def demo_strategies() -> list[Strategy]:
    """One for each step, and one for all of them together."""
    alone = [Strategy(title, Compose([step], seed=SEED), say) for title, step, say in STEPS]
    together = Compose([step for _, step, _ in STEPS], seed=SEED)
    return [*alone, Strategy("All together", together, words.together)]
