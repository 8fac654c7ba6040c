"""Check that all engines computed the same, then time them in turn."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .contender import Contender
from .problems import Problem
from .reference import Difference

# What the threads of another engine may go on spinning for after its call.
PAUSE = 0.05

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "best": min,
    "median": statistics.median,
    "mean": statistics.fmean,
}


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
    statistic: str

    @property
    def typical(self) -> float:
        """The seconds that stand for all of them."""
        return STATISTICS[self.statistic](self.seconds)


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


def measure(
    job: str, problem: Problem, entries: Sequence[Contender], effort: float, statistic: str
) -> list[Row]:
    """Return a row for each contender; their repeats, times `effort`, are spread over the run."""
    found = check(job, problem, entries)  # each has run once, which compiled and warmed it up
    repeats = [max(1, round(entry.repeats * effort)) for entry in entries]
    seconds: list[list[float]] = [[] for _ in entries]
    turns, threads = max(repeats), 1
    for turn in range(turns):
        for entry, times, taken in zip(entries, repeats, seconds, strict=True):
            if turn * times // turns == (turn + 1) * times // turns:
                continue
            if threads > 1:
                time.sleep(PAUSE)
            threads = entry.threads
            start = entry.clock()
            result = entry.run()
            taken.append(entry.clock() - start)
            del result  # freed after the clock has stopped
    return [
        Row(
            job,
            entry.engine,
            entry.version,
            entry.threads,
            problem.voxels if entry.voxels is None else entry.voxels,
            differences,
            taken,
            statistic,
        )
        for entry, differences, taken in zip(entries, found, seconds, strict=True)
    ]
