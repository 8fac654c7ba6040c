"""The demo compiles its kernels in several processes, if the cache has none."""

# ruff: noqa: E402 - what the demo needs may be missing

import os
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("matplotlib", "nibabel", "nilearn", "rich"):
    pytest.importorskip(needed)

from volaug.cli.demo import compiling
from volaug.cli.demo.compiling import compile_kernels
from volaug.cli.demo.run import kernel_groups
from volaug.cli.demo.strategies import demo_strategies


@pytest.fixture
def calls(monkeypatch):
    """What was augmented, and the number of processes each time that processes were started."""
    made = {"augmented": [], "processes": []}

    def run_in_parts(code, processes, advance, *, data):
        made["processes"].append(processes)
        advance()

    monkeypatch.setattr(compiling, "augment_small", made["augmented"].append)
    monkeypatch.setattr(compiling, "run_in_parts", run_in_parts)
    return made


def count_kept_of(*counts):
    return iter(counts).__next__


@pytest.mark.parametrize(
    ("kept", "processes", "started"),
    [
        ((5, 5), 2, []),  # the cache is warm, or it cannot be written
        ((0, 1), 1, []),
        ((0, 1), 2, [2]),
        ((3, 5), 8, [3]),  # no more than there are groups
    ],
)
def test_processes_are_started_only_for_an_empty_cache(
    calls, monkeypatch, kept, processes, started
):
    monkeypatch.setattr(compiling, "count_kept", count_kept_of(*kept))
    groups, steps = [["a", "b"], ["c"], ["d"]], []
    compile_kernels(groups, processes, lambda: steps.append(1))
    assert calls["processes"] == started
    # whatever others have compiled, this process has loaded all in the end
    assert calls["augmented"] == ["a", "a", "b", "c", "d"]
    assert len(steps) == (1 if started else 4)


def test_each_strategy_and_each_change_is_in_one_group():
    strategies = demo_strategies()
    changes, *moving = kernel_groups(strategies)
    assert len(changes) == 11
    pipelines = [pipeline for group in moving for pipeline in group]
    assert sorted(map(id, pipelines)) == sorted(id(strategy.pipeline) for strategy in strategies)


@pytest.mark.slow
def test_processes_fill_the_cache_and_a_warm_one_starts_none(tmp_path):
    code = """
from volaug import Compose, RandomBrightness, RandomGamma
from volaug.cli.demo import compiling
from volaug.kernels.jit.cache import count_kept
started, steps = [], []
start = compiling.run_in_parts
compiling.run_in_parts = lambda *given, **data: started.append(start(*given, **data))
groups = [[Compose([RandomBrightness(p=1.0)])], [Compose([RandomGamma(p=1.0)])]]
compiling.compile_kernels(groups, 2, lambda: steps.append(1))
print(started, len(steps), count_kept())
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", code]

    def run():
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    assert run() == "[True] 2 1\n"  # this process has compiled the first kernel alone
    names = {file.name.split("-")[0] for file in Path(tmp_path).rglob("*.kernel")}
    assert {"scale_and_clip", "power_law"} <= names
    assert run() == "[] 2 0\n"
