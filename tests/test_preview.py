"""`volaug preview` shows an image before and after a pipeline, and says what is wrong with it."""

# ruff: noqa: E402 - what it needs may be missing

import json
import os
import re

import numpy as np
import pytest

for needed in ("matplotlib", "nibabel", "typer"):
    pytest.importorskip(needed)

import matplotlib.image
import nibabel
from typer.testing import CliRunner

from support.volumes import random_volume
from volaug import Compose, RandomNoise, RandomTranslation
from volaug.cli.app import app
from volaug.cli.preview.preview import contents_of_draws, middle_of

SHAPE = (20, 24, 22)
AFFINE = np.diag((-1.0, 1.0, 1.5, 1.0))
PIPELINE = """
format = "volaug.pipeline"
version = 1
swap = []

[[transforms]]
type = "RandomTranslation"
translation = [[3.0, 3.0], [-2.0, -2.0], [0.0, 0.0]]
p = 1.0
"""


@pytest.fixture
def files(tmp_path):
    """A folder with an image, its label and a pipeline."""
    label = np.zeros(SHAPE, np.uint8)
    label[4:8, 5:9, 6:10] = 7
    image = (100 * random_volume(SHAPE)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(image, AFFINE), tmp_path / "brain.nii.gz")
    nibabel.save(nibabel.Nifti1Image(label, AFFINE), tmp_path / "label.nii.gz")
    (tmp_path / "p.toml").write_text(PIPELINE)
    return tmp_path


def run(folder, *arguments):
    """Run the command in a folder."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(app, ["preview", *map(str, arguments)])
    finally:
        os.chdir(here)


@pytest.mark.slow
def test_writes_a_picture_and_a_page(files):
    out = ("-o", "sheet.png", "--html", "page.html")
    result = run(files, "brain.nii.gz", "--label", "label.nii.gz", "-p", "p.toml", *out)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Wrote sheet.png, 3 draws.\nWrote page.html, ")
    assert result.stderr == ""
    names = {"brain.nii.gz", "label.nii.gz", "p.toml", "sheet.png", "page.html"}
    assert {*os.listdir(files)} == names
    height, width = matplotlib.image.imread(files / "sheet.png").shape[:2]
    assert width > 1000
    assert height > 1000
    page = (files / "page.html").read_text()
    assert "moved by 3.0 mm to L, 2.0 mm to P" in page
    addresses = re.findall(r"""(?:src|href|url)\s*=?\s*["'(]?\s*(https?:[^"' )]*)""", page)
    assert addresses == []


@pytest.mark.slow
def test_a_preset_says_that_labels_keep_their_sides(files):
    given = ("brain.nii.gz", "--label", "label.nii.gz", "--draws", "1", "-o", "a.png")
    result = run(files, *given, "-p", "mild_mri")
    assert result.exit_code == 0
    assert result.stderr.startswith("volaug: preview: note: this pipeline mirrors left and right")
    assert result.stderr.count("\n") == 1


def test_slices_follow_the_label(files):
    pipeline = Compose.from_toml("seed = 1\n" + PIPELINE)
    shown = contents_of_draws(files / "brain.nii.gz", files / "label.nii.gz", pipeline, 2)
    assert [contents.heading for contents in shown] == ["Original", "Draw 0", "Draw 1"]
    i, j, k = shown[0].at
    assert (i, j, k) in {(a, b, c) for a in (5, 6) for b in (6, 7) for c in (7, 8)}
    assert shown[1].at == (i + 3, j - 2, k)
    assert shown[1].label[shown[1].at] == 7


def test_the_middle_is_that_of_the_label_or_of_the_image():
    assert middle_of(None, (4, 6, 8)) == (2, 3, 4)
    assert middle_of(np.zeros((4, 6, 8)), (4, 6, 8)) == (2, 3, 4)
    ring = np.zeros((1, 5, 5, 5), np.uint8)
    ring[0, 1, 1:4, 1:4] = 1
    ring[0, 1, 2, 2] = 0
    assert ring[0][middle_of(ring, (5, 5, 5))] == 1  # and not the hole


def test_a_seed_is_chosen(files):
    pipeline = Compose([RandomNoise(p=1.0), RandomTranslation(3.0, p=1.0)])
    (files / "noise.json").write_text(json.dumps(pipeline.to_dict()))
    given = ("brain.nii.gz", "-p", "noise.json", "--draws", "1", "-o")
    pictures = []
    for name, options in (("a", ()), ("b", ("--seed", "0")), ("c", ("--seed", "1"))):
        assert run(files, *given, f"{name}.png", *options).exit_code == 0
        pictures.append((files / f"{name}.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give -o sheet.png for a picture, or --html page.html for a page"),
        (("-o", "a.jpg"), 2, "a.jpg must end in .png"),
        (("--html", "a.png"), 2, "a.png must end in .html"),
        (("-o", "no/a.png"), 2, "cannot write no/a.png: there is no folder no"),
        (("-o", "a.png", "-p", "strong"), 2, "unknown preset 'strong'; did you mean 'strong_mri'"),
        (("-o", "a.png", "-p", "no.toml"), 2, "no.toml: No such file or directory"),
        (("-o", "a.png", "-p", "nnunet"), 2, "preset 'nnunet' cuts patches"),
        (("-o", "a.png", "--label", "no.nii"), 1, "no.nii: No such file or directory"),
        (("-o", "a.png", "--label", "p.toml"), 1, "p.toml: Cannot work out file type"),
        (("-o", "a.png", "--label", "small.nii"), 1, "small.nii: 'label' must lie in the grid of"),
    ],
)
def test_says_what_is_wrong(files, arguments, code, message):
    small = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), AFFINE)
    nibabel.save(small, files / "small.nii")
    result = run(files, "brain.nii.gz", "-p", "p.toml", *arguments)
    assert result.exit_code == code, result.output
    assert result.stderr.startswith(f"volaug: preview: {message}")
    assert result.stderr.count("\n") == 1
    assert not (files / "a.png").exists()


def test_a_damaged_image_is_named(files):
    whole = (files / "brain.nii.gz").read_bytes()
    (files / "brain.nii.gz").write_bytes(whole[: len(whole) // 2])
    result = run(files, "brain.nii.gz", "-p", "p.toml", "-o", "a.png")
    assert result.exit_code == 1
    assert result.stderr.startswith("volaug: preview: brain.nii.gz: ")
    assert result.stderr.count("\n") == 1


def test_a_picture_that_cannot_be_written_is_named(files, monkeypatch):
    def full(path):
        raise PermissionError(13, "Permission denied", f"{path}.partial")

    monkeypatch.setattr("volaug.cli.preview.preview.replacing", full)
    result = run(files, "brain.nii.gz", "-p", "p.toml", "--draws", "1", "-o", "a.png")
    assert result.exit_code == 1
    assert result.stderr == "volaug: preview: cannot write a.png: Permission denied\n"
