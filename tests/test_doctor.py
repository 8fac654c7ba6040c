"""`volaug doctor` finds what is wrong, and says what to do; `benchmark` measures."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("typer")

from typer.testing import CliRunner

from volaug import affine_transform
from volaug.cli.app import app
from volaug.cli.benchmark import measure as measuring
from volaug.cli.benchmark.throughput_table import REFERENCE_MS
from volaug.cli.doctor import checkup as checking
from volaug.cli.doctor.checkup import State, features, kernel_cache, kernel_packs, numbers, threads
from volaug.cli.doctor.reference import linear_reference
from volaug.kernels.jit import packs, trust

COMMANDS = ("preview", "info", "doctor", "benchmark", "warmup", "demo")


def test_says_that_all_is_well():
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    subjects = [line[8:20].strip() for line in result.stdout.splitlines() if line[:8].strip()]
    assert subjects == [
        "versions", "processors", "threads", "cache", "packs", *checking.FEATURES, "adapters",
        "kernel",
    ]  # fmt: skip
    assert "WRONG" not in result.stdout


def test_wrong_numbers_are_found(monkeypatch):
    def wrong(*arguments):
        return affine_transform(*arguments) * np.float32(1.001)

    monkeypatch.setattr(checking, "affine_transform", wrong)
    assert numbers().state is State.WRONG
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "WRONG   kernel      differs from its definition by " in result.stdout
    assert "empty the kernel cache" in result.stdout


def test_a_kernel_that_cannot_be_run_is_found(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(checking, "affine_transform", broken)
    assert numbers()[:3] == (State.WRONG, "kernel", "cannot be run: no compiler")


def test_a_cache_that_others_can_write_is_found(monkeypatch):
    def refuse(folder):
        raise trust.UntrustedError(f"{folder} is writable by everybody")

    monkeypatch.setattr(trust, "trusted_folder", refuse)
    found = kernel_cache()
    assert found.state is State.WRONG
    assert "is writable by everybody" in found.text
    assert "NUMBA_CACHE_DIR" in found.remedy


def test_an_empty_cache_is_noted(monkeypatch, tmp_path):
    monkeypatch.setattr(checking.KERNELS[0]._cache, "_folders", lambda: [tmp_path / "a" / "b"])
    found = kernel_cache()
    assert found.state is State.NOTE
    assert "trusted, 0 kernels" in found.text


def test_a_wrong_number_of_threads_is_found(monkeypatch):
    monkeypatch.setenv("VOLAUG_NUM_THREADS", "many")
    found = threads()
    assert found.state is State.WRONG
    assert "VOLAUG_NUM_THREADS must be a whole number" in found.text
    monkeypatch.setenv("VOLAUG_NUM_THREADS", "1")
    assert threads().text == "1: VOLAUG_NUM_THREADS=1"


def test_packs_that_cannot_be_used_are_found(monkeypatch):
    monkeypatch.setattr(packs, "usable_packs", lambda warn: warn("VOLAUG_PACKS is no folder") or ())
    assert kernel_packs()[:3] == (State.WRONG, "packs", "VOLAUG_PACKS is no folder")


def test_what_is_missing_is_named(monkeypatch):
    find = importlib.util.find_spec
    missing = {"SimpleITK", "monai"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    found = {finding.subject: finding for finding in features()}
    assert found["files"].state is State.NOTE
    assert "SimpleITK missing" in found["files"].text
    assert found["files"].remedy == 'pip install "volaug[files]"'
    assert "monai" not in found["adapters"].text


def test_the_reference_is_linear_interpolation():
    volume = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(linear_reference(volume, np.eye(3), np.zeros(3)), volume)
    half = linear_reference(volume, np.eye(3), np.array([0, 0, 0.5]))
    np.testing.assert_array_equal(half[..., :3], volume[..., :3] + 0.5)
    assert (half[..., 3] == 0).all()  # outside


@pytest.mark.slow
def test_benchmark_measures(monkeypatch):
    for name, value in {"SIDE": 24, "CASE": 20, "PATCH": 16, "RUNS": 2, "SAMPLES": 2}.items():
        monkeypatch.setattr(measuring, name, value)
    result = CliRunner().invoke(app, ["benchmark", "--json", "--threads", "1"])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert [timing["name"] for timing in values["timings"]] == [*REFERENCE_MS]
    for timing in values["timings"]:
        assert timing["ms"] > 0
        assert timing["copies"] > 0
        assert timing["voxels_per_second"] == pytest.approx(1e3 * timing["voxels"] / timing["ms"])
    table = CliRunner().invoke(app, ["benchmark"]).stdout
    assert all(name in table for name in REFERENCE_MS)


def test_benchmark_moves_what_it_measures():
    volume = measuring.head(20)
    assert volume[10, 10, 10] > 0
    assert volume[0, 0, 0] == 0
    turn = measuring.rotation(0.2, -0.1)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    timing = measuring.timing("a copy", volume, 1, measuring.copying(volume))
    assert timing.seconds > 0
    assert timing.voxels == volume.size


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_waits_for_nothing(command):
    code = f"""
import sys
from volaug.cli.app import run
try:
    run([{command!r}, "--help"])
except SystemExit:
    heavy = ("numba", "numpy", "scipy", "matplotlib", "nibabel", "rich", "pydantic")
    print("loaded:", *(name for name in heavy if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Example" in done.stdout
    assert f"volaug {command}" in done.stdout
    assert done.stdout.splitlines()[-1].rstrip() == "loaded:"


@pytest.mark.slow
def test_help_of_a_command_is_that_of_the_group():
    for command in COMMANDS:
        alone = subprocess.run(
            [sys.executable, "-m", "volaug", command, "--help"], capture_output=True, text=True
        ).stdout
        within = CliRunner().invoke(app, [command, "--help"], prog_name="volaug").stdout
        assert " ".join(alone.split()) == " ".join(within.split())
