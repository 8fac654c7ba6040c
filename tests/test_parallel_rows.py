"""Rows that run parallel to the source's rows, as of a stretch, take another path to the same."""

import numpy as np
import pytest
import scipy.ndimage

from support.volumes import nan_filled, random_volume
from volaug import affine_transform, elastic_deform
from volaug.warping.engine.borders import MODES

SHAPE = (9, 12, 37)
# nothing of axis 2 reaches axes 0 and 1
MATRICES = {
    "stretch": (np.diag((0.9, 1.1, 0.83)), (0.61, 0.32, 2.03)),
    "backwards": (np.diag((0.9, -1.1, -0.83)), (0.61, 10.72, 33.3)),
    "shear and rotation": (
        np.array([[0.9, 0.3, 0.0], [-0.2, 1.1, 0.0], [0.15, -0.22, 0.8]]),
        (0.31, 1.23, 3.41),
    ),
    "enlarged, with both ends beyond": (np.diag((0.3, 0.4, 1.3)), (-1.1, -0.7, -5.3)),
    "shrunk to a few voxels": (np.diag((0.9, 1.1, 9.7)), (0.61, 0.32, 1.03)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int16])
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("name", MATRICES)
def test_the_same_bits_as_any_row(name, interpolation, dtype):
    matrix, offset = MATRICES[name]
    volume = random_volume((2, *SHAPE), dtype)
    nearly = matrix.copy()
    nearly[0, 2] = 1e-300  # not parallel, but for the size of it
    for mode in MODES:
        options = {"interpolation": interpolation, "mode": mode, "cval": 7}
        out = nan_filled(volume.shape, dtype)
        affine_transform(volume, matrix, offset, out=out, **options)
        expected = affine_transform(volume, nearly, offset, **options)
        np.testing.assert_array_equal(out, expected)
        assert (out != 7).mean() > 0.02


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize(("interpolation", "order"), [("linear", 1), ("cubic", 3)])
def test_equals_scipy(name, interpolation, order):
    matrix, offset = MATRICES[name]
    volume = random_volume(SHAPE)
    out = nan_filled(SHAPE, np.float32)
    affine_transform(volume, matrix, offset, interpolation=interpolation, out=out)
    expected = scipy.ndimage.affine_transform(volume.astype(float), matrix, offset, order=order)
    np.testing.assert_allclose(out, expected, atol=5e-6)


def test_a_spline_is_not_parallel():
    volume = random_volume(SHAPE)
    matrix, offset = MATRICES["stretch"]
    points = np.random.default_rng(0).normal(0, 1, (3, 4, 4, 4))
    bent = elastic_deform(volume, points, matrix=matrix, offset=offset)
    assert (bent != affine_transform(volume, matrix, offset)).mean() > 0.5


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_finite_reaches_what_reads_it(interpolation, mode):
    """NaN and infinity at the ends and within a row: the same voxels as of any row."""
    matrix, offset = MATRICES["enlarged, with both ends beyond"]
    volume = random_volume(SHAPE)
    volume[0, 3, 0], volume[4, 5, -1], volume[2, 2, 17] = np.nan, np.inf, -np.inf
    nearly = matrix.copy()
    nearly[0, 2] = 1e-300
    options = {"interpolation": interpolation, "mode": mode, "cval": 7}
    result = affine_transform(volume, matrix, offset, **options)
    np.testing.assert_array_equal(result, affine_transform(volume, nearly, offset, **options))
