import inspect
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import (
    accuracy,
    cold_start,
    data,
    geometries,
    measured,
    memory,
    operations,
    pipelines,
    roofline,
    steps,
    warps,
)
from benchmarks.clock import OutsideKernels, share_outside_kernels
from benchmarks.cold_start import ColdStart
from benchmarks.problem import as_integers, head, pull_matrix, tiled
from benchmarks.samples import drawing, random_patch, random_pipeline, sampling
from test_golden_draws import EVERYTHING
from test_pipeline_files import NOT_DEFAULT
from volaug.transforms.registry import TRANSFORMS
from volaug.warping.engine import prefilter, walk

ROOT = Path(__file__).parents[1]
SIDE = 48  # large enough to be shared out among threads
MEASURED = ("time_", "timeraw_", "peakmem_", "track_")
PATCH = 16
SUITES = [accuracy, cold_start, data, geometries, memory, operations, pipelines, steps, warps]


def names(suite, prefixes):
    return [name for name in dir(suite) if name.startswith(prefixes)]


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def classes(*modules):
    """The classes that asv finds in modules."""
    found = {
        name: item
        for module in modules
        for name, item in vars(module).items()
        if inspect.isclass(item) and not name.startswith("_")
    }
    return [item for item in found.values() if names(item, MEASURED)]


def parameters(suite):
    """All combinations of the parameters of a class."""
    return list(itertools.product(*getattr(suite, "params", ())))


OPERATIONS = [
    (suite, arguments)
    for suite in classes(*SUITES)
    if hasattr(suite, "time_call") and suite is not warps.Sides
    for arguments in parameters(suite)
]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Small volumes, in a folder of the test's own, each measured once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measured, "BEST_OF", 1)
    for module in (data, memory, operations, steps, warps):
        monkeypatch.setattr(module, "SIDE", SIDE)
    monkeypatch.setattr(data, "PATCH", PATCH)
    monkeypatch.setattr(geometries, "SIDES", {"128 to 256": (24, 40), "256 to 192": (40, 24)})
    monkeypatch.setattr(pipelines.Presets, "samples", 2)


def smaller(arguments):
    """The same parameters, with a smaller side."""
    return [SIDE if argument in (96, 128, 256) else argument for argument in arguments]


@pytest.mark.slow
@pytest.mark.parametrize(("suite", "arguments"), OPERATIONS)
def test_operations(suite, arguments, small):
    benchmark = suite()
    benchmark.setup(*smaller(arguments))
    assert benchmark.time_call(*smaller(arguments)) is None
    tracks = names(suite, ("track_",))
    assert "track_times_a_copy" in tracks
    for name in tracks:
        assert getattr(benchmark, name)(*smaller(arguments)) > 0
        assert getattr(benchmark, name).unit
    if isinstance(getattr(benchmark, "out", None), np.ndarray):
        assert not np.isnan(benchmark.out).any()


@pytest.mark.parametrize("suite", classes(*SUITES))
def test_every_class_says_how_it_measures(suite):
    assert suite.__doc__
    assert suite.number
    assert suite.rounds == 1
    assert len(getattr(suite, "param_names", ())) == len(getattr(suite, "params", ()))
    for name in names(suite, ("track_",)):
        assert getattr(suite, "unit", None) or getattr(suite, name).unit
    if issubclass(suite, measured._Measured):  # asv runs it once for all
        assert suite.setup_cache is measured._Measured.setup_cache


@pytest.mark.parametrize("kind", warps.WARPS)
def test_sides(kind, small):
    benchmark = warps.Sides()
    assert warps.Sides.params[1] == [64, 128, 256, 512]
    benchmark.setup(kind, SIDE)
    np.testing.assert_array_equal(
        benchmark.out, warps.warp_of(kind, SIDE).apply(head(SIDE), threads=1)
    )
    assert benchmark.track_throughput(kind, SIDE) > 0
    assert benchmark.track_throughput.unit == "Mvoxel/s"


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_step_has_a_benchmark_golden_draws_and_a_case_of_files(name):
    """The registry knows the steps; what draws them, replays them and times them has each."""

    def kinds(transforms):
        for transform in transforms:
            yield type(transform).__name__
            yield from kinds(getattr(transform, "transforms", ()))

    assert name in steps.Steps.params[0]
    assert name in set(kinds(EVERYTHING))
    assert name in NOT_DEFAULT


@pytest.mark.parametrize("name", steps.Steps.params[0])
def test_the_measured_step_does_something(name, small):
    benchmark = steps.Steps()
    benchmark.setup(name)
    made = benchmark.pipeline(image=head(SIDE), label=benchmark.label, index=0)
    assert [step for step, _ in made.record.steps] or name == "OneOf"
    image, label = made["image"], made["label"]
    label = label[1] if name == "LabelPyramid" else label
    assert not (np.array_equal(image, head(SIDE)) and np.array_equal(label, benchmark.label))


@pytest.mark.parametrize("threads", [1, 2])
def test_batches(threads, small, monkeypatch):
    monkeypatch.setattr(data, "BATCHES", 2)
    benchmark = data.Batches()
    benchmark.setup(threads)
    assert benchmark.track_samples(threads) > 0
    assert benchmark.track_samples.unit == "samples/s"


@pytest.mark.parametrize("suffix", data.FORMATS)
def test_a_patch_is_read_from_a_file(suffix, small):
    benchmark = data.Files()
    benchmark.setup(suffix)
    middle = slice((SIDE - PATCH) // 2, (SIDE + PATCH) // 2)
    np.testing.assert_array_equal(
        benchmark.read, as_integers(head(SIDE), "int16")[middle, middle, middle]
    )


@pytest.mark.parametrize("name", memory.CALLS)
def test_memory_beside_the_output(name, small):
    benchmark = memory.BesideTheOutput()
    benchmark.setup(name)
    result = benchmark.call()
    outputs = result.values() if isinstance(result, dict) else [result]
    largest = max(each.nbytes for each in outputs if isinstance(each, np.ndarray))
    beside = benchmark.track_kilobytes(name)
    most = largest + 200 * 1024  # less than another output
    if name == "cubic":  # its coefficients, and what each thread filters along axis 0 at once
        length = SIDE + 2 * prefilter.READ_BY_TAPS
        padded = length + 2 * prefilter._filter_in(np.dtype(np.float32)).margin
        most = 4 * (length**3 + measured.THREADS * padded * prefilter.COLUMNS) + 40 * 1024
    assert 0 < beside < most / 1024


def test_a_copy_counts_as_memory_beside_the_output():
    kept = np.ones(10**6, np.uint8)
    assert memory.bytes_beside_output(lambda: kept.copy()) < 10**4
    assert memory.bytes_beside_output(lambda: kept.copy().copy()) > 0.99 * 10**6


@pytest.mark.parametrize("name", accuracy.PAIRS)
def test_the_largest_error(name):
    error = accuracy.LargestError().track_error(name)
    assert 0 <= error < 2e-5
    assert (error == 0) is (name == "affine, nearest")


def test_process(small, monkeypatch):
    monkeypatch.setattr(memory.Process, "side", SIDE)
    benchmark = memory.Process()
    benchmark.setup()
    assert benchmark.peakmem_reference() is None
    assert benchmark.peakmem_new_output() is None


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
    first, second = (warps.warp_of(kind, SIDE).apply(head(SIDE)) for kind in warps.WARPS)
    assert np.abs(first - second).max() > 0.1


@pytest.mark.slow
def test_cold_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # one kernel in place of all, whose compilation takes 20 seconds
    monkeypatch.setattr(cold_start, "WARMUP", "volaug.spline_filter(volume)")
    suite = ColdStart()
    for statement, preparation in (suite.timeraw_import(), suite.timeraw_import_numba()):
        run_python(f"{preparation}\n{statement}")

    suite.setup_cache()
    filled = sorted(tmp_path.rglob("*.kernel"))
    written = [file.stat().st_mtime_ns for file in filled]
    assert filled
    statement, preparation = suite.timeraw_warmup_filled_cache()
    assert repr(str(tmp_path / "kernels")) in preparation
    run_python(f"{preparation}\n{statement}")
    assert sorted(tmp_path.rglob("*.kernel")) == filled
    assert [file.stat().st_mtime_ns for file in filled] == written


def test_first_calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = cold_start.FirstCalls()
    for call, kernels in parameters(suite):
        statement, preparation = suite.timeraw_first_call(call, kernels)
        assert statement == cold_start.FIRST_CALLS[call]
        assert (repr(str(tmp_path / "kernels")) in preparation) is (kernels == "cache")
        assert (repr(str(tmp_path / "packs")) in preparation) is (kernels == "pack")
    _, preparation = suite.timeraw_first_call("affine", "nothing")
    run_python(f"{preparation}\nassert not os.listdir(os.environ['NUMBA_CACHE_DIR'])")


def test_compilation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr(measured.volaug, "warmup", lambda dtypes: time.sleep(0.06))
    (tmp_path / "kernels" / "place").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "kernels" / "place" / f"{number}.kernel").write_bytes(bytes(2**20))
    suite = cold_start.Compilation()
    suite.setup_cache()
    assert json.loads((tmp_path / "compilation.json").read_text()) > 0
    assert suite.track_seconds() > 0
    assert suite.track_signatures() == 3
    assert suite.track_megabytes() == 3.0


def test_kernels_lie_in_the_folder_of_an_asv_run(tmp_path):
    code = "import os, sys, types; sys.path.insert(0, {!r}); os.chdir({!r}); {}import benchmarks"
    asv = "sys.modules['asv_runner'] = types; "
    for given, wanted in ((asv, str(tmp_path / "kernels")), ("", "before")):
        run_python(
            "import os; os.environ['NUMBA_CACHE_DIR'] = 'before'; "
            + code.format(str(ROOT), str(tmp_path), given)
            + f"; assert os.environ['NUMBA_CACHE_DIR'] == {wanted!r}"
        )


@pytest.mark.slow
def test_asv_can_list_the_benchmarks_without_the_rivals():
    rivals = {"SimpleITK", "batchgeneratorsv2", "monai", "nilearn", "torch", "torchio"}
    rivals |= {"albucore", "albumentations", "ants", "dipy", "nvidia.dali", "torchtransform"}
    run_python(
        f"import importlib, pkgutil, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "sys.modules['asv_runner'] = sys  # as if asv imported them\n"
        "import benchmarks\n"
        "for module in pkgutil.walk_packages(benchmarks.__path__, 'benchmarks.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'benchmarks.rivals.engines.by_torch' in sys.modules\n"
        f"assert not {rivals} & set(sys.modules)"
    )


def test_a_sample_outside_of_the_kernels():
    benchmark = pipelines.RandomWarp()
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
