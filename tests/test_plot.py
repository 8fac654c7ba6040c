"""`volaug.plot` shows the right side on the right side, and slices at their places and sizes."""

# ruff: noqa: E402 - what it needs may be missing

import numpy as np
import pytest

pytest.importorskip("matplotlib")
nibabel = pytest.importorskip("nibabel")


import volaug
from support.figures import (
    OPPOSITE,
    SHAPE,
    affine_of,
    axes_of,
    box_of,
    check_layout,
    letter_at,
    rendered,
    said,
)
from support.volumes import random_volume


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
