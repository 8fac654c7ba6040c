"""The gate's statistics, on times that `benchmarks.gate.trials` recorded on a busy machine.

Two processors had a load of 11 to 15. By the clock, intervals of no change reached from 0.7 to 1.9.
"""

import json
import math
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gate import __main__ as gate, builds, jobs, large, trials
from benchmarks.gate.statistics import (
    LIMIT,
    Comparison,
    compare,
    compare_all,
    interval,
    median_ratio,
    slower,
    table,
)

RECORDED = json.loads((Path(__file__).parent / "golden" / "gate_times.json").read_text())
ROUNDS = 12


def rounds_of(kind):
    """By job, all recorded rounds of a kind of run."""
    rounds = {}
    for run in RECORDED:
        if run["run"].startswith(kind):
            for job, recorded in run["times"].items():
                rounds.setdefault(job, []).extend(recorded)
    return rounds


def run_of(rounds, number, size=ROUNDS):
    """A run: rounds that are drawn from those recorded."""
    rng = np.random.default_rng(number)
    return {
        job: [recorded[k] for k in rng.integers(len(recorded), size=size)]
        for job, recorded in rounds.items()
    }


def scaled(times, factor):
    """The same times, as if the second build took longer."""
    return {
        job: [[(before, factor * after) for before, after in turns] for turns in rounds]
        for job, rounds in times.items()
    }


@pytest.mark.parametrize("number", range(10))
def test_no_change_is_not_found(number):
    assert slower(compare_all(run_of(rounds_of("null"), number))) == []


@pytest.mark.parametrize("number", range(10))
def test_a_slowdown_of_30_percent_is_found(number):
    """With as many rounds as an unclear job gets."""
    times = run_of(rounds_of("null"), number, 2 * ROUNDS)
    assert slower(compare_all(scaled(times, 1.3))) == list(times)


def test_a_planted_slowdown_was_found():
    """In a build whose kernels took 30 % longer: in all jobs that have kernels."""
    comparisons = compare_all(rounds_of("planted"))
    assert slower(comparisons) == [job for job in comparisons if job not in trials.WITHOUT_KERNELS]


def test_no_change_has_a_ratio_of_one():
    comparisons = compare_all(rounds_of("null"))
    assert len(comparisons) >= 3
    for each in comparisons.values():
        assert each.rounds == 27
        assert each.ratio == pytest.approx(1.0, abs=0.05)


def test_what_disturbs_a_few_rounds_changes_no_verdict():
    rounds = [[(1.0, 1.0)] * 3] * 12
    for number, turns in enumerate(([(1.0, 9.0)] * 3, [(1.0, 5.0)] * 3)):
        rounds[number] = turns
    assert compare(rounds) == Comparison(1.0, 1.0, 1.0, 12)
    slow = [[(1.0, 1.3)] * 3] * 12
    slow[3] = [(9.0, 1.3)] * 3
    assert slower({"job": compare(slow)}) == ["job"]


@pytest.mark.parametrize(
    ("count", "wanted"),
    [(5, (0.0, math.inf)), (6, (1, 6)), (9, (2, 8)), (12, (3, 10)), (20, (6, 15))],
)
def test_the_interval_of_the_sign_test(count, wanted):
    """By the tables of the binomial distribution."""
    assert interval([float(number) for number in range(count, 0, -1)]) == wanted


def test_the_interval_covers_a_median_as_often_as_it_says():
    rng = np.random.default_rng(1)
    intervals = [interval(rng.lognormal(0.0, 0.5, 12).tolist()) for _ in range(1000)]
    held = np.mean([low < 1.0 < high for low, high in intervals])
    assert 0.94 < held < 0.98  # 0.961


def test_the_ratio_of_turns_is_their_median():
    assert median_ratio([(1.0, 1.2), (10.0, 11.0), (1.0, 7.0)]) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("comparison", "verdict"),
    [
        (Comparison(1.3, 1.16, 1.4, 12), "slower"),
        (Comparison(1.3, 1.14, 1.4, 12), "unclear"),
        (Comparison(1.0, 0.9, 1.4, 12), "unclear"),
        (Comparison(1.1, 1.0, 1.14, 12), "same"),
        (Comparison(0.7, 0.6, 0.8, 12), "faster"),
        (Comparison(0.8, 0.7, 0.9, 12), "same"),
    ],
)
def test_verdicts(comparison, verdict):
    assert comparison.verdict(LIMIT) == verdict
    lines = table({"a job": comparison}).splitlines()
    assert lines[0].split() == ["job", "after/before", "interval", "rounds"]
    assert lines[1].startswith(f"a job         {comparison.ratio:.3f}")
    assert lines[1].endswith("12" if verdict == "same" else verdict)


class PretendedBuilds:
    """Two builds. The second one is slower at some jobs, by the given factors."""

    def __init__(self, factors):
        self.factors, self.asked = factors, []

    def round(self, names, turns):
        self.asked.append((list(names), turns))
        noise = 1.0 + 0.1 * (len(self.asked) % 3 - 1)
        return {name: [(1.0, noise * self.factors[name])] * turns for name in names}


def test_what_is_unclear_is_measured_again():
    """And what is clear is not."""
    pair = PretendedBuilds({"same": 1.0, "unclear": 1.1, "slower": 2.0})
    times = gate.measured(pair, list(pair.factors), rounds=6)
    assert {job: len(rounds) for job, rounds in times.items()} == {
        "same": 6,
        "unclear": 12,
        "slower": 6,
    }
    assert pair.asked[0] == (["same", "unclear", "slower"], 1)  # compiles, and does not count
    assert slower(compare_all(times)) == ["slower"]


@pytest.fixture
def pretended(monkeypatch):
    """Let the command time pretended builds."""

    def pretend(**factors):
        monkeypatch.setattr(gate, "Builds", lambda *places: PretendedBuilds(factors))
        return list(factors)

    return pretend


@pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (0.5, 0), (2.0, 1)])
def test_the_exit_status(factor, status, pretended, capsys, tmp_path):
    names = pretended(affine=factor, label=1.0)
    arguments = [str(builds.ROOT), str(builds.ROOT), "--rounds", "6", "--jobs", *names]
    path = tmp_path / "times.json"
    assert gate.main([*arguments, "--json", str(path)]) == status
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == ("slower by over 15 %: affine" if status else "nothing is slower by over 15 %")
    assert len(json.loads(path.read_text())["affine"]) == 6


def test_what_is_no_build(capsys):
    with pytest.raises(SystemExit, match="'nothing' is neither a folder with volaug in it nor"):
        gate.main(["nothing"])


def test_jobs_answer_by_name(monkeypatch, capsys):
    def impossible():
        raise AttributeError("no such function")

    monkeypatch.setattr(jobs, "JOBS", {"a": lambda: lambda: None, "b": impossible})
    answers = StringIO()
    jobs.serve(["a", "b"], StringIO("a\na\n"), answers)
    lines = answers.getvalue().splitlines()
    assert json.loads(lines[0]) == ["a"]
    assert all(0 <= float(line) < 1 for line in lines[1:])
    assert len(lines) == 3
    assert capsys.readouterr().err == "b: no such function\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*jobs.JOBS, *large.LARGE_JOBS])
def test_every_job_can_be_done(name, monkeypatch):
    for module in (jobs, large):
        monkeypatch.setattr(module, "SIDE", 32)
    assert list(jobs.prepared([name])) == [name]


@pytest.mark.slow
def test_processes_of_two_builds_take_turns(tmp_path):
    slowed = trials.slowed_copy(tmp_path / "slowed")
    source = (slowed / "volaug" / "threads" / "parts.py").read_text()
    assert source.endswith(trials.SLOWDOWN.format(slowdown=0.3))
    pair = builds.Builds(builds.ROOT, slowed, tmp_path)
    times = pair.round(["draw"], turns=2)
    assert list(times) == ["draw"]
    assert np.shape(times["draw"]) == (2, 2)
    assert np.min(times["draw"]) > 0


def test_a_slowed_copy_does_the_same(tmp_path):
    slowed = trials.slowed_copy(tmp_path)
    code = (
        "from time import process_time as now; import volaug.threads.parts as parts; taken = []\n"
        "def work(first, stop):\n"
        "    start = now(); sum(range(3_000_000)); taken.append(now() - start)\n"
        "start = now(); parts.run_parts(work, 5, 1)\n"
        "assert len(taken) == 1; assert 1.3 * taken[0] <= now() - start < 1.5 * taken[0]"
    )
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(slowed)!r})\n{code}"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
