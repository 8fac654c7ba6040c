"""Tiles show one view of each sample, and cut no words off."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("nibabel")

from support.figures import affine_of, check_layout, said
from support.volumes import random_volume
from volaug.plotting.contents import contents_of
from volaug.plotting.sample_tiles import draw_tiles


@pytest.mark.parametrize("count", [1, 5])
def test_a_tile_for_each_sample(count):
    images = [random_volume((20, 24, 22), seed=number) for number in range(count)]
    samples = [
        contents_of({"image": image}, None, 0, (3, 4, 5), affine_of("RAS"))._replace(
            heading=f"Number {number}", words="words " * (1 + 9 * number)
        )
        for number, image in enumerate(images)
    ]
    figure = draw_tiles(samples, "Axial", 2, (0.0, 1.0), "A title")
    check_layout(figure)
    assert [axes.get_label() for axes in figure.axes] == ["Axial"] * count
    for axes, image in zip(figure.axes, images, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), image[::-1, :, 5].T)
        assert axes.images[0].get_clim() == (0.0, 1.0)
    assert len(figure.artists) == 1  # one scale bar: all tiles have one scale
    assert said(figure).count("words") == sum(1 + 9 * number for number in range(count))
