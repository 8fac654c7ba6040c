"""`volaug info` says what images, pipelines and records hold."""

# ruff: noqa: E402 - what it needs may be missing

import json

import numpy as np
import pytest

for needed in ("nibabel", "typer"):
    pytest.importorskip(needed)

import nibabel
from typer.testing import CliRunner

import volaug
from volaug.cli.app import app
from volaug.cli.info import volume as volume_module
from volaug.cli.info.volume import values_of


def info(what):
    result = CliRunner().invoke(app, ["info", str(what)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_image(tmp_path):
    image = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) - 7
    affine = np.array([[0, 0, -2.5, 3], [0.9, 0, 0, -4], [0, 1.1, 0, 5], [0, 0, 0, 1]])
    nifti = nibabel.Nifti1Image(image, affine)
    nifti.header.set_xyzt_units("mm")
    path = tmp_path / "a scan.nii.gz"
    nibabel.save(nifti, path)
    text = info(path)
    assert text.splitlines()[0] == str(path)
    for line in (
        "shape       4 x 5 x 6\n",
        "dtype       int16 (0.0 MiB in memory)\n",
        "values      -7 to 112, mean 52.5\n",
        "spacing     0.9 x 1.1 x 2.5 mm\n",
        "orientation ASL: where indices increase to\n",
        "affine          0.0000     0.0000    -2.5000     3.0000\n",
    ):
        assert line in text
    assert "".join(nibabel.aff2axcodes(affine)) == "ASL"


def test_an_image_with_channels_and_nan_that_is_oblique(tmp_path):
    image = np.ones((4, 5, 6, 3), np.float32)
    image[0, 0, 0, 0] = np.nan
    turn = np.radians(10)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    nibabel.save(nibabel.Nifti1Image(image, affine), tmp_path / "a.nii")
    text = info(tmp_path / "a.nii")
    assert "shape       4 x 5 x 6, 3 channels\n" in text
    assert "1 to 1, mean 1, all whole numbers, 1 are NaN or infinite\n" in text
    assert "RAS, oblique by 10.0 degrees" in text
    assert "unit not stated, taken as mm" in text


def test_an_array_without_a_place(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 3, 4), np.nan))
    text = info(tmp_path / "a.npy")
    assert "values      not one is finite\n" in text
    assert "place       not stated\n" in text


def test_values_are_read_in_slabs(monkeypatch):
    monkeypatch.setattr(volume_module, "SLAB", 40)
    array = np.random.default_rng(0).normal(size=(3, 4, 5, 7))
    found = values_of(array)
    assert (found.low, found.high) == (array.min(), array.max())
    assert found.mean == pytest.approx(array.mean())
    assert found.not_finite == 0


def test_a_pipeline(tmp_path):
    pipeline = volaug.Compose([volaug.RandomRotation(12, p=0.4), volaug.RandomNoise()], seed=3)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(pipeline.to_dict()))
    first, rotation, noise = info(path).splitlines()
    assert first.startswith("Pipeline of 2 steps, seed 3.")
    assert rotation == "           40 %  RandomRotation: rotates by −12 to 12° for each axis"
    assert noise.startswith("           10 %  RandomNoise: Gaussian noise of 0 to 0.1")
    assert "Pipeline of 11 steps, each call draws anew." in info("strong_mri")


def test_a_record(tmp_path):
    steps = [volaug.RandomTranslation((2, 2), p=1.0), volaug.CenterCrop(6)]
    record = volaug.Compose(steps, seed=3).draw((8, 9, 10), spacing=(1, 1, 2.5), index=4)
    path = tmp_path / "record.json"
    path.write_text(record.to_json())
    assert info(path).splitlines() == [
        "Record of seed 3, epoch 0, index 4",
        "for 8 x 9 x 10 voxels, spacing 1 x 1 x 2.5 mm; the result has 6 x 6 x 6",
        "  RandomTranslation: moved by 2.0 mm",
        "  CenterCrop: 6 x 6 x 6 voxels from voxel 1, 1, 2 on".replace(" x ", " × "),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no.nii", None, "no.nii: No such file or directory\n"),
        ("strong", None, "unknown preset 'strong'; did you mean 'strong_mri'?"),
        ("a.nii.gz", "no image", "a.nii.gz: "),
        ("a.toml", "steps = [", "a.toml: a pipeline must be TOML"),
        ("a.json", "{", "a record must be JSON"),
        ("a.json", '{"format": "volaug.record"}', "a.json: the version of a volaug.record"),
        ("a.json", '{"format": "other"}', "a.json: a volaug.pipeline must say format"),
    ],
)
def test_says_what_is_wrong(tmp_path, monkeypatch, name, text, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / name).write_text(text)
    result = CliRunner().invoke(app, ["info", name])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"volaug: info: {message}")
    assert result.stderr.count("\n") == 1
