import inspect
import itertools
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cold_start, geometries, intensity, measured, operations, pipelines, roofline
from benchmarks.clock import OutsideKernels, share_outside_kernels
from benchmarks.cold_start import ColdStart
from benchmarks.problem import as_integers, head, pull_matrix, tiled
from benchmarks.samples import drawing, random_patch, random_pipeline, sampling
from benchmarks.warps import Affine, Elastic
from volaug.threads.limits import granted_threads
from volaug.warping.engine import walk

ROOT = Path(__file__).parents[1]
SIDE = 48  # large enough to be shared out among threads
THREADS = min(2, granted_threads())
MEASURED = ("time_", "peakmem_", "track_")
PATCH = 16


def names(suite, prefixes):
    return [name for name in dir(suite) if name.startswith(prefixes)]


OPERATIONS = [
    suite
    for suite in (vars(operations) | vars(pipelines) | vars(intensity)).values()
    if inspect.isclass(suite) and hasattr(suite, "time_call") and not suite.__name__.startswith("_")
]


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
@pytest.mark.slow
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


@pytest.mark.slow
def test_resizing(monkeypatch):
    monkeypatch.setattr(geometries, "SIDES", {"24 to 40": (24, 40)})
    _, interpolations, dtypes = geometries.Resized.params
    left_out = []
    for arguments in itertools.product(["24 to 40"], interpolations, dtypes):
        benchmark = geometries.Resized()
        try:
            benchmark.setup(*arguments)
        except NotImplementedError:
            left_out.append(arguments[1:])
            continue
        assert benchmark.track_times_a_copy(*arguments) > 0
    assert left_out == [("cubic", "float32"), ("label", "float32")]


@pytest.mark.slow
@pytest.mark.parametrize("name", names(geometries.Ratios, ("track_",)))
def test_ratios(name, monkeypatch):
    monkeypatch.setattr(measured, "BEST_OF", 1)
    benchmark = geometries.Ratios()
    assert benchmark.unit == "times"
    benchmark.setup()
    assert getattr(benchmark, name)() > 0


@pytest.mark.slow
def test_the_roofline_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measured, "BEST_OF", 1)
    path = tmp_path / "roofline.png"
    roofline.main([str(path), "--sides", "32", "48", "--threads", "1", "--name", "a processor"])
    assert path.read_bytes()[1:4] == b"PNG"
    lines = capsys.readouterr().out.splitlines()
    assert [line[:22].strip() for line in lines][:2] == ["copy (np.copyto)", "affine"]


def test_affine_and_elastic_differ():
    suites = [Affine(), Elastic()]
    for suite in suites:
        suite.setup(SIDE, THREADS)
    first, second = (suite.warp(None, THREADS) for suite in suites)
    assert np.abs(first - second).max() > 0.1


@pytest.mark.slow
def test_cold_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # two kernels in place of all, whose compilation takes 20 seconds
    first_call, warmup = "volaug.spline_filter(volume)", "volaug.spline_filter(volume, threads=1)"
    monkeypatch.setattr(cold_start, "FIRST_CALL", first_call)
    monkeypatch.setattr(cold_start, "WARMUP", warmup)
    suite = ColdStart()
    for statement, preparation in (suite.timeraw_import(), suite.timeraw_import_numba()):
        run_python(f"{preparation}\n{statement}")

    statement, preparation = suite.timeraw_first_call_empty_cache()
    assert statement == first_call
    assert suite.timeraw_warmup_empty_cache() == (warmup, preparation)
    run_python(f"{preparation}\nassert not os.listdir(os.environ['NUMBA_CACHE_DIR'])")

    suite.setup_cache()
    filled = sorted(tmp_path.rglob("*.kernel"))
    written = [file.stat().st_mtime_ns for file in filled]
    assert filled
    for wanted, (statement, preparation) in (
        (first_call, suite.timeraw_first_call_filled_cache()),
        (warmup, suite.timeraw_warmup_filled_cache()),
    ):
        assert statement == wanted
        assert repr(str(tmp_path / "kernels")) in preparation
        run_python(f"{preparation}\n{statement}")
    assert sorted(tmp_path.rglob("*.kernel")) == filled
    assert [file.stat().st_mtime_ns for file in filled] == written


@pytest.mark.slow
def test_asv_can_list_the_benchmarks_without_the_rivals():
    rivals = {"SimpleITK", "batchgeneratorsv2", "monai", "nilearn", "torch", "torchio"}
    rivals |= {"albucore", "albumentations", "ants", "dipy", "nvidia.dali", "torchtransform"}
    run_python(
        f"import importlib, pkgutil, sys; sys.path.insert(0, {str(ROOT)!r}); import benchmarks\n"
        "for module in pkgutil.walk_packages(benchmarks.__path__, 'benchmarks.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'benchmarks.rivals.engines.by_torch' in sys.modules\n"
        f"assert not {rivals} & set(sys.modules)"
    )


def test_a_sample_outside_of_the_kernels():
    benchmark = pipelines.ImageAndLabelSample()
    benchmark.setup(SIDE)
    assert 0 < benchmark.track_outside_kernels(SIDE) < 100
    assert benchmark.track_outside_kernels.unit == "%"


@pytest.mark.parametrize("side", [PATCH, 3 * PATCH])
def test_patch_of_volume(side, monkeypatch):
    monkeypatch.setattr(pipelines, "PATCH", PATCH)
    assert len(names(pipelines.PatchOfVolume, MEASURED)) == 3
    for name in names(pipelines.PatchOfVolume, MEASURED):
        benchmark = pipelines.PatchOfVolume()
        benchmark.setup(side)
        assert getattr(benchmark, name)(side) is None
    patch = benchmark.sample()
    assert patch["image"].shape == (PATCH,) * 3
    assert patch["image"].dtype == np.int16
    assert patch.record.shape == (side,) * 3


def test_draw():
    benchmark = pipelines.Draw()
    benchmark.setup()
    assert benchmark.time_draw() is None


def test_no_two_samples_are_the_same():
    pipeline = random_pipeline(PATCH)
    sample, draw = sampling(pipeline, image=head(PATCH)), drawing(pipeline, PATCH)
    samples, draws = [sample() for _ in range(3)], [draw() for _ in range(3)]
    assert [each.record for each in samples] == draws
    assert len({each["image"].tobytes() for each in samples}) == 3
    for each in draws:
        steps = [name for name, _ in each.steps]
        assert steps[-2:] == ["RandomAffine", "RandomElastic"]  # no flip, if no axis was drawn
        assert np.abs(each.warp.control_points).max() > 0.1
    patch = drawing(random_patch(PATCH, elastic=False), SIDE)()
    assert patch.output_shape == (PATCH,) * 3
    assert patch.warp.control_points is None


@pytest.mark.slow
def test_the_clock_stands_still_in_the_kernel(monkeypatch):
    def kernel(*arguments):
        time.sleep(0.02)
        kernel.calls += 1

    kernel.calls = 0
    monkeypatch.setattr(walk, "warp_tiles", kernel)
    sample = sampling(random_pipeline(PATCH), image=head(PATCH))
    clock = OutsideKernels()
    run, start, outside = clock.watched(sample), time.perf_counter(), clock()
    run()
    assert kernel.calls == 1
    assert clock() - outside < time.perf_counter() - start - 0.019
    assert walk.warp_tiles is kernel
    assert share_outside_kernels(sample) < 0.5

    monkeypatch.setattr(walk, "warp_tiles", None)  # cannot be called
    with pytest.raises(TypeError):
        clock.watched(sample)()
    assert walk.warp_tiles is None


def test_the_matrix_is_no_other_by_mistake():
    matrix = pull_matrix(SIDE)
    linear = matrix[:, :3]
    others = [linear.T, np.linalg.inv(linear), linear[::-1, ::-1], np.eye(3)]
    assert min(np.abs(linear - other).max() for other in others) > 0.1
    center = np.full(3, (SIDE - 1) / 2)
    assert np.abs(linear @ center + matrix[:, 3] - center).max() < 4  # the shift alone


def test_as_integers():
    for dtype, greatest in (("uint8", 255), ("int16", 4095)):
        levels = as_integers(head(SIDE), dtype)
        assert levels.dtype == dtype
        assert (levels.min(), levels.max()) == (0, greatest)
        np.testing.assert_allclose(levels, head(SIDE) / head(SIDE).max() * greatest, atol=0.501)


def test_tiled():
    cube = np.arange(27).reshape(3, 3, 3)
    np.testing.assert_array_equal(tiled(cube, 7), np.tile(cube, (3, 3, 3))[:7, :7, :7])
    np.testing.assert_array_equal(tiled(cube, 3), cube)
