"""`volaug demo`: its files, its picture, and what it says when it cannot."""

# ruff: noqa: E402 - what the demo needs may be missing

import os
import sys

import numpy as np
import pytest
from scipy import ndimage

for needed in ("matplotlib", "nibabel", "nilearn", "rich", "typer"):
    pytest.importorskip(needed)

import matplotlib.image
import nibabel
from nilearn import datasets
from typer.testing import CliRunner

from volaug import __version__, cli
from volaug.cli.app import app
from volaug.cli.demo.files import replacing
from volaug.cli.demo.slices import slices
from volaug.cli.demo.timing import compare, scipy_warp
from volaug.cli.demo.warps import affine_warp, demo_warps, rotation

SHAPE = (197, 233, 189)
STEMS = ("original", *(case.stem for case in demo_warps(SHAPE)))
FILES = [f"{stem}_{kind}.nii.gz" for stem in STEMS for kind in ("image", "labels")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of one run into a folder that is not there yet, and what was printed."""
    folder = tmp_path_factory.mktemp("demo") / "made" / "by it"
    result = CliRunner().invoke(app, ["demo", str(folder), "--threads", "1"])
    assert result.exit_code == 0, result.output
    return folder, result


@pytest.fixture(scope="module")
def template():
    return datasets.load_mni152_template(resolution=1)


def voxels(path):
    return np.asanyarray(nibabel.load(path).dataobj)


def test_writes_its_files_and_nothing_else(demo):
    folder, result = demo
    assert sorted(os.listdir(folder)) == sorted([*FILES, "sheet.png"])
    assert "Elastic + affine" in result.stdout
    assert str(folder / "sheet.png") in result.stdout
    assert result.stderr == ""  # no progress bar where there is no terminal


@pytest.mark.parametrize("name", FILES)
def test_headers(demo, template, name):
    nifti = nibabel.load(demo[0] / name)
    assert nifti.shape == template.shape
    assert nifti.get_data_dtype() == (np.uint8 if "labels" in name else np.float32)
    assert nifti.header.get_slope_inter() == (None, None)
    assert nifti.header.get_xyzt_units()[0] == "mm"
    assert nifti.header["descrip"].item().startswith(b"volaug demo: ")
    for form, code in (nifti.get_sform(coded=True), nifti.get_qform(coded=True)):
        np.testing.assert_array_equal(form, template.affine)
        assert code > 0


def test_labels_are_tissues_of_the_right_size(demo):
    for name in FILES[1::2]:
        assert set(np.unique(voxels(demo[0] / name))) == {0, 1, 2, 3}, name
    millilitres = np.bincount(voxels(demo[0] / "original_labels.nii.gz").ravel()) / 1000
    assert 900 < millilitres[1] < 1200
    assert 500 < millilitres[2] < 700
    assert 100 < millilitres[3] < 300


def test_original_is_the_template(demo, template):
    original = voxels(demo[0] / "original_image.nii.gz")
    np.testing.assert_array_equal(original, np.asanyarray(template.dataobj))


@pytest.mark.parametrize("stem", ["rotation", "elastic-affine"])
def test_labels_are_what_scipy_makes_of_them(demo, stem):
    labels = voxels(demo[0] / "original_labels.nii.gz")
    warp = next(case.warp for case in demo_warps(SHAPE) if case.stem == stem)
    warped = voxels(demo[0] / f"{stem}_labels.nii.gz")
    ids = np.unique(labels)
    shares = np.stack([scipy_warp(warp, (labels == id_).astype(float), order=1) for id_ in ids])
    second, most = np.sort(shares, axis=0)[-2:]
    clear = (most - second > 1e-4) | (most == 0)  # outside, every indicator is 0
    assert clear.mean() > 0.999
    np.testing.assert_array_equal(warped[clear], ids[shares.argmax(axis=0)][clear])


def centre_of_mass(demo, stem):
    return np.array(ndimage.center_of_mass(voxels(demo[0] / f"{stem}_image.nii.gz")))


def test_numbers_are_forward(demo):
    before = centre_of_mass(demo, "original")
    centre = (np.array(SHAPE) - 1) / 2

    moved = centre_of_mass(demo, "translation")
    np.testing.assert_allclose(moved, np.add(before, (12.4, -9.7, 7.3)), atol=0.02)

    turned = centre_of_mass(demo, "rotation")
    expected = centre + rotation(axis=1, degrees=15.0) @ (before - centre)
    assert expected[0] < before[0] - 2  # the crown tilts to the right, what is low to the left
    np.testing.assert_allclose(turned, expected, atol=0.02)

    stretched = centre_of_mass(demo, "stretch")
    expected = centre + (1.15, 0.85, 0.95) * (before - centre)
    np.testing.assert_allclose(stretched, expected, atol=0.02)


def test_rotation_is_right_handed():
    for axis in range(3):
        turned = rotation(axis, 90.0) @ np.eye(3)[(axis + 1) % 3]
        np.testing.assert_allclose(turned, np.eye(3)[(axis + 2) % 3], atol=1e-15)


def test_elastic_fields_deform_and_do_not_fold():
    lattices = [case.warp.control_points for case in demo_warps(SHAPE)]
    assert sum(lattice is not None for lattice in lattices) == 2
    for lattice in filter(lambda lattice: lattice is not None, lattices):
        spacing = [(n - 1) / (k - 3) for n, k in zip(SHAPE, lattice.shape[1:], strict=True)]
        reach = np.abs(lattice).max(axis=(1, 2, 3))
        assert (reach > 0.3 * np.array(spacing)).all()
        assert (reach < 0.4033 * np.array(spacing)).all()


def test_slices_show_the_right_on_the_left_and_the_face_on_the_left():
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[3, 4, 5] = 1  # right, anterior, superior
    seen = [np.argwhere(plane) for plane in slices(volume, (3, 4, 5))]
    # rows run upwards, columns to the right
    np.testing.assert_array_equal(np.concatenate(seen), [(5, 0), (5, 0), (4, 0)])


def test_sheet_is_a_picture(demo):
    sheet = matplotlib.image.imread(demo[0] / "sheet.png")[..., :3]
    height, width = sheet.shape[:2]
    assert width > 2000
    assert height > 4000
    grey = np.ptp(sheet, axis=2) < 0.02
    assert 0.3 < (sheet.max(axis=2) == 0).mean() < 0.9  # black background
    assert 0.05 < (grey & (sheet[..., 0] > 0.3)).mean() < 0.5  # brains
    assert 0.005 < (~grey).mean() < 0.2  # outlines
    for edge in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]):
        assert edge.max() == 0  # nothing is cut off


def test_comparison_with_scipy():
    rng = np.random.default_rng(5)
    volume = rng.random((20, 21, 22), np.float32)
    warp = affine_warp(
        volume.shape, rotation(2, 20.0), (1.3, 0.2, -2.1), rng.normal(size=(3, 4, 5, 6))
    )
    timing = compare("both", warp, volume, threads=1)
    assert timing.voxels == volume.size
    assert timing.volaug > 0
    assert timing.scipy > 0
    assert timing.difference < 1e-5


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
        if name.startswith((f"{package}.", "volaug.cli.demo.")):
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
