"""The inputs and the references of the comparison with other libraries."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage

from benchmarks.brain import brain, labels, parcels
from benchmarks.problem import control_points, flip_matrix, head, pull_matrix, shift_matrix
from benchmarks.rivals import __main__ as rivals, measure
from benchmarks.rivals.case import spline_weights
from benchmarks.rivals.engines import by_scipy
from benchmarks.rivals.problems import LeastDeterminant
from benchmarks.rivals.reference import Reference, Tissues
from benchmarks.samples import random_pipeline
from support.rivals import SIDE, THREADS, case
from volaug import Warp

pytestmark = pytest.mark.oracle("nilearn", "SimpleITK")


def test_spline_weights():
    weights = spline_weights(SIDE, 11)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-14)
    # a linear function of the control points' places is reproduced
    spacing = (SIDE - 1) / 8
    np.testing.assert_allclose(
        weights @ ((np.arange(11) - 1) * spacing), np.arange(SIDE), atol=1e-12
    )


def test_slopes_of_spline_weights():
    # a line again, and its slope
    slopes, spacing = spline_weights(SIDE, 11, slope=True), (SIDE - 1) / 8
    np.testing.assert_allclose(slopes @ ((np.arange(11) - 1) * spacing), 1, atol=1e-12)
    fine = spline_weights(1000, 11), spline_weights(1000, 11, slope=True)
    np.testing.assert_allclose(np.gradient(fine[0], axis=0)[1:-1], fine[1][1:-1], atol=1e-6)


def test_displacements_lead_to_the_coordinates():
    problem = case(elastic=True)
    places = problem.coordinates(slice(None), problem.weights())
    np.testing.assert_allclose(
        np.indices((SIDE,) * 3) + problem.displacements(), places, atol=1e-12
    )


def test_label_reference_is_the_largest_indicator():
    classes = np.digitize(head(SIDE), (0.1, 0.45, 0.55)).astype(np.uint8)
    problem = replace(case("label", elastic=True), volume=classes)
    (reference,) = problem.references()
    places = problem.coordinates(slice(None), problem.weights())
    indicators = [
        scipy.ndimage.map_coordinates((classes == k).astype(float), places, order=1)
        for k in range(4)
    ]
    wanted = np.argmax(indicators, axis=0)[reference.counts]
    assert 0.1 < reference.counts.mean() < 1
    assert np.mean(wanted != reference.values) < 1e-5


def test_tissues_are_where_the_labels_are():
    side = 64
    tissues = Tissues(brain(side), parcels(side, 4))
    pipeline = random_pipeline(side)
    for index in range(3):
        moved = pipeline(image=tissues.image, label=tissues.label, index=index)
        assert tissues.difference(np.stack([moved["image"], moved["label"]])).is_allowed
        left = tissues.difference(np.stack([moved["image"], tissues.label]))
        assert left.value > 2 * left.allowed
    for labels_of_none in (tissues.label + 0.5, np.minimum(tissues.label, 2)):
        result = np.stack([tissues.image, labels_of_none])
        assert not tissues.difference(result).is_allowed


def test_integers_may_miss_by_one_level():
    (reference,) = case(dtype="uint8").references()
    assert reference.difference(np.zeros((SIDE,) * 3)).allowed == pytest.approx(1 / 255, rel=1e-2)


def test_voxels_that_move_whole_are_exact():
    for matrix in (flip_matrix(SIDE), shift_matrix(SIDE)):
        (reference,) = replace(case(), matrix=matrix).references()
        assert reference.allowed == 0


def test_least_determinant():
    problem = LeastDeterminant(case(elastic=True))
    (reference,) = problem.references()
    warp = Warp((SIDE,) * 3, pull_matrix(SIDE), 0.0, control_points())
    assert reference.values[0] == pytest.approx(warp.jacobian_determinant().min(), rel=1e-9)


def test_filter_in_slabs_is_scipys():
    found = np.full((SIDE, SIDE, SIDE), np.nan)
    by_scipy.filter_in_slabs(head(SIDE), found, THREADS)
    np.testing.assert_allclose(found, scipy.ndimage.spline_filter(head(SIDE)), atol=1e-6)


def test_spline_lies_on_simpleitk_lattice(monkeypatch):
    assert rivals.same_spline(SIDE) < 1e-6
    monkeypatch.setattr(rivals, "SPLINE_TOLERANCE", 0.0)
    with pytest.raises(measure.DifferentResultError, match="voxels from SimpleITK's"):
        rivals.same_spline(SIDE)


def test_brain_is_cut_and_padded_about_its_center():
    small, large = brain(SIDE), brain(256)
    assert small.dtype == large.dtype == np.float32
    # an even length and an odd one have no common center: one voxel of play
    starts = itertools.product(((256 - SIDE) // 2 - 1, (256 - SIDE) // 2), repeat=3)
    parts = [large[tuple(slice(start, start + SIDE) for start in corner)] for corner in starts]
    assert any(np.array_equal(small, part) for part in parts)
    assert not large[0].any()
    assert np.ptp(small) > 0.5


@pytest.mark.slow
def test_labels_and_parcels():
    side = 128
    tissues, cells = labels(side), parcels(side, 40)
    assert np.unique(tissues).tolist() == [0, 1, 2, 3]
    assert (brain(side)[tissues == 3] > 0.05).all()
    np.testing.assert_array_equal(parcels(side, 4), tissues)
    assert cells.dtype == np.int16
    np.testing.assert_array_equal(cells == 0, tissues == 0)
    # cells of about the same size, and not of single voxels
    sizes = np.bincount(cells.ravel())[1:]
    assert len(sizes) == 39
    assert sizes.min() > sizes.mean() / 10
    assert np.mean(cells[:, :, 1:] == cells[:, :, :-1]) > 0.9


def test_a_reference_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no voxel reads the interior"):
        Reference(np.empty(0), np.zeros((2, 2, 2), bool), 0.0)
