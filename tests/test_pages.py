"""Each piece of Python on the pages of the documents runs, in the order of the page."""

import re
import textwrap
from pathlib import Path

import nibabel
import numpy as np
import pytest

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def pieces(page):
    """Return the pieces of Python of a page; those in a list are indented."""
    return [textwrap.dedent(code) for _, code in BLOCK.findall((DOCS / page).read_text("utf-8"))]


def run(page):
    names = {"__name__": page.removesuffix(".md")}
    for piece in pieces(page):
        exec(compile(piece, page, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pipelines():
    names = run("pipelines.md")
    assert [type(step).__name__ for step in names["pipeline"].transforms] == [
        "RandomFlip",
        "OneOf",
        "RandomContrast",
    ]
    assert names["back"].shape == (40, 48, 44)


def test_modalities():
    names = run("modalities.md")
    assert names["stacked"].shape == (4, 40, 48, 44)


def test_landmarks():
    names = run("landmarks.md")
    assert names["moved"].shape == (2, 3)
    assert names["framed"].shape == (1, 2, 3)
    np.testing.assert_allclose(names["back"], names["moved"])
    assert not np.allclose(names["moved"], names["points"])


def test_sides():
    names = run("sides.md")
    assert set(np.unique(names["sample"]["label"])) == {0, 17, 53}
    assert len(names["left"]) == len(names["right"])


def test_thick_slices():
    assert run("thick_slices.md")["sample"]["image"].shape == (16, 96, 96)


def test_thick_slices_stay_in_their_slice():
    names = {"__name__": "thick_slices"}
    exec(compile(pieces("thick_slices.md")[0], "thick_slices.md", "exec"), names)
    for index in range(20):
        record = names["pipeline"].draw((24, 120, 120), spacing=names["spacing"], index=index)
        points = np.array([[0.0, 10, 20], [7, 60, 60], [23, 119, 3]])
        np.testing.assert_allclose(record.warp.points_to_input(points)[:, 0], points[:, 0])


def test_slices():
    names = run("slices_2d.md")
    assert names["image"].shape == names["label"].shape == (256, 256)
    assert np.abs(names["image"]).max() > 0  # it did not leave the image


@pytest.mark.slow
def test_resampling():
    names = run("resampling.md")
    assert names["resized"].shape == (96, 128, 224)
    np.testing.assert_array_equal(names["bent"], names["warped"]["image"])


def test_reproducibility(in_an_empty_folder):
    names = run("reproducibility.md")
    assert names["bad"].record == names["record"]
    assert (in_an_empty_folder / "run.json").exists()


@pytest.mark.slow
def test_a_folder(in_an_empty_folder):
    folder = in_an_empty_folder / "scans"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, dtype in ((1, np.int16), (2, np.float32)):
        image = (rng.random((40, 44, 42)) * 1000).astype(dtype)
        label = (image > 700).astype(np.uint8)
        for name, voxels in (("", image), ("_seg", label)):
            path = folder / f"brain0{number}{name}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 1.2, 1.0])), path)
    names = run("folder.md")
    assert names["images"].shape == (2, 1, 32, 32, 32)
    written = sorted(path.name for path in (in_an_empty_folder / "augmented").iterdir())
    assert len(written) == 12
    copy = nibabel.load(in_an_empty_folder / "augmented" / "brain01_aug001.nii.gz")
    np.testing.assert_allclose(copy.affine, np.diag([1.0, 1.0, 1.2, 1.0]), atol=1e-6)
