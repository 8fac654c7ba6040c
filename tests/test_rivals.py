"""The comparison with other libraries: engines that compute the same, times, and the command."""

import itertools
import re
import sys

import numpy as np
import pytest

from benchmarks.rivals import __main__ as rivals, caption, measure, report
from benchmarks.rivals.contender import Contender, is_installed
from benchmarks.rivals.engines import (
    by_albumentations,
    by_ants,
    by_batchgenerators,
    by_dali,
    by_dipy,
    by_monai,
    by_simpleitk,
    by_torchio,
    by_torchtransform,
    by_volaug,
)
from benchmarks.rivals.jobs import JOBS, SAMPLERS
from benchmarks.rivals.problems import Sample
from benchmarks.rivals.reference import Difference
from support.rivals import SIDE, THREADS, case
from volaug import set_num_threads

pytestmark = pytest.mark.oracle("nilearn", "SimpleITK")


@pytest.fixture(autouse=True)
def _metadata_are_tracked_again():
    """MONAI's own engine turns that off for the whole process."""
    yield
    if "monai.data" in sys.modules:
        sys.modules["monai.data"].set_track_meta(True)


@pytest.fixture(autouse=True)
def _as_many_threads_as_before():
    """The adapters can be told only so how many threads to use."""
    yield
    set_num_threads(None)


OF_MONAI = pytest.param("dataloader", marks=pytest.mark.oracle("monai"))


@pytest.mark.parametrize("name", [OF_MONAI if name == "dataloader" else name for name in JOBS])
@pytest.mark.slow
def test_engines_compute_the_same(name, monkeypatch):
    monkeypatch.setattr(measure, "PAUSE", 0.0)  # times are of no interest
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
        by_torchtransform.sample,
        by_torchtransform.warp,
        by_albumentations.sample,
        by_albumentations.warp,
        by_ants.warp,
        by_dali.warp,
        by_dipy.warp,
    ],
)
def test_a_library_that_is_missing_has_no_row(engine, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert list(engine(case())) == []


def test_a_part_of_a_package_that_is_missing_is_missing():
    assert is_installed("scipy.ndimage")
    assert not is_installed("scipy.nowhere")
    assert not is_installed("nowhere.ndimage")


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
    # a ramp shows the place that was read, along its axis: an affine map and what bends it; to 1,
    # since AlbumentationsX cuts what is more
    side = 64
    ramp = np.empty((side,) * 3, np.float32)
    ramp[:] = np.linspace(0.5, 1, side)[:, None, None]
    middle = (slice(side // 4, -side // 4),) * 3
    places = np.indices(ramp.shape)[:, *middle].reshape(3, -1)
    fit = np.vstack([places, np.ones_like(places[0])]).T
    solve = np.linalg.pinv(fit)
    for entry in engine(Sample(ramp, np.ones(ramp.shape, np.int16), 1)):
        slopes, bends = [], []
        for _ in range(4):
            (result,) = entry.arrays(entry.run())
            read = (2 * result[0][middle].ravel() - 1) * (side - 1)
            affine = solve @ read
            slopes.append(np.abs(affine[:3]))
            bends.append(np.std(read - fit @ affine) / side)
        along, across = np.hsplit(np.array(slopes), [1])
        assert 0.7 < along.min() < along.max() < 1.3
        assert 0.03 < np.sqrt(np.mean(across**2)) < 0.3
        assert 0.003 < np.mean(bends) < 0.015


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
    wanted = "the best of so many calls; for draw, the mean; for crop, the median"
    assert caption.statistics(rows) == wanted
    assert report.machine()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        (" Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "Intel Core i7-8700K @ 3.70GHz"),
        ("AMD EPYC 7543 32-Core Processor", "AMD EPYC 7543 32-Core"),
    ],
)
def test_the_name_of_a_processor_is_plain(name, plain):
    assert report.plain_name(name) == plain
