"""The command line says what it cannot do and what it needs, and leaves files as they were."""

# ruff: noqa: E402 - what the demo needs may be missing

import os
import subprocess
import sys

import pytest

for needed in ("matplotlib", "nibabel", "nilearn", "rich", "typer"):
    pytest.importorskip(needed)

from typer.testing import CliRunner

from volaug import __version__, cli
from volaug.cli.app import app
from volaug.data.files.atomic import replacing


def test_says_that_out_is_a_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    result = CliRunner().invoke(app, ["demo", str(file)])
    assert result.exit_code == 1
    assert result.stderr == f"volaug: demo: {file} is a file, a folder is wanted\n"
    assert file.read_text() == "mine"


def test_says_that_out_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["demo", str(tmp_path / "file" / "below")])
    assert result.exit_code == 1
    assert result.stderr.startswith("volaug: demo: cannot write to ")
    assert result.stderr.count("\n") == 1


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as partial:
            assert partial.name.endswith(".nii.gz")
            partial.write_text("half")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.nii.gz"]


@pytest.mark.parametrize("package", ["nilearn", "nibabel", "matplotlib", "rich"])
def test_says_what_the_demo_needs(tmp_path, monkeypatch, package):
    for name in [*sys.modules]:
        if name.startswith((f"{package}.", "volaug.cli.demo.", "volaug.plotting.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    result = CliRunner().invoke(app, ["demo", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert f"demo needs {package}" in result.stderr
    assert 'pip install "volaug[demo]"' in result.stderr
    assert not (tmp_path / "out").exists()


def test_says_what_the_command_line_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "volaug.cli.app", raising=False)
    monkeypatch.setattr(sys, "argv", ["volaug", "--version"])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert "needs typer" in exit_info.value.code
    assert 'pip install "volaug[cli]"' in exit_info.value.code


def test_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["volaug", "--version"])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"volaug {__version__}\n"


def test_it_is_a_module_too():
    command = [sys.executable, "-m", "volaug", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"volaug {__version__}\n"


@pytest.mark.slow
def test_warmup_says_when_the_kernels_are_ready(monkeypatch):
    result = CliRunner().invoke(app, ["warmup", "float32", "--processes", "1"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("The kernels for float32 are ready, after ")


def test_warmup_makes_a_pack(tmp_path, monkeypatch):
    made = []

    def make_pack(level, into, dtypes, **options):
        made.append((level, into, dtypes))
        return into / level

    monkeypatch.setattr("volaug.compilation.pack_making.make_pack", make_pack)
    target = ["--target", "x86-64-v3", "--into", str(tmp_path)]
    result = CliRunner().invoke(app, ["warmup", "int16", *target])
    assert result.stdout == (
        f"Wrote {tmp_path / 'x86-64-v3'}. Set VOLAUG_PACKS={tmp_path} where it is to be used.\n"
    )
    assert made == [("x86-64-v3", tmp_path, ["int16"])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["complex64"], "dtype must be one of"),
        (["float33"], "data type 'float33' not understood"),
        (["--target", "x86-64-v3"], "--target and --into need each other"),
        (["--into", "."], "--target and --into need each other"),
        (["--target", "v3", "--into", "."], "level must be one of"),
    ],
)
def test_warmup_says_what_is_wrong(arguments, message):
    result = CliRunner().invoke(app, ["warmup", *arguments])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"volaug: warmup: {message}")
    assert result.stderr.count("\n") == 1
