import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cold_start import FIRST_CALL, ColdStart
from benchmarks.problem import brain, control_points, head, pull_matrix
from benchmarks.rivals import __main__ as rivals
from benchmarks.rivals import measure, report
from benchmarks.rivals.case import Case, spline_weights
from benchmarks.rivals.engines import Contender, contenders
from benchmarks.warps import Affine, Elastic
from volaug.threads import granted_threads

ROOT = Path(__file__).parents[1]
SIDE = 48  # large enough to be shared out among threads
THREADS = min(2, granted_threads())
MEASURED = ("time_", "peakmem_", "track_")


def names(suite, prefixes):
    return [name for name in dir(suite) if name.startswith(prefixes)]


def case(elastic):
    points = control_points() if elastic else None
    return Case("warp", head(SIDE), pull_matrix(SIDE), points, THREADS)


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


def test_affine_and_elastic_differ():
    suites = [Affine(), Elastic()]
    for suite in suites:
        suite.setup(SIDE, THREADS)
    first, second = (suite.warp(None, THREADS) for suite in suites)
    assert np.abs(first - second).max() > 0.1


def test_cold_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = ColdStart()
    for statement, preparation in (suite.timeraw_import(), suite.timeraw_import_numba()):
        run_python(f"{preparation}\n{statement}")

    statement, preparation = suite.timeraw_first_call_empty_cache()
    assert statement == FIRST_CALL
    run_python(f"{preparation}\nassert not os.listdir(os.environ['NUMBA_CACHE_DIR'])")

    suite.setup_cache()
    filled = sorted(tmp_path.rglob("*.kernel"))
    written = [file.stat().st_mtime_ns for file in filled]
    assert filled
    statement, preparation = suite.timeraw_first_call_filled_cache()
    assert statement == FIRST_CALL
    assert repr(str(tmp_path / "kernels")) in preparation
    run_python(f"{preparation}\n{statement}")
    assert sorted(tmp_path.rglob("*.kernel")) == filled
    assert [file.stat().st_mtime_ns for file in filled] == written


def test_asv_can_list_the_benchmarks_without_the_rivals():
    run_python(
        f"import importlib, pkgutil, sys; sys.path.insert(0, {str(ROOT)!r}); import benchmarks\n"
        "for module in pkgutil.walk_packages(benchmarks.__path__, 'benchmarks.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'benchmarks.rivals.engines' in sys.modules\n"
        "assert not {'torch', 'SimpleITK', 'nilearn'} & set(sys.modules)"
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


@pytest.mark.parametrize("elastic", [False, True])
def test_engines_compute_the_same_picture(elastic):
    rows = measure.measure(case(elastic), list(contenders(case(elastic))), effort=0.1)
    assert {"volaug", "scipy.ndimage"} <= {row.contender.engine for row in rows}
    assert all(row.difference < 1e-4 for row in rows if row.contender.picture)
    assert [len(row.seconds) for row in rows] == [
        max(1, round(row.contender.repeats * 0.1)) for row in rows
    ]


@pytest.mark.parametrize("wrong", ["transposed", "nan"])
def test_another_picture_is_an_error(wrong):
    def run():
        picture = case(False).reference()[0]
        return picture.T if wrong == "transposed" else np.full_like(picture, np.nan)

    entry = Contender("wrong", "1", 1, 1, run)
    with pytest.raises(measure.DifferentPictureError, match="wrong differs from the reference"):
        measure.measure(case(False), [entry], effort=1.0)


def test_spline_lies_on_simpleitk_lattice():
    pytest.importorskip("SimpleITK")
    assert measure.spline_difference(control_points(), SIDE) < 1e-6


def test_main(capsys, monkeypatch):
    monkeypatch.setattr(rivals, "brain", head)
    arguments = ["--side", str(SIDE), "--quick", "--threads", str(THREADS), "--markdown"]
    assert rivals.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:3]] == ["job", "engine"]
    assert sum(line.startswith("| elastic + affine") for line in lines) >= 3
    assert max(len(line) for line in lines if not line.startswith("|")) <= 100

    monkeypatch.setattr(measure, "PICTURE_TOLERANCE", 0.0)
    assert rivals.main(arguments) == 1
    assert "differs from the reference by" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [("--threads=0", "--threads must be"), ("--threads=9999", "granted"), ("--side=3", "at least")],
)
def test_wrong_options(option, message, capsys):
    with pytest.raises(SystemExit):
        rivals.main([option])
    assert message in capsys.readouterr().err


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


def test_table():
    entries = [
        Contender("volaug", "1", 2, 2, lambda: None),
        Contender("slow", "2", 1, 1, lambda: None),
    ]
    rows = [
        measure.Row("affine", entries[0], 1e-7, [0.003, 0.001, 0.004]),
        measure.Row("affine", entries[1], None, [0.25]),
    ]
    text = report.table(rows, 10**6, "best", markdown=False).splitlines()
    assert text[2].split() == ["affine", "volaug", "1", "2", "3", "1.0", "1,000", "1.00", "1e-07"]
    assert text[3].split() == ["affine", "slow", "2", "1", "1", "250.0", "4", "250", "-"]
    markdown = report.table(rows, 10**6, "median", markdown=True).splitlines()
    assert [cell.strip() for cell in markdown[3].strip("|").split("|")][5:8] == ["250.0", "4", "83"]
    assert len({len(line) for line in markdown}) == 1
    assert report.machine()
