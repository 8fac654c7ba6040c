"""What paired times of two builds say: a ratio, its confidence interval, and a verdict."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

LIMIT = 1.15  # times as long
CONFIDENCE = 0.95

# Of one job: a list of rounds, in each of which the builds took turns. Seconds before and after.
Round = Sequence[tuple[float, float]]
Times = Mapping[str, Sequence[Round]]


class Comparison(NamedTuple):
    """How many times as long the second build takes: the median over rounds, and its interval."""

    ratio: float
    low: float
    high: float
    rounds: int

    def verdict(self, limit: float = LIMIT) -> str:
        """Return "slower" or "faster" where the whole interval lies beyond the limit.

        "unclear" means that the interval reaches beyond the limit for a slowdown, but starts below.
        """
        if self.low > limit:
            return "slower"
        if self.high < 1 / limit:
            return "faster"
        return "unclear" if self.high > limit else "same"


def compare(rounds: Sequence[Round]) -> Comparison:
    """Compare two builds by their times of one job.

    Noise that lasts longer than a turn meets both builds of a pair, and cancels in its ratio.
    Noise that is shorter meets few turns, and the median drops it. What a process has by chance,
    such as the place of its memory, stays for a round: so rounds, not turns, are the sample.

    Parameters
    ----------
    rounds : sequence of sequences of pairs of float
        For each pair of processes, its turns: seconds before and after.

    Returns
    -------
    Comparison
    """
    ratios = [median_ratio(turns) for turns in rounds]
    return Comparison(math.exp(np.median(np.log(ratios))), *interval(ratios), len(ratios))


def median_ratio(turns: Round) -> float:
    """Return the median of the ratios of paired times."""
    return float(np.exp(np.median([math.log(after / before) for before, after in turns])))


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the confidence interval of a median that the sign test gives.

    It supposes nothing about how the values are distributed. Its ends are two of the values; few
    values for the confidence have no end.

    References
    ----------
    Conover, Practical Nonparametric Statistics, 3rd edition, 1999, section 3.2.
    """
    ordered, count = sorted(values), len(values)
    # the k-th smallest and the k-th greatest: the largest k for which both miss seldom enough
    k = int(binom.ppf((1 - confidence) / 2, count, 0.5))
    if k < 1:
        return 0.0, math.inf
    return ordered[k - 1], ordered[count - k]


def compare_all(times: Times) -> dict[str, Comparison]:
    """Compare two builds by their times of each job."""
    return {job: compare(rounds) for job, rounds in times.items()}


def slower(comparisons: Mapping[str, Comparison], limit: float = LIMIT) -> list[str]:
    """Return the jobs that have become slower."""
    return [job for job, each in comparisons.items() if each.verdict(limit) == "slower"]


def table(comparisons: Mapping[str, Comparison], limit: float = LIMIT) -> str:
    """Return one line for each job."""
    width = max([len("job"), *map(len, comparisons)])
    lines = [f"{'job':{width}}  after/before  interval       rounds"]
    for job, (ratio, low, high, rounds) in comparisons.items():
        verdict = comparisons[job].verdict(limit)
        note = "" if verdict == "same" else f"  {verdict}"
        lines.append(f"{job:{width}}  {ratio:12.3f}  {low:.3f} - {high:.3f}  {rounds:6}{note}")
    return "\n".join(lines)
