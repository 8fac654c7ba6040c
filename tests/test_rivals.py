import itertools
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage

from benchmarks.brain import brain, labels, parcels
from benchmarks.problem import (
    as_integers,
    control_points,
    flip_matrix,
    head,
    pull_matrix,
    shift_matrix,
)
from benchmarks.rivals import __main__ as rivals, caption, measure, report
from benchmarks.rivals.case import Case, spline_weights
from benchmarks.rivals.contender import Contender
from benchmarks.rivals.engines import (
    by_batchgenerators,
    by_monai,
    by_scipy,
    by_simpleitk,
    by_torchio,
    by_volaug,
)
from benchmarks.rivals.jobs import JOBS, SAMPLERS
from benchmarks.rivals.problems import LeastDeterminant, Sample
from benchmarks.rivals.reference import Difference, Reference, Tissues
from benchmarks.samples import random_pipeline
from volaug import Warp, set_num_threads
from volaug.threads.limits import granted_threads

pytestmark = pytest.mark.oracle("nilearn", "SimpleITK")


@pytest.fixture(autouse=True)
def _metadata_are_tracked_again():
    """MONAI's own engine turns that off for the whole process."""
    yield
    if "monai.data" in sys.modules:
        sys.modules["monai.data"].set_track_meta(True)


SIDE = 48  # large enough to be shared out among threads
THREADS = min(2, granted_threads())


@pytest.fixture(autouse=True)
def _as_many_threads_as_before():
    """The adapters can be told only so how many threads to use."""
    yield
    set_num_threads(None)


def case(interpolation="linear", elastic=False, dtype="float32"):
    volume = head(SIDE) if dtype == "float32" else as_integers(head(SIDE), dtype)
    points = control_points() if elastic else None
    return Case(volume, pull_matrix(SIDE), points, interpolation, THREADS)


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


OF_MONAI = pytest.param("dataloader", marks=pytest.mark.oracle("monai"))


@pytest.mark.parametrize("name", [OF_MONAI if name == "dataloader" else name for name in JOBS])
@pytest.mark.slow
def test_engines_compute_the_same(name):
    problem = JOBS[name].problem(SIDE, THREADS)
    entries = list(JOBS[name].contenders(problem))
    rows = measure.measure(name, problem, entries, 0.1, "best")
    assert len(rows) >= 2
    assert rows[0].engine.startswith("volaug")
    for row, entry in zip(rows, entries, strict=True):
        assert bool(row.differences) == (entry.arrays is not None)
        assert len(row.seconds) == max(1, round(entry.repeats * 0.1))
    assert rows[0].voxels == problem.voxels


@pytest.mark.parametrize("wrong", ["transposed", "nan", "one label"])
def test_another_result_is_an_error(wrong):
    problem = case("nearest" if wrong == "one label" else "linear")

    def run():
        (entry, *_) = by_volaug.warp(problem)
        result = entry.run()
        if wrong == "one label":
            counts = problem.references()[0].counts
            result[tuple(np.argwhere(counts)[100])] += 1
            return result
        return result.T if wrong == "transposed" else np.full_like(result, np.nan)

    entry = Contender("wrong", "1", 1, 1, run)
    with pytest.raises(measure.DifferentResultError, match="wrong differs from the reference"):
        measure.measure("job", problem, [entry], 1.0, "best")


@pytest.mark.parametrize(
    "engine",
    [
        by_simpleitk.warp,
        by_batchgenerators.label,
        by_batchgenerators.sample,
        by_monai.sample,
        by_torchio.sample,
    ],
)
def test_a_library_that_is_missing_has_no_row(engine, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert list(engine(case())) == []


@pytest.mark.parametrize("engine", SAMPLERS)
def test_each_call_draws_another_sample(engine):
    problem = JOBS["pipeline"].problem(SIDE, THREADS)
    for entry in engine(problem):
        assert entry.threads == 1
        (first,), (second,) = (entry.arrays(entry.run()) for _ in range(2))
        assert first.shape == second.shape == (2, *problem.image.shape)
        given = [problem.image, problem.label]
        for one, other in itertools.combinations([first, second, given], 2):
            assert np.abs(np.subtract(one[0], other[0])).mean() > 0.01
            assert np.mean(one[1] != other[1]) > 0.05


@pytest.mark.parametrize("engine", SAMPLERS)
def test_samplers_move_voxels_as_far(engine):
    # a ramp shows the place that was read, along its axis: an affine map and what bends it
    side = 64
    ramp = np.empty((side,) * 3, np.float32)
    ramp[:] = np.linspace(1, 2, side)[:, None, None]
    middle = (slice(side // 4, -side // 4),) * 3
    places = np.indices(ramp.shape)[:, *middle].reshape(3, -1)
    fit = np.vstack([places, np.ones_like(places[0])]).T
    solve = np.linalg.pinv(fit)
    for entry in engine(Sample(ramp, np.ones(ramp.shape, np.int16), 1)):
        slopes, bends = [], []
        for _ in range(4):
            (result,) = entry.arrays(entry.run())
            read = (result[0][middle].ravel() - 1) * (side - 1)
            affine = solve @ read
            slopes.append(np.abs(affine[:3]))
            bends.append(np.std(read - fit @ affine) / side)
        along, across = np.hsplit(np.array(slopes), [1])
        assert 0.7 < along.min() < along.max() < 1.3
        assert 0.03 < np.sqrt(np.mean(across**2)) < 0.3
        assert 0.003 < np.mean(bends) < 0.015


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


def test_threads_that_may_still_spin_are_waited_for(monkeypatch):
    pauses = []
    monkeypatch.setattr(measure.time, "sleep", pauses.append)
    for threads in (1, 2):
        entry = Contender("engine", "1", threads, 3, lambda: None, arrays=None)
        measure.measure("job", case(), [entry], 1.0, "best")
    assert pauses == [measure.PAUSE] * 2  # after each but the last


def test_a_contender_may_have_a_clock_of_its_own():
    ticks = itertools.count()
    entry = Contender("engine", "1", 1, 4, lambda: None, None, 0, lambda: float(next(ticks) ** 2))
    (row,) = measure.measure("job", case(), [entry], 1.0, "mean")
    assert row.seconds == [1, 5, 9, 13]
    assert row.typical == 7
    assert row.voxels == 0


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


@pytest.mark.slow
def test_main(capsys, monkeypatch):
    arguments = ["--side", str(SIDE), "--quick", "--threads", str(THREADS), "--markdown"]
    arguments += ["--jobs", "elastic + affine, nearest uint8,patch 40 classes"]
    assert rivals.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:3]] == ["job", "engine"]
    assert sum(line.startswith("| elastic + affine") for line in lines) >= 3
    assert max(len(line) for line in lines if not line.startswith("|")) <= 100
    text = " ".join(lines)
    assert "Patch: " in text
    assert "Cubic: " not in text  # not of these jobs

    monkeypatch.setattr("benchmarks.rivals.case.LABEL_TOLERANCE", -1.0)
    assert rivals.main(arguments) == 1
    assert "differs from the reference by" in capsys.readouterr().err


def test_list(capsys):
    assert rivals.main(["--list"]) == 0
    assert capsys.readouterr().out.splitlines() == list(JOBS)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--threads=0", "--threads must be"),
        ("--threads=9999", "granted"),
        ("--side=3", "at least"),
        ("--jobs=affine,fast", "must be of affine, .* got fast"),
    ],
)
def test_wrong_options(option, message, capsys):
    with pytest.raises(SystemExit):
        rivals.main([option])
    assert re.search(message, capsys.readouterr().err.replace("\n", " "))


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


def test_table():
    real, share = Difference(1e-7, 1, False), Difference(0.00021, 1, True)
    both = (real, Difference(1e-8, 1, False), share)
    rows = [
        measure.Row("affine", "volaug", "1", 2, 10**6, both, [0.003, 0.002, 0.004], "best"),
        measure.Row("affine", "slow", "2", 1, 10**6, (), [0.25], "best"),
        measure.Row("draw", "volaug", "1", 1, 0, (), [0.0004, 0.0001, 0.0001], "mean"),
        measure.Row("crop", "volaug", "1", 1, 10**6, (), [0.003, 0.001, 0.004], "median"),
    ]
    text = [line.split() for line in report.table(rows, markdown=False).splitlines()[2:]]
    numbers = [
        "affine",
        "volaug",
        "1",
        "2",
        "3",
        "2.0",
        "4.0",
        "500",
        "1.00",
        "1e-07,",
        "0.02",
        "%",
    ]
    assert text[0] == numbers
    assert text[1] == ["affine", "slow", "2", "1", "1", "250.0", "250.0", "4", "125", "-"]
    assert text[2] == ["draw", "volaug", "1", "1", "3", "0.20", "0.40", "-", "1.00", "-"]
    assert text[3] == ["crop", "volaug", "1", "1", "3", "3.0", "4.0", "333", "1.00", "-"]
    markdown = report.table(rows, markdown=True).splitlines()
    assert [cell.strip() for cell in markdown[3].strip("|").split("|")][5:7] == ["250.0"] * 2
    assert len({len(line) for line in markdown}) == 1
    wanted = "the best of so many calls, and the mean of draw, and the median of crop"
    assert caption.statistics(rows) == wanted
    assert report.machine()


def test_a_reference_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no voxel reads the interior"):
        Reference(np.empty(0), np.zeros((2, 2, 2), bool), 0.0)
