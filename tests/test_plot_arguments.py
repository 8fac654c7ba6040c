"""`volaug.plot` refuses wrong arguments, and depends on no setting of its user."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("nibabel")

import matplotlib

import volaug
from support.figures import (
    SHAPE,
    rendered,
)
from support.volumes import random_volume
from volaug import (
    Compose,
    RandomRotation,
)

GIVEN = {"image": np.zeros(SHAPE), "t2": np.zeros((2, *SHAPE)), "label": np.zeros(SHAPE, bool)}


@pytest.mark.parametrize(
    ("sample", "options", "error", "words"),
    [
        (np.zeros(SHAPE), {}, TypeError, "mapping from names to arrays .* got ndarray"),
        (None, {}, TypeError, "sample must be a Sample, .* got NoneType"),
        ({}, {}, ValueError, "sample must have an image, .* got nothing"),
        ({"label": np.zeros(SHAPE)}, {}, ValueError, "must have an image, .* got 'label'"),
        (GIVEN, {"image": "imag"}, ValueError, "unknown image 'imag'; did you mean 'image'?"),
        (GIVEN, {"image": "label"}, ValueError, "unknown image 'label'; .* 'image', 't2'"),
        (GIVEN, {"channel": 1}, ValueError, "channel of 'image' must be from 0 to 0, got 1"),
        (GIVEN, {"image": "t2", "channel": -1}, ValueError, "from 0 to 1, got -1"),
        (GIVEN, {"channel": "0"}, TypeError, "channel of 'image' must be a whole number, got '0'"),
        (GIVEN, {"at": (0, 18, 0)}, ValueError, r"at\[1\] must be from 0 to 17, got 18"),
        (GIVEN, {"at": (-1, 0, 0)}, ValueError, r"at\[0\] must be from 0 to 13, got -1"),
        (GIVEN, {"at": (0.5, 0, 0)}, TypeError, r"at\[0\] must be a whole number, got 0.5"),
        (GIVEN, {"at": 3}, TypeError, "at must be the three indices of a voxel, got 3"),
        (GIVEN, {"at": (1, 2)}, TypeError, r"at must be the three .*, got \(1, 2\)"),
        (GIVEN, {"affine": np.eye(3)}, ValueError, "affine must be a .4, 4. matrix"),
        (GIVEN, {"affine": np.diag((1, 1, 0, 1))}, ValueError, "affine must be invertible"),
        ({**GIVEN, "spacing": (1, 1)}, {}, ValueError, "spacing must be three voxel sizes"),
        ({"image": np.zeros((3, 4))}, {}, ValueError, r"image must have .* as image\[None\]"),
        ({"image": np.zeros((1, 1, *SHAPE))}, {}, ValueError, "the samples of a batch one by one"),
        ({"image": "brain.nii"}, {}, TypeError, "image must be an array, got the path"),
        (
            {**GIVEN, "label": np.zeros((4, 5, 6))}, {}, ValueError,
            r"'label' must have the shape \(14, 18, 22\), that of the image, got \(4, 5, 6\)",
        ),
        ({**GIVEN, "points": [[1, 2]]}, {}, ValueError, "points must be places in voxels"),
        ({**GIVEN, "points": "no"}, {}, TypeError, "points must be places in voxels"),
    ],
)  # fmt: skip
def test_errors(sample, options, error, words):
    with pytest.raises(error, match=words):
        volaug.plot(sample, **options)


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("figure", "canvas", "panels", "sample_rows"):
        monkeypatch.delitem(sys.modules, f"volaug.plotting.{name}", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "volaug\[plot\]"'):
        volaug.plot(GIVEN)


@pytest.mark.slow
def test_pyplot_is_not_imported_and_matplotlib_only_when_called():
    code = """
import sys, numpy, volaug
plot = volaug.plot
print("matplotlib" in sys.modules)
plot({"image": numpy.zeros((4, 5, 6))}).savefig("/dev/null", format="png")
print("matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]


@pytest.mark.slow
def test_the_style_of_a_user_changes_nothing():
    sample = Compose([RandomRotation(p=1.0)], seed=1)(image=random_volume(SHAPE), index=0)
    usual = rendered(volaug.plot(sample))
    style = {
        "figure.autolayout": True, "text.usetex": True, "font.size": 30, "font.family": "serif",
        "image.origin": "upper", "image.cmap": "jet", "axes.spines.top": False, "axes.grid": True,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = volaug.plot(sample)
        np.testing.assert_array_equal(rendered(figure), usual)


@pytest.mark.slow
def test_a_figure_is_written_and_pickled(tmp_path):
    figure = volaug.plot(GIVEN)
    figure.savefig(tmp_path / "a.pdf")
    figure.savefig(tmp_path / "a.png")
    height, width = matplotlib.image.imread(tmp_path / "a.png").shape[:2]
    assert (width, height) == tuple(figure.bbox.size.round())
    assert pickle.loads(pickle.dumps(figure))._repr_png_().startswith(b"\x89PNG")
