"""What came out: the mean Dice of each arm by strength, as a table and as JSON."""

import statistics
from collections.abc import Sequence
from typing import Any

from ..rivals.report import machine
from .arms import ARMS
from .experiment import STRENGTHS, Outcome, Run
from .heads import CLASSES


def mean_dice(outcome: Outcome, strength: float) -> float:
    """Return the mean over test images and classes."""
    return statistics.fmean(map(statistics.fmean, outcome.dice[strength]))


def of_arm(outcomes: Sequence[Outcome], arm: str, trained_on: str) -> list[Outcome]:
    """Return the runs of an arm on one head, one per seed."""
    return [o for o in outcomes if (o.run.arm, o.run.trained_on) == (arm, trained_on)]


def directions(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Return the pairs of heads, in the order of the runs."""
    return list(dict.fromkeys((o.run.trained_on, o.run.tested_on) for o in outcomes))


def table(outcomes: Sequence[Outcome]) -> str:
    """Return mean Dice ± standard deviation over seeds, if there are several, in Markdown."""
    strengths = " | ".join(f"strength {strength:g}" for strength in STRENGTHS)
    lines = [
        f"| trained on | tested on | augmentation | {strengths} |",
        f"| --- | --- | --- |{' ---: |' * len(STRENGTHS)}",
    ]
    for one, other in directions(outcomes):
        for arm in ARMS:
            runs, cells = of_arm(outcomes, arm, one), []
            if not runs:  # of a run that was interrupted
                continue
            for strength in STRENGTHS:
                scores = [mean_dice(o, strength) for o in runs]
                spread = f" ± {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
                cells.append(f"{statistics.fmean(scores):.2f}{spread}")
            lines.append(f"| {one} | {other} | {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def as_json(outcomes: Sequence[Outcome], setting: dict[str, Any]) -> dict[str, Any]:
    """Return all results, with what they depend on."""
    return {
        "machine": machine(),
        "setting": setting,
        "classes": list(CLASSES),
        "runs": [
            {**o.run._asdict(), "dice": o.dice, "loss": o.loss, "seconds": o.seconds}
            for o in outcomes
        ],
    }


def from_json(content: dict[str, Any]) -> list[Outcome]:
    """Return the results that `as_json` gave."""
    return [
        Outcome(
            Run(run["arm"], run["trained_on"], run["tested_on"], run["seed"]),
            {float(strength): scores for strength, scores in run["dice"].items()},
            run["loss"],
            run["seconds"],
        )
        for run in content["runs"]
    ]
