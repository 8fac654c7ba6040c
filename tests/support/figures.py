"""What tests look up in figures: letters, words, and where things lie."""

import itertools

import nibabel
import numpy as np
from scipy.spatial.transform import Rotation

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
