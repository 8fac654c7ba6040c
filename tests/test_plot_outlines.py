"""Labels have outlines of their colors, and landmarks have rings."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("nibabel")

from matplotlib.colors import to_hex

import volaug
from support.figures import (
    SHAPE,
    affine_of,
    check_layout,
    said,
)
from support.volumes import random_volume
from volaug import (
    Compose,
    LabelPyramid,
)
from volaug.plotting.outlines import color_of, outlines


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
