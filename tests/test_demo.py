"""`volaug demo` writes its files and a picture, and its words say what they show."""

# ruff: noqa: E402 - what the demo needs may be missing

import functools
import os
import re

import numpy as np
import pytest
from scipy import ndimage

for needed in ("matplotlib", "nibabel", "nilearn", "rich", "typer"):
    pytest.importorskip(needed)

import matplotlib.image
import nibabel
from nibabel.affines import apply_affine
from nilearn import datasets
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from volaug import Compose, RandomRotation, Record
from volaug.cli.app import app
from volaug.cli.demo import timing, words
from volaug.cli.demo.brain import GREY, LANDMARKS, WHITE, load_brain
from volaug.cli.demo.strategies import demo_strategies
from volaug.cli.demo.timing import dense_coordinates

pytestmark = pytest.mark.slow  # a whole brain, in a fixture

SHAPE = (197, 233, 189)
STRATEGIES = {strategy.stem: strategy for strategy in demo_strategies()}
STEMS = (*STRATEGIES,)
VOLUMES = [f"{stem}_{kind}.nii.gz" for stem in ("original", *STEMS) for kind in ("image", "labels")]
RECORDS = [f"{stem}_record.json" for stem in STEMS]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of one run into a folder that is not there yet, and what was printed."""
    folder = tmp_path_factory.mktemp("demo") / "made" / "by it"
    with pytest.MonkeyPatch.context() as patch:
        # test_demo_slices.py compares times and images with scipy, on smaller ones
        patch.setattr(timing, "scipy_warp", lambda warp, volume: warp.apply(volume))
        patch.setattr(timing, "RUNS", 1)
        result = CliRunner().invoke(app, ["demo", str(folder), "--threads", "1"])
    assert result.exit_code == 0, result.output
    return folder, result


@pytest.fixture(scope="module")
def template():
    return datasets.load_mni152_template(resolution=1)


@pytest.fixture(scope="module")
def sheet(demo):
    return matplotlib.image.imread(demo[0] / "sheet.png")[..., :3]


def voxels(demo, stem, kind="image"):
    """In C order, as they were when they were augmented."""
    return loaded(demo[0] / f"{stem}_{kind}.nii.gz")


@functools.lru_cache(4)
def loaded(path):
    array = np.ascontiguousarray(nibabel.load(path).dataobj)
    array.flags.writeable = False
    return array


def record_of(demo, stem):
    return Record.from_json((demo[0] / f"{stem}_record.json").read_text())


def test_writes_its_files_and_nothing_else(demo):
    folder, result = demo
    assert sorted(os.listdir(folder)) == sorted([*VOLUMES, *RECORDS, "contrast.png", "sheet.png"])
    assert "All together" in result.stdout
    assert str(folder / "sheet.png") in result.stdout
    assert result.stderr == ""  # no progress bar where there is no terminal


@pytest.mark.parametrize("name", VOLUMES)
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


def test_original_is_the_template(demo, template):
    np.testing.assert_array_equal(voxels(demo, "original"), np.asanyarray(template.dataobj))


def test_original_labels_are_tissues_of_the_right_size(demo):
    millilitres = np.bincount(voxels(demo, "original", "labels").ravel()) / 1000
    assert len(millilitres) == 4
    assert 900 < millilitres[1] < 1200
    assert 500 < millilitres[2] < 700
    assert 100 < millilitres[3] < 300


def test_the_seven_strategies_come_first_and_then_all_of_them():
    titles = [strategy.title for strategy in STRATEGIES.values()]
    seven = ["Translation", "Rotation", "Flip", "Stretch", "Shear", "Elastic", "Contrast"]
    assert titles == [*seven, "All together"]


@pytest.mark.parametrize("stem", STEMS)
def test_records_make_the_files_again(demo, stem):
    record = record_of(demo, stem)
    again = record.apply(
        image=voxels(demo, "original"), label=voxels(demo, "original", "labels"), threads=2
    )
    np.testing.assert_array_equal(voxels(demo, stem), again["image"])
    np.testing.assert_array_equal(voxels(demo, stem, "labels"), again["label"])


def test_all_together_draws_what_each_draws_alone(demo):
    *alone, together = (record_of(demo, stem).to_dict()["steps"] for stem in STEMS)
    assert [step for steps in alone for step in steps] == together
    assert len(record_of(demo, "all-together").warps) == 1


def test_labels_are_what_scipy_makes_of_them(demo):
    """In every sixth row; rows are whole."""
    labels, warp = voxels(demo, "original", "labels"), record_of(demo, "all-together").warp
    ids, coordinates = np.unique(labels), dense_coordinates(warp)[:, ::2, 1::3]
    indicators = ((labels == id_).astype(float) for id_ in ids)
    shares = np.stack([ndimage.map_coordinates(i, coordinates, order=1) for i in indicators])
    second, most = np.sort(shares, axis=0)[-2:]
    clear = (most - second > 1e-4) | (most == 0)  # outside, every indicator is 0
    assert clear.mean() > 0.999
    expected = ids[shares.argmax(axis=0)][clear]
    found = voxels(demo, "all-together", "labels")[::2, 1::3]
    np.testing.assert_array_equal(found[clear], expected)


@pytest.mark.parametrize("stem", STEMS)
def test_tissues_grow_as_the_warp_does(demo, stem):
    before, after = (np.bincount(voxels(demo, s, "labels").ravel()) for s in ("original", stem))
    warp = record_of(demo, stem).warp
    growth = 1 / abs(np.linalg.det(warp.matrix))
    rtol = 0.02 if warp.control_points is None else 0.1  # here it grows and there it shrinks
    for tissue in (GREY, WHITE):  # thin sheets of fluid lose votes
        assert after[tissue] == pytest.approx(growth * before[tissue], rel=rtol)
    assert len(after) == 4


def center_of_mass(demo, stem):
    return np.array(ndimage.center_of_mass(voxels(demo, stem)))


def said(demo, stem):
    """The number in each line of the words beside the pictures, and what follows it."""
    lines = STRATEGIES[stem].words(record_of(demo, stem))
    found = (re.fullmatch(r"(?:× )?([+−]?[\d.]+)(.*)", line).groups() for line in lines)
    return [(float(number.replace("−", "-")), rest) for number, rest in found]


# To where something moves, as a sign along an axis.
SIGNS = {
    "to the right": (0, 1), "to the left": (0, -1),
    "forwards": (1, 1), "to the back": (1, -1),
    "up": (2, 1), "down": (2, -1),
}  # fmt: skip


def test_translation_is_as_said(demo):
    expected = np.zeros(3)
    for number, rest in said(demo, "translation"):
        axis, sign = SIGNS[rest.removeprefix(" mm ")]
        expected[axis] = sign * number
    moved = center_of_mass(demo, "translation") - center_of_mass(demo, "original")
    assert (abs(moved) > 5).all()
    np.testing.assert_allclose(moved, expected, atol=0.06)


def linear_map_as_said(demo, stem):
    """The matrix that the words of a strategy say."""
    numbers = [number for number, _ in said(demo, stem)]
    if stem == "rotation":
        assert [rest[:9] for _, rest in said(demo, stem)] == [f"° about {axis}" for axis in "xyz"]
        return Rotation.from_euler("xyz", numbers, degrees=True).as_matrix()
    if stem == "stretch":
        ways = ["from left to right", "from back to front", "upwards"]
        assert [rest.strip() for _, rest in said(demo, stem)] == ways
        return np.diag(numbers)
    matrix = np.eye(3)
    for number, rest in said(demo, stem):
        moves, along = rest.removeprefix(" mm ").split(" for each mm ")
        (moved, sign), (axis, _) = SIGNS[moves], SIGNS[along]
        matrix[moved, axis] = sign * number
    return matrix


@pytest.mark.parametrize("stem", ["rotation", "stretch", "shear"])
def test_linear_maps_are_as_said(demo, stem):
    center = (np.array(SHAPE) - 1) / 2
    before = center_of_mass(demo, "original")
    matrix = linear_map_as_said(demo, stem)
    expected = center + matrix @ (before - center)
    assert np.abs(expected - before).max() > 1.5
    np.testing.assert_allclose(center_of_mass(demo, stem), expected, atol=0.15)
    drawn = np.linalg.inv(record_of(demo, stem).warp.matrix)
    np.testing.assert_allclose(drawn, matrix, atol=0.006)


@pytest.mark.parametrize("degrees", [9.0, -9.0])
@pytest.mark.parametrize(
    ("axis", "part", "moves"),
    [
        (0, (0, 1, 0), {9.0: "face up", -9.0: "face down"}),
        (1, (0, 0, 1), {9.0: "crown to the right", -9.0: "crown to the left"}),
        (2, (0, 1, 0), {9.0: "face to the left", -9.0: "face to the right"}),
    ],
)
def test_turns_are_as_said(axis, part, moves, degrees):
    angles = np.zeros(3)
    angles[axis] = degrees
    step = RandomRotation([(angle, angle) for angle in angles], p=1.0)
    record = Compose([step], seed=0).draw((21, 21, 21), index=0)
    line = words.rotation(record)[axis]
    assert line == f"{words.signed(degrees, 1)}° about {'xyz'[axis]}: {moves[degrees]}"
    where, sign = SIGNS[moves[degrees].split(" ", 1)[1]]
    (place,) = record.warp.points_to_output([np.array((10, 10, 10)) + 10 * np.array(part)])
    assert sign * (place[where] - 10) > 1


def test_flip_is_as_said(demo):
    assert STRATEGIES["flip"].words(record_of(demo, "flip"))[0] == "left and right exchanged"
    for kind in ("image", "labels"):
        original = voxels(demo, "original", kind)
        np.testing.assert_array_equal(voxels(demo, "flip", kind), original[::-1])


def test_elastic_is_as_said(demo):
    record = record_of(demo, "elastic")
    ((_, drawn),) = record.steps
    text = " ".join(STRATEGIES["elastic"].words(record))
    lattice = " × ".join(map(str, drawn.control_points.shape[1:]))
    (reach,) = re.findall(r"up to ([\d.]+) mm", text)
    (least,) = re.findall(r"determinant ([\d.]+)", text)
    assert lattice in text
    assert abs(drawn.control_points).max() == pytest.approx(float(reach), abs=0.051)
    dense = record.warp.jacobian_determinant()
    assert dense.min() == pytest.approx(float(least), abs=0.0051)
    assert dense.min() > 0
    np.testing.assert_array_equal(record.warp.control_points, drawn.control_points)  # not shrunk


def test_contrast_is_as_said(demo):
    (line, _) = STRATEGIES["contrast"].words(record_of(demo, "contrast"))
    factor = float(line.removeprefix("differences from the mean × "))
    assert abs(factor - 1) > 0.2
    before = voxels(demo, "original")
    mean = before.mean(dtype=float)
    expected = np.clip(mean + factor * (before - mean), before.min(), before.max())
    np.testing.assert_allclose(voxels(demo, "contrast"), expected, atol=0.006)
    labels = voxels(demo, "original", "labels")
    np.testing.assert_array_equal(voxels(demo, "contrast", "labels"), labels)


def test_landmarks_lie_on_the_sides_of_their_names(template):
    places = apply_affine(template.affine, load_brain().landmarks)
    sides = ["right" if place[0] > 0 else "left" for place in places]
    assert sides == [name.split()[0] for name in LANDMARKS]


def test_sheet_is_a_picture(sheet):
    height, width = sheet.shape[:2]
    assert width > 1000
    assert height > 1200
    gray = np.ptp(sheet, axis=2) < 0.02
    assert 0.3 < (sheet.max(axis=2) == 0).mean() < 0.9  # black background
    assert 0.05 < (gray & (sheet[..., 0] > 0.3)).mean() < 0.5  # brains
    assert 0.005 < (~gray).mean() < 0.2  # outlines
    for edge in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]):
        assert edge.max() == 0  # nothing is cut off


def test_sheet_has_a_landmark_in_each_picture(sheet):
    red, green, blue = np.moveaxis(sheet, -1, 0)
    rings = (green > red + 0.3) & (green > blue + 0.2)
    _, count = ndimage.label(ndimage.binary_dilation(rings, iterations=3))
    # and one in the legend; other landmarks can lie near a slice too
    assert 1 + len(STEMS) + 1 <= count <= 3 * (1 + len(STEMS)) + 1
