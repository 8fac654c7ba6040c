"""The page of `volaug preview` in a browser: what it shows, its sliders and its keys."""

# ruff: noqa: E402 - what it needs may be missing

import json
import re

import numpy as np
import pytest

for needed in ("matplotlib", "PIL"):
    pytest.importorskip(needed)

from support.browser import CHROMIUM, Browser
from support.volumes import random_volume
from volaug import CenterCrop, Compose, RandomTranslation
from volaug.plotting import page
from volaug.plotting.contents import contents_of
from volaug.plotting.outlines import color_of
from volaug.plotting.page import classes_of, mosaic, page_of, whole_label

SHAPE = (30, 36, 33)
AFFINE = np.diag((2.0, 1.0, 1.0, 1.0))
TITLE = "</script><script>alert(1)</script> <b>"


def contents(count=2, steps=None):
    image = np.zeros(SHAPE, np.float32)
    image[20:26, 5:15, 20:30] = 1  # in the patient's right, back and upper part
    label = np.where(image > 0, 3, 0).astype(np.int16)
    given = {"image": image, "label": label, "affine": AFFINE}
    pipeline = Compose(steps or [RandomTranslation(((-8, -8), (6, 6), (0, 0)), p=1.0)], seed=1)
    samples = [given, *(pipeline(**given, index=index) for index in range(count))]
    return [contents_of(sample, None, 0, None, None) for sample in samples]


def data_of(text):
    (found,) = re.findall(r"(?m)^const DATA = (.*);$", text)
    return json.loads(found)


def test_the_data_are_inside_and_end_no_script():
    text = page_of(contents(), TITLE)
    assert text.count("</script>") == 1
    data = data_of(text)
    assert data["title"] == TITLE
    assert [sample["heading"] for sample in data["samples"]] == ["Original", "Draw 0", "Draw 1"]
    assert data["samples"][1]["words"] == [
        "RandomTranslation: moved by 8.0 mm to L, 6.0 mm to A",
    ]
    assert data["samples"][0]["spacing"] == [2.0, 1.0, 1.0]
    assert data["legend"] == [{"name": "label 3", "color": color_of(3)}]


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 7), (6, 2, 1)])
def test_a_mosaic_holds_every_voxel(shape):
    volume = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    tiles = mosaic(volume)
    n0, n1, _ = shape
    across = tiles.shape[1] // n1
    for (i, j, k), value in np.ndenumerate(volume):
        assert tiles[k // across * n0 + i, k % across * n1 + j] == value


def test_labels_are_numbered():
    for label in (np.array([5, 0, -3, 5]), np.array([2**40, 0, 7])):
        values, codes = classes_of(label)
        np.testing.assert_array_equal(values[codes], label)
    one_hot = np.array([[[[0, 1, 1]]], [[[1, 0, 0]]]], bool)
    np.testing.assert_array_equal(whole_label(one_hot), [[[1, 0, 0]]])
    np.testing.assert_array_equal(whole_label(np.array([[[0.2, 0.7, np.nan]]])), [[[0, 1, 0]]])
    np.testing.assert_array_equal(whole_label(np.array([[[2.0, 0.0, 9.0]]])), [[[2, 0, 9]]])


def test_large_volumes_are_shown_smaller(monkeypatch):
    monkeypatch.setattr(page, "MAX_VOXELS", 2000)
    data = data_of(page_of(contents(1), ""))
    assert "lower resolution" in data["levels"]
    for sample in data["samples"]:
        assert np.prod(sample["shape"]) <= 2000
        sides = np.array(sample["shape"]) * sample["spacing"]
        np.testing.assert_allclose(sides, np.array(SHAPE) * (2, 1, 1))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_in_a_browser(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page_of(contents(2), TITLE))
    with Browser(tmp_path / "profile") as browser:
        browser.open(file, 1400, 900)
        ready = "typeof panels === 'object' && panels.every((p) => p.place.textContent)"
        browser.wait(f"document.readyState === 'complete' && {ready}")
        shown = "document.getElementById('heading').textContent"
        assert browser.value(shown) == "Draw 0"
        # the bright block after the draw: 8 mm to the left and 6 mm to the front of where it was
        assert bright(browser, "Axial") == pytest.approx(centers(18.5, 15.5), abs=0.01)
        browser.press(" ")
        browser.wait(f"{shown} === 'Original'")
        browser.wait(is_bright("Axial", *centers(22.5, 9.5)))
        browser.press(" ")
        browser.wait(f"{shown} === 'Draw 0'")
        browser.press("ArrowRight")
        browser.wait(f"{shown} === 'Draw 1'")
        browser.press("ArrowRight")  # there are no more
        browser.press("ArrowLeft")
        browser.wait(f"{shown} === 'Draw 0'")
        browser.press("ArrowUp")
        browser.wait("panels[2].place.textContent === 'axis 2, voxel 26'")
        browser.value("document.getElementById('draw').focus()")
        browser.press("l")
        browser.wait("document.getElementById('outlines').ariaPressed === 'true'")
        for width in (1400, 400):
            browser.resize(width, 900)
            assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.errors == []
        assert all(address.startswith(("file:", "data:")) for address in browser.requests)


def centers(i, j):
    """The center of a block in the axial view, as shares of its width and height."""
    return (SHAPE[0] - 0.5 - i) / SHAPE[0], (SHAPE[1] - 0.5 - j) / SHAPE[1]


BRIGHT = """(() => {{
  const canvas = panels.find((p) => p.view.name === "{name}").canvas;
  const {{ width, height }} = canvas;
  const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let [count, x, y] = [0, 0, 0];
  for (let n = 0; n < width * height; n++) {{
    if (Math.min(bytes[4 * n], bytes[4 * n + 1], bytes[4 * n + 2]) < 230) continue;
    count++; x += n % width; y += Math.floor(n / width);
  }}
  return [x / count / width, y / count / height];
}})()"""


def bright(browser, name):
    """The center of what is white in a view, without the outlines, crosshair and letters."""
    hide = "state.outlines = false; DATA.views.forEach((v) => Object.assign(v, { left: '', right: "
    hide += "'', top: '', bottom: '' })); state.at[2] = 25; update()"
    browser.value(hide)
    browser.wait("panels[2].place.textContent === 'axis 2, voxel 25'")
    return browser.value(BRIGHT.format(name=name))


def is_bright(name, x, y):
    found = BRIGHT.format(name=name)
    return f"(([x, y]) => Math.hypot(x - {x}, y - {y}) < 0.02)({found})"


@pytest.mark.slow
def test_a_crop_is_shown_by_its_own_shape():
    data = data_of(page_of(contents(1, [CenterCrop((10, 12, 14))]), ""))
    assert [sample["shape"] for sample in data["samples"]] == [[*SHAPE], [10, 12, 14]]
    assert data["samples"][1]["at"] == [5, 6, 7]


def test_without_a_label_there_is_no_legend():
    data = data_of(
        page_of([contents_of({"image": random_volume((6, 7, 8))}, *[None, 0, None, None])], "")
    )
    assert data["legend"] == []
    assert data["unit"] == "voxels"
    assert [view["name"] for view in data["views"]] == ["Axis 0", "Axis 1", "Axis 2"]
