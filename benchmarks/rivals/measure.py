"""Check that all engines computed the same, then time them in turn."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .contender import Contender
from .problems import Problem
from .reference import Difference

# What the threads of another engine may go on spinning for after its call.
PAUSE = 0.05


class DifferentResultError(Exception):
    """An engine computed something else, so that its time means nothing."""


@dataclass(frozen=True)
class Row:
    """What was measured of a contender, but not its arrays: those of a job are freed after it."""

    job: str
    engine: str
    version: str
    threads: int
    voxels: int
    differences: tuple[Difference, ...]  # of each array of the result
    seconds: list[float]


def check(job: str, problem: Problem, entries: Sequence[Contender]) -> list[tuple[Difference, ...]]:
    """Return how far each engine's arrays are from the reference, if that is near enough."""
    references = problem.references()
    found: list[tuple[Difference, ...]] = []
    for entry in entries:
        result = entry.run()
        if entry.arrays is None:
            found.append(())
            continue
        differences = tuple(
            reference.difference(array)
            for reference, array in zip(references, entry.arrays(result), strict=True)
        )
        for difference in differences:
            if not difference.is_allowed:
                raise DifferentResultError(
                    f"{job}: {entry.engine} differs from the reference by {difference}, "
                    f"more than {difference.allowed:g}"
                )
        found.append(differences)
    return found


def measure(job: str, problem: Problem, entries: Sequence[Contender], effort: float) -> list[Row]:
    """Return a row for each contender; their repeats, times `effort`, are spread over the run."""
    found = check(job, problem, entries)  # each has run once, which compiled and warmed it up
    repeats = [max(1, round(entry.repeats * effort)) for entry in entries]
    seconds: list[list[float]] = [[] for _ in entries]
    turns = max(repeats)
    for turn in range(turns):
        for entry, times, taken in zip(entries, repeats, seconds, strict=True):
            if turn * times // turns == (turn + 1) * times // turns:
                continue
            time.sleep(PAUSE)
            start = time.perf_counter()
            result = entry.run()
            taken.append(time.perf_counter() - start)
            del result  # freed after the clock has stopped
    return [
        Row(
            job,
            entry.engine,
            entry.version,
            entry.threads,
            entry.voxels or problem.voxels,
            differences,
            taken,
        )
        for entry, differences, taken in zip(entries, found, seconds, strict=True)
    ]
