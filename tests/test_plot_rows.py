"""Several samples are rows of one figure, to one scale and with the same gray levels."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("nibabel")

import volaug
from support.figures import SHAPE, affine_of, box_of, check_layout, said
from support.volumes import random_volume
from volaug import CenterCrop, Compose, Normalize, RandomContrast, RandomFlip, RandomTranslation
from volaug.plotting.panels import round_length


def bar_of(figure):
    """The first scale bar: its length in pixels, and what is written beside it."""
    (x0, x1), _ = figure.artists[0].get_data()
    unit = ("mm", "voxels")
    (text, *_) = [t.get_text() for t in figure.texts if t.get_text().endswith(unit)]
    return (x1 - x0) * figure.bbox.width, text


def test_a_row_for_each_sample():
    image = random_volume(SHAPE)
    label = np.zeros(SHAPE, np.uint8)
    label[4:9, 5:12, 6:13] = 3
    steps = [RandomTranslation(((2, 2), (-3, -3), (4, 4)), p=1.0), RandomFlip("LR", p=1.0)]
    pipeline = Compose(steps, seed=1, swap=set())
    given = {"image": image, "label": label, "points": [[7, 9, 11]]}
    draws = [pipeline(**given, affine=affine_of("RAS"), index=index) for index in (0, 5)]
    figure = volaug.plot([given, *draws], affine=affine_of("RAS"))
    check_layout(figure)
    assert [axes.get_label() for axes in figure.axes] == ["Sagittal", "Coronal", "Axial"] * 3
    words = said(figure)
    assert words.index("Original") < words.index("Draw 0") < words.index("Draw 5")
    assert words.count("moved by 2.0 mm to R, 3.0 mm to P, 4.0 mm to S") == 2
    assert words.count("left and right mirrored") == 2
    assert words.count("landmark") == 1
    for row, sample in enumerate([given, *draws]):
        shown = figure.axes[3 * row].images[0].get_array()  # radiological: the front at the left
        np.testing.assert_array_equal(shown, np.asarray(sample["image"])[7].T[:, ::-1])
    assert len(figure.artists) == 3


def test_rows_share_their_gray_levels_and_their_scale():
    image = random_volume((20, 24, 28))
    pipeline = Compose([RandomContrast((2, 2), preserve_range=False, p=1.0), CenterCrop(10)])
    figure = volaug.plot([{"image": image}, pipeline(image=image, index=0)])
    check_layout(figure)
    assert len({axes.images[0].get_clim() for axes in figure.axes}) == 1
    wide, small = box_of(figure.axes[0]), box_of(figure.axes[3])
    assert (wide[1] - wide[0]) / 24 == pytest.approx((small[1] - small[0]) / 10, rel=0.03)
    black, _ = figure.axes[0].images[0].get_clim()
    assert black > image.min()  # and not that of the row with more contrast


def test_normalized_rows_have_gray_levels_of_their_own():
    image = 1000 + 100 * random_volume(SHAPE)
    normalize, crop = Compose([Normalize()]), Compose([CenterCrop(SHAPE)])
    samples = [{"image": image}, *(p(image=image, index=0) for p in (crop, normalize))]
    figure = volaug.plot(samples)
    levels = [axes.images[0].get_clim() for axes in figure.axes[::3]]
    assert levels[0] == levels[1]
    assert levels[0][0] > 600
    assert -4 < levels[2][0] < 0
    assert "; after Normalize black is −" in said(figure)


def test_rows_of_any_shape_fit():
    shapes = [(64, 64, 5), (5, 60, 8), (30, 30, 1), (1, 1, 1)]
    figure = volaug.plot([{"image": random_volume(shape)} for shape in shapes])
    check_layout(figure)


@pytest.mark.parametrize(("given", "unit"), [({"spacing": (0.5, 1, 2)}, "mm"), ({}, "voxels")])
def test_a_bar_says_how_long_it_is(given, unit):
    sample = {"image": random_volume((40, 60, 30)), **given}
    for figure in (volaug.plot(sample), volaug.plot([sample, sample])):
        length, text = bar_of(figure)
        number, found = text.split()
        assert found == unit
        left, right, *_ = box_of(figure.axes[0])
        assert length / (right - left) == pytest.approx(float(number) / 60, rel=0.02)


def test_lengths_are_round():
    for most, found in ((1, 1), (1.9, 1), (2, 2), (4.99, 2), (5, 5), (73, 50), (0.034, 0.02)):
        assert round_length(most) == pytest.approx(found)


def test_a_list_must_have_samples():
    with pytest.raises(ValueError, match="got an empty list"):
        volaug.plot([])
    with pytest.raises(TypeError, match=r"must be a Sample, or a mapping .* got ndarray"):
        volaug.plot([np.zeros(SHAPE)])
