"""What is published beside the code: metadata, the files of an sdist, and the public CI."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import volaug

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def functions_of(script):
    return set(re.findall(r"^(\w+)\(\)", (ROOT / script).read_text(), re.MULTILINE))


def called_steps():
    """The steps of .ci/run and .ci/full that the public CI calls, with their script."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    for job in workflow["jobs"].values():
        every = job.get("strategy", {}).get("matrix", {}).get("step", ())
        for line in (step["run"] for step in job["steps"] if "run" in step):
            script, *names = line.replace("${{ matrix.step }}", " ".join(every)).split()
            yield from ((script, name) for name in names)


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == volaug.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_sdist_has_what_its_readers_need():
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in ("CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "CITATION.cff", "CHANGELOG.md"):
        assert f"/{name}" in included
    for name in included:
        assert (ROOT / name.lstrip("/")).exists(), name


def test_the_public_ci_calls_steps_that_there_are():
    called = set(called_steps())
    assert {script for script, _ in called} == {".ci/run", ".ci/full"}
    for script, name in called:
        assert name in functions_of(script), f"{script} {name}"
    everything = functions_of(".ci/run") - {"environment"}
    assert {name for script, name in called if script == ".ci/run"} == everything


def test_the_public_ci_has_the_pythons_of_the_project():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    lowest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert matrix["python"][0] == lowest
    assert {system.partition("-")[0] for system in matrix["system"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    named = [each.rpartition(" ")[2] for each in PROJECT["project"]["classifiers"]]
    assert {each for each in named if each.startswith("3.")} <= set(matrix["python"])


@pytest.mark.parametrize("script", [".ci/run", ".ci/full", "tools/aarch64"])
def test_scripts_are_read_by_bash(script):
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)


def test_by_default_the_gates_do_every_step():
    for script in (".ci/run", ".ci/full"):
        text = (ROOT / script).read_text()
        (steps,) = re.findall(r"[*@]:-([\w ]+)", text)
        helpers = {"environment", "other_python"}
        assert set(steps.split()) == functions_of(script) - helpers
