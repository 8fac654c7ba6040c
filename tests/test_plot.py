"""`volaug.plot` shows the right side on the right side, and cuts no words off."""

# ruff: noqa: E402 - what it needs may be missing

import itertools
import pickle
import subprocess
import sys
from collections import UserDict

import numpy as np
import pytest

pytest.importorskip("matplotlib")
nibabel = pytest.importorskip("nibabel")

import matplotlib
from matplotlib.colors import to_hex
from scipy.spatial.transform import Rotation

import volaug
from support.volumes import random_volume
from volaug import (
    Compose,
    LabelPyramid,
    RandomAffine,
    RandomBlur,
    RandomElastic,
    RandomHistogramShift,
    RandomNoise,
    RandomRotation,
)
from volaug.plotting.outlines import color_of, outlines

SHAPE = (14, 18, 22)
OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))


def affine_of(codes, turn=(0.0, 0.0, 0.0)):
    """An affine whose axes run to these letters, turned by some degrees."""
    ornt = nibabel.orientations.axcodes2ornt(codes)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ornt[:, 0].astype(int)] * ornt[:, 1]
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ affine[:3, :3]
    return affine


def rendered(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def axes_of(figure):
    return {axes.get_label(): axes for axes in figure.axes}


def box_of(artist):
    """Left, right, bottom and top in pixels."""
    box = artist.get_window_extent()
    return box.x0, box.x1, box.y0, box.y1


def letter_at(figure, axes, edge):
    """The letter in the middle of an edge of axes: within some pixels outside of it."""
    left, right, bottom, top = box_of(axes)
    x, y = (left + right) / 2, (bottom + top) / 2
    place = {
        "left": (left - 13, y), "right": (right + 13, y),
        "bottom": (x, bottom - 13), "top": (x, top + 13),
    }[edge]  # fmt: skip
    (letter,) = [
        text.get_text()
        for text in figure.texts
        if text.get_text() in OPPOSITE
        and np.abs(text.get_window_extent().get_points().mean(0) - place).max() < 6
    ]
    return letter


def check_layout(figure):
    """See that no words are cut off, lie on a slice, or lie on other words."""
    figure.canvas.draw()
    _, width, _, height = box_of(figure)
    texts = [(text.get_text(), box_of(text)) for text in figure.texts if text.get_text()]
    for text, (left, right, bottom, top) in texts:
        assert left >= 4, text
        assert bottom >= 4, text
        assert right <= width - 4, text
        assert top <= height - 4, text
    boxes = [*texts, *(("a slice", box_of(axes)) for axes in figure.axes)]
    for (first, a), (second, b) in itertools.combinations(boxes, 2):
        assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2], (first, second)


def said(figure):
    """All words, with the spaces that wrapping changed made one."""
    return " ".join(" ".join(text.get_text() for text in figure.texts).split())


@pytest.mark.slow
@pytest.mark.parametrize("turn", [(0, 0, 0), (12, -25, 31)])
@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR", "LPI", "SAL", "IRP"])
@pytest.mark.parametrize("corner", [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_letters_are_those_of_the_affine(codes, turn, corner):
    affine = affine_of(codes, turn)
    found = nibabel.aff2axcodes(affine)  # of oblique axes the nearest
    marker = tuple((n - 1) * high for n, high in zip(SHAPE, corner, strict=True))
    image = np.zeros(SHAPE, np.float32)
    image[marker] = 1.0
    figure = volaug.plot({"image": image}, affine=affine, at=marker)
    pixels = rendered(figure)
    here = [code if high else OPPOSITE[code] for code, high in zip(found, corner, strict=True)]
    across = {"Sagittal": "RL", "Coronal": "AP", "Axial": "SI"}
    for name, axes in axes_of(figure).items():
        left, right, bottom, top = map(round, box_of(axes))
        shown = pixels[len(pixels) - top + 1 : len(pixels) - bottom - 1, left + 1 : right - 1, 0]
        rows, columns = np.nonzero(shown > 200)
        edges = {
            "left" if columns.mean() < shown.shape[1] / 2 else "right",
            "top" if rows.mean() < shown.shape[0] / 2 else "bottom",
        }
        assert np.ptp(columns) < 0.2 * shown.shape[1]
        letters = {letter_at(figure, axes, edge) for edge in edges}
        assert letters == {letter for letter in here if letter not in across[name]}
        assert letter_at(figure, axes, "left") in "AR"
        assert letter_at(figure, axes, "right") in "PL"
        assert letter_at(figure, axes, "top") in "AS"


def test_without_an_affine_axes_are_numbers():
    image = np.zeros(SHAPE, np.float32)
    image[-1, 0, -1] = 1.0
    figure = volaug.plot({"image": image}, at=(13, 0, 21))
    assert [*axes_of(figure)] == ["Axis 0", "Axis 1", "Axis 2"]
    assert "voxel 13, axis 1 →, axis 2 ↑" in said(figure)
    assert not {text.get_text() for text in figure.texts} & {*OPPOSITE}
    # indices increase to the right and up
    seen = [axes.images[0].get_array() for axes in figure.axes]
    assert [plane.shape for plane in seen] == [(22, 18), (22, 14), (18, 14)]
    assert [np.argwhere(plane == 1).tolist() for plane in seen] == [
        [[21, 0]],
        [[21, 13]],
        [[0, 13]],
    ]
    assert all(axes.images[0].origin == "lower" for axes in figure.axes)
    check_layout(figure)


@pytest.mark.parametrize("given", ["affine", "spacing", None])
def test_voxels_are_as_large_as_the_grid_says(given):
    size = (0.9, 1.2, 6.0)
    geometry = {"affine": np.diag((*size, 1.0)), "spacing": size, None: None}[given]
    sample = {"image": random_volume((64, 56, 20))}
    sample |= {given: geometry} if given else {}
    sides = np.array((64, 56, 20)) * (size if given else 1)
    for axes, (i, j) in zip(volaug.plot(sample).axes, [(1, 2), (0, 2), (0, 1)], strict=True):
        left, right, bottom, top = box_of(axes)
        assert (right - left) / (top - bottom) == pytest.approx(sides[i] / sides[j], rel=0.02)


def test_slices_go_through_the_voxel():
    image = random_volume(SHAPE)
    for at in (None, (3, 17, 8), np.array([0, 0, 21])):
        i, j, k = (7, 9, 11) if at is None else at
        planes = [axes.images[0].get_array() for axes in volaug.plot({"image": image}, at=at).axes]
        np.testing.assert_array_equal(planes[0], image[i].T)
        np.testing.assert_array_equal(planes[1], image[:, j].T)
        np.testing.assert_array_equal(planes[2], image[:, :, k].T)


def test_each_label_has_an_outline_of_its_color():
    label = np.zeros((30, 32, 34), np.int16)
    values = [1, 2, 9, 17, 53, 1035, 2035, -1]
    for number, value in enumerate(values):
        label[:, 2 + 3 * number : 5 + 3 * number, 4:30] = value
    figure = volaug.plot({"image": np.zeros(label.shape), "label": label})
    (lines,) = figure.axes[0].collections
    assert {*map(to_hex, lines.get_colors())} == {color_of(value) for value in values}
    for color, line in zip(lines.get_colors(), lines.get_segments(), strict=True):
        (number,) = [n for n, value in enumerate(values) if color_of(value) == to_hex(color)]
        # a quarter of a voxel within: the centers of the outermost voxels are half of one within
        assert line[:, 0].min() == pytest.approx(2 + 3 * number - 0.25)
        assert line[:, 0].max() == pytest.approx(4 + 3 * number + 0.25)
        assert (line[:, 1].min(), line[:, 1].max()) == (3.75, 29.25)
    assert "label ■ -1 ■ 1 ■ 2 ■ 9" in said(figure)
    check_layout(figure)


def test_colors_differ():
    colors = [color_of(value) for value in range(5000)]
    assert len({*colors}) > 4950  # of 24 bits
    assert len({*colors[:300]}) == 300
    parts = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors])
    assert parts[1:].max(axis=1).min() > 180  # bright


def test_outlines_of_labels_that_fill_and_of_single_voxels():
    assert [*outlines(np.ones((1, 5, 6), bool))] == [1]
    ((line,),) = outlines(np.ones((1, 1, 1), np.uint8)).values()
    np.testing.assert_array_equal(line[0], line[-1])  # closed
    assert outlines(np.zeros((1, 5, 6))) == {}
    assert outlines(np.full((1, 5, 6), np.nan)) == {}
    assert [*outlines(np.linspace(0, 1, 30).reshape(1, 5, 6))] == [1]
    # the background of a one-hot label has no frame
    one_hot = np.zeros((2, 7, 7))
    one_hot[:, 2:5, 2:5] = [[[0]], [[1]]]
    one_hot[0] = 1 - one_hot[1]
    found = outlines(one_hot)
    assert [*found] == [0, 1]
    assert [len(lines) for lines in found.values()] == [1, 1]


def test_landmarks_near_the_slice_are_drawn():
    points = [[7, 3, 4], [7.4, 10, 12], [9, 9, 11], [7, -2, 3], [np.nan] * 3]
    figure = volaug.plot({"image": random_volume(SHAPE), "points": points})
    rings = [axes.lines[0].get_xydata().tolist() for axes in figure.axes]
    assert rings == [[[3, 4], [10, 12]], [[9, 11]], [[9, 9]]]
    assert "landmark" in said(figure)
    check_layout(figure)

    # turned as their image is
    image = np.zeros(SHAPE)
    image[3, 4, 5] = 1
    figure = volaug.plot(
        {"image": image, "points": [[3, 4, 5]]}, affine=affine_of("PSR"), at=(3, 4, 5)
    )
    for axes in figure.axes:
        ((row, column),) = np.argwhere(axes.images[0].get_array() == 1)
        assert axes.lines[0].get_xydata().tolist() == [[column, row]]
    assert "landmark" not in said(volaug.plot({"image": image, "points": []}))


LONG = "a step whose name is so long that it has to be wrapped, and that costs $5 or $6 " * 2


def twelve_steps():
    return [
        RandomAffine(p=1.0), RandomElastic(p=1.0), RandomNoise(p=1.0), RandomBlur(p=1.0),
        RandomHistogramShift(num_control_points=25, p=1.0, name=LONG),
        *(RandomNoise(p=1.0, per_channel=True, name=f"noise {n}") for n in range(7)),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(24, 28, 30), (64, 64, 5), (5, 60, 8), (20, 1, 30), (30, 30, 1)])
def test_the_words_are_all_there(shape):
    pipeline = Compose(twelve_steps(), seed=3, swap=set())
    label = random_volume(shape, np.uint8) % 4
    image = random_volume((3, *shape))
    sample = pipeline(image=image, label=label, index=1, affine=np.diag((1, 1, 2.0, 1)))
    figure = volaug.plot(sample)
    assert " ".join(str(sample).split()) in said(figure)
    check_layout(figure)


def test_a_sample_has_its_own_affine_and_names():
    pipeline = Compose([], targets={"t2": "image", "lesion": "label", "marks": "points"}, seed=1)
    label = np.zeros(SHAPE, np.uint8)
    label[4:9, 5:12, 6:13] = 3
    sample = pipeline(
        t2=random_volume(SHAPE), lesion=label, marks=[[7, 9, 11]],
        affine=affine_of("LAS"), index=0,
    )  # fmt: skip
    figure = volaug.plot(sample)
    assert [*axes_of(figure)] == ["Sagittal", "Coronal", "Axial"]
    assert "t2: black is" in said(figure)
    assert all(to_hex(axes.collections[0].get_colors()[0]) == color_of(3) for axes in figure.axes)
    assert all(len(axes.lines[0].get_xydata()) == 1 for axes in figure.axes)


def images():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=SHAPE)
    with_nan = normal.astype(np.float32)
    with_nan[4:9] = np.nan
    with_nan[0, 0, 0] = np.inf
    yield "constant", {"image": np.full(SHAPE, 3.5)}
    yield "negative constant", {"image": np.full(SHAPE, -7, np.int16)}
    yield "zeros", {"image": np.zeros(SHAPE, np.uint8)}
    yield "nan", {"image": with_nan}
    yield "nothing but nan", {"image": np.full(SHAPE, np.nan)}
    yield "a slice", {"image": normal[:, :, :1], "label": normal[:, :, :1] > 1}
    yield "a slice along axis 0", {"image": normal[:1]}
    yield "a line", {"image": normal[:1, :1], "label": normal[:1, :1] > 1}
    yield "a voxel", {"image": normal[:1, :1, :1], "label": np.ones((1, 1, 1), bool)}
    yield "bool", {"image": normal > 0, "label": normal > 1}
    yield "float16", {"image": normal.astype(np.float16), "label": (normal > 1).astype(np.float16)}
    yield "int64", {"image": (normal * 1e15).astype(np.int64)}
    yield "channels", {"image": np.stack([normal, 2 * normal]), "label": normal[None] > 1}
    yield "an empty label", {"image": normal, "label": np.zeros(SHAPE, np.uint8)}
    yield "big-endian", {"image": normal.astype(">f4"), "label": (normal > 1).astype(">i2")}
    yield "probability", {"image": normal, "label": rng.random(SHAPE)}
    yield "one-hot", {"image": normal, "label": np.stack([normal < 0, normal >= 0])}
    yield "300 labels", {"image": normal, "label": rng.integers(0, 300, SHAPE) + 2**40}
    yield "a pyramid", {"image": normal, "label": [normal > 1, normal[::2, ::2, ::2] > 1]}
    yield "lists", {"image": normal.tolist(), "label": (normal > 1).tolist()}
    yield (
        "other names",
        UserDict({"a_" + "very_" * 30 + "long_name": normal, "key": "k", 3: normal}),
    )


@pytest.mark.slow
@pytest.mark.parametrize("affine", [None, affine_of("PSR")], ids=["no affine", "PSR"])
@pytest.mark.parametrize("sample", [pytest.param(s, id=name) for name, s in images()])
def test_any_image_is_drawn(sample, affine):
    figure = volaug.plot(sample, affine=affine)
    check_layout(figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    image = np.asarray(next(iter(sample.values())))
    assert len(figure.axes) == (1 if image.shape.count(1) == 1 else 3)


def test_a_channel_is_drawn():
    image = random_volume((3, *SHAPE))
    for channel in range(3):
        figure = volaug.plot({"image": image}, channel=channel)
        np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), image[channel, 7].T)
        assert f"image, channel {channel} of 0 to 2" in said(figure)


def test_an_image_is_drawn_by_its_name():
    sample = {"t1": random_volume(SHAPE), "label": np.ones(SHAPE, bool), "t2": np.ones(SHAPE)}
    assert (volaug.plot(sample, image="t2").axes[0].images[0].get_array() == 1).all()
    shown = volaug.plot(sample).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, sample["t1"][7].T)


def test_the_first_level_of_a_pyramid_is_drawn():
    label = np.zeros((20, 24, 28), np.uint8)
    label[4:16, 8:16, 8:20] = 5
    image = np.zeros(label.shape, np.float32)
    boxes = []
    for scales in ([1, 0.5], [0.5, 0.25]):
        sample = Compose([LabelPyramid(scales)], seed=1)(image=image, label=label, index=0)
        (line,) = volaug.plot(sample).axes[0].collections[0].get_segments()
        boxes.append([*line.min(axis=0), *line.max(axis=0)])
    assert boxes[0] == [7.75, 7.75, 15.25, 19.25]
    # as large, but that its voxels, and the quarter of one, are twice as large
    assert boxes[1] == [8.0, 8.0, 15.0, 19.0]


def test_nan_is_purple_and_white_is_the_brightest():
    image = np.zeros((20, 20, 20), np.float32)
    image[8:12, :, :10] = np.nan
    image[:, :, 10:] = 5
    pixels = rendered(volaug.plot({"image": image}))
    purple = (pixels == (0x5F, 0x3A, 0x75)).all(axis=2)
    assert purple.mean() > 0.03
    assert (pixels == 255).all(axis=2).mean() > 0.1


@pytest.mark.slow
def test_tensors_are_drawn():
    torch = pytest.importorskip("torch")
    image = torch.rand(2, *SHAPE)
    figure = volaug.plot({"image": image, "label": image[:1] > 0.9, "affine": torch.eye(4)})
    assert [*axes_of(figure)] == ["Sagittal", "Coronal", "Axial"]


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
    for name in ("figure", "canvas"):
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
