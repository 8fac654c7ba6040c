import inspect
import itertools
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage

from benchmarks import cold_start, operations
from benchmarks.brain import brain, labels, parcels
from benchmarks.cold_start import FIRST_CALL, ColdStart
from benchmarks.problem import (
    as_integers,
    control_points,
    flip_matrix,
    head,
    pull_matrix,
    shift_matrix,
)
from benchmarks.rivals import __main__ as rivals
from benchmarks.rivals import measure, report
from benchmarks.rivals.case import Case, spline_weights
from benchmarks.rivals.contender import Contender
from benchmarks.rivals.engines import by_batchgenerators, by_scipy, by_simpleitk, by_volaug
from benchmarks.rivals.jobs import JOBS
from benchmarks.rivals.problems import LeastDeterminant
from benchmarks.rivals.reference import Difference, Reference
from benchmarks.warps import Affine, Elastic
from volaug import Warp
from volaug.threads import granted_threads

ROOT = Path(__file__).parents[1]
SIDE = 48  # large enough to be shared out among threads
THREADS = min(2, granted_threads())
MEASURED = ("time_", "peakmem_", "track_")


def names(suite, prefixes):
    return [name for name in dir(suite) if name.startswith(prefixes)]


OPERATIONS = [
    suite
    for suite in vars(operations).values()
    if inspect.isclass(suite) and hasattr(suite, "time_call") and not suite.__name__.startswith("_")
]


def case(interpolation="linear", elastic=False, dtype="float32"):
    volume = head(SIDE) if dtype == "float32" else as_integers(head(SIDE), dtype)
    points = control_points() if elastic else None
    return Case(volume, pull_matrix(SIDE), points, interpolation, THREADS)


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("suite", [Affine, Elastic])
class TestWarps:
    def test_every_benchmark_runs(self, suite):
        assert len(names(suite, MEASURED)) == 6
        for name in names(suite, MEASURED):
            benchmark = suite()
            benchmark.setup(SIDE, THREADS)
            value = getattr(benchmark, name)(SIDE, THREADS)
            assert (value > 0) if name.startswith("track_") else (value is None)

    def test_setup_has_written_the_output(self, suite):
        benchmark = suite()
        benchmark.setup(SIDE, THREADS)
        assert not np.isnan(benchmark.out).any()
        np.testing.assert_array_equal(benchmark.out, benchmark.warp(None, 1))

    def test_a_rate_names_its_unit(self, suite):
        assert suite().track_speed.unit == "Mvoxel/s"
        assert all(hasattr(getattr(suite, name), "unit") for name in names(suite, ("track_",)))


@pytest.mark.parametrize("suite", OPERATIONS)
def test_operations(suite):
    benchmark = suite()
    benchmark.setup(SIDE)
    assert benchmark.time_call(SIDE) is None
    assert benchmark.track_times_a_copy(SIDE) > 0
    assert benchmark.track_times_a_copy.unit
    assert benchmark.setup_cache.__func__ is Affine.setup_cache  # asv runs it once for all


def test_operations_are_not_the_same():
    """By what they write: no two of the warps."""
    written = []
    for suite in OPERATIONS:
        benchmark = suite()
        benchmark.setup(SIDE)
        if isinstance(getattr(benchmark, "out", None), np.ndarray):
            assert not np.isnan(benchmark.out).any()
            written.append(benchmark.out)
    assert len(written) == 8
    assert len({array.tobytes() for array in written}) == 8


def test_affine_and_elastic_differ():
    suites = [Affine(), Elastic()]
    for suite in suites:
        suite.setup(SIDE, THREADS)
    first, second = (suite.warp(None, THREADS) for suite in suites)
    assert np.abs(first - second).max() > 0.1


def test_cold_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    warmup = "volaug.warmup(['float32'])"  # one dtype costs the test a third
    monkeypatch.setattr(cold_start, "WARMUP", warmup)
    suite = ColdStart()
    for statement, preparation in (suite.timeraw_import(), suite.timeraw_import_numba()):
        run_python(f"{preparation}\n{statement}")

    statement, preparation = suite.timeraw_first_call_empty_cache()
    assert statement == FIRST_CALL
    assert suite.timeraw_warmup_empty_cache() == (warmup, preparation)
    run_python(f"{preparation}\nassert not os.listdir(os.environ['NUMBA_CACHE_DIR'])")

    suite.setup_cache()
    filled = sorted(tmp_path.rglob("*.kernel"))
    written = [file.stat().st_mtime_ns for file in filled]
    assert filled
    for wanted, (statement, preparation) in (
        (FIRST_CALL, suite.timeraw_first_call_filled_cache()),
        (warmup, suite.timeraw_warmup_filled_cache()),
    ):
        assert statement == wanted
        assert repr(str(tmp_path / "kernels")) in preparation
        run_python(f"{preparation}\n{statement}")
    assert sorted(tmp_path.rglob("*.kernel")) == filled
    assert [file.stat().st_mtime_ns for file in filled] == written


def test_asv_can_list_the_benchmarks_without_the_rivals():
    run_python(
        f"import importlib, pkgutil, sys; sys.path.insert(0, {str(ROOT)!r}); import benchmarks\n"
        "for module in pkgutil.walk_packages(benchmarks.__path__, 'benchmarks.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'benchmarks.rivals.engines.by_torch' in sys.modules\n"
        "assert not {'torch', 'SimpleITK', 'nilearn', 'batchgeneratorsv2'} & set(sys.modules)"
    )


def test_the_matrix_is_no_other_by_mistake():
    matrix = pull_matrix(SIDE)
    linear = matrix[:, :3]
    others = [linear.T, np.linalg.inv(linear), linear[::-1, ::-1], np.eye(3)]
    assert min(np.abs(linear - other).max() for other in others) > 0.1
    centre = np.full(3, (SIDE - 1) / 2)
    assert np.abs(linear @ centre + matrix[:, 3] - centre).max() < 4  # the shift alone


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


@pytest.mark.parametrize("name", JOBS)
def test_engines_compute_the_same(name):
    for library in ("nilearn", "SimpleITK"):
        pytest.importorskip(library)
    problem = JOBS[name].problem(SIDE, THREADS)
    entries = list(JOBS[name].contenders(problem))
    rows = measure.measure(name, problem, entries, effort=0.1)
    assert len(rows) >= 2
    assert rows[0].engine == "volaug"
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
        measure.measure("job", problem, [entry], effort=1.0)


@pytest.mark.parametrize("engine", [by_simpleitk.warp, by_batchgenerators.label])
def test_a_library_that_is_missing_has_no_row(engine, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert list(engine(case())) == []


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
    pytest.importorskip("SimpleITK")
    assert rivals.same_spline(SIDE) < 1e-6
    monkeypatch.setattr(rivals, "SPLINE_TOLERANCE", 0.0)
    with pytest.raises(measure.DifferentResultError, match="voxels from SimpleITK's"):
        rivals.same_spline(SIDE)


def test_main(capsys, monkeypatch):
    pytest.importorskip("nilearn")
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


def test_brain_is_cut_and_padded_about_its_centre():
    pytest.importorskip("nilearn")
    small, large = brain(SIDE), brain(256)
    assert small.dtype == large.dtype == np.float32
    # an even length and an odd one have no common centre: one voxel of play
    starts = itertools.product(((256 - SIDE) // 2 - 1, (256 - SIDE) // 2), repeat=3)
    parts = [large[tuple(slice(start, start + SIDE) for start in corner)] for corner in starts]
    assert any(np.array_equal(small, part) for part in parts)
    assert not large[0].any()
    assert np.ptp(small) > 0.5


def test_labels_and_parcels():
    pytest.importorskip("nilearn")
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


def test_as_integers():
    for dtype, greatest in (("uint8", 255), ("int16", 4095)):
        levels = as_integers(head(SIDE), dtype)
        assert levels.dtype == dtype
        assert (levels.min(), levels.max()) == (0, greatest)
        np.testing.assert_allclose(levels, head(SIDE) / head(SIDE).max() * greatest, atol=0.501)


def test_table():
    real, share = Difference(1e-7, 1, False), Difference(0.00021, 1, True)
    both = (real, Difference(1e-8, 1, False), share)
    rows = [
        measure.Row("affine", "volaug", "1", 2, 10**6, both, [0.003, 0.001, 0.004]),
        measure.Row("affine", "slow", "2", 1, 10**6, (), [0.25]),
    ]
    text = report.table(rows, "best", markdown=False).splitlines()
    numbers = ["affine", "volaug", "1", "2", "3", "1.0", "1,000", "1.00", "1e-07,", "0.02", "%"]
    assert text[2].split() == numbers
    assert text[3].split() == ["affine", "slow", "2", "1", "1", "250.0", "4", "250", "-"]
    markdown = report.table(rows, "median", markdown=True).splitlines()
    assert [cell.strip() for cell in markdown[3].strip("|").split("|")][5:8] == ["250.0", "4", "83"]
    assert len({len(line) for line in markdown}) == 1
    assert report.machine()


def test_a_reference_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no voxel reads the interior"):
        Reference(np.empty(0), np.zeros((2, 2, 2), bool), 0.0)
