"""Steps of users are fused, inverted, recorded and drawn as volaug's own are."""

import importlib
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import volaug
from support.own_steps import SHAPE, Sharpen, Squeeze, Swirl, Tint, Zoom, define
from support.volumes import random_volume
from volaug import Compose, RandomAffine, RandomElastic, RandomRotation, Record, Stream
from volaug.transforms.registered import REGISTERED

STEPS = [Squeeze(p=1.0), Swirl(), Tint(), Sharpen()]


def of_points(step, record, points):
    """What the step itself makes of points, by its own method and the parameters drawn."""
    kind, drawn = REGISTERED[step], dict(record.steps)[step].parameters
    return kind.points_to_input(points, volaug.warping.fusion.grid_of(SHAPE, None, None), **drawn)


def test_a_map_between_other_steps_is_fused_within_a_hundredth_of_a_voxel():
    before, after = RandomAffine(p=1.0), RandomRotation(p=1.0)
    record = Compose([before, Swirl(), after], seed=3).draw(SHAPE, index=5)
    first, last = (Compose([s], seed=3).draw(SHAPE, index=5).warp for s in (before, after))
    points = np.random.default_rng(0).random((300, 3)) * np.subtract(SHAPE, 1)
    expected = first.points_to_input(of_points("Swirl", record, last.points_to_input(points)))
    assert len(record.warps) == 1
    found = record.warp.points_to_input(points)
    np.testing.assert_allclose(found, expected, atol=0.012)  # 0.01 of the output, enlarged a bit
    without = first.points_to_input(last.points_to_input(points))
    assert np.abs(found - without).max() > 1.0


def test_a_map_and_an_elastic_step_add_up():
    elastic = RandomElastic(2.0, num_control_points=6, folding="allow", p=1.0)
    record = Compose([Swirl(), elastic], seed=3).draw(SHAPE, index=5)
    one, other = (Compose([s], seed=3).draw(SHAPE, index=5).warp for s in (Swirl(), elastic))
    points = np.random.default_rng(0).random((300, 3)) * np.subtract(SHAPE, 1)
    added = one.points_to_input(points) + other.points_to_input(points) - points
    np.testing.assert_allclose(record.warp.points_to_input(points), added, atol=2e-2)


def test_a_matrix_says_what_happens_to_the_image_in_mm():
    spacing = (1.0, 2.0, 0.5)
    record = Compose([Squeeze(1.0)], seed=3).draw(SHAPE, spacing=spacing, index=5)
    matrix = Squeeze.matrix(None, **record.steps[0][1].parameters)
    center = np.multiply(np.subtract(SHAPE, 1) / 2, spacing)
    points = np.random.default_rng(0).random((20, 3)) * np.subtract(SHAPE, 1)
    moved = (points * spacing - center) @ matrix[:3, :3].T + matrix[:3, 3] + center
    np.testing.assert_allclose(record.warp.points_to_output(points), moved / spacing, atol=1e-9)


def test_a_flat_image_stays_flat():
    for step in (Squeeze(), Swirl()):
        warp = Compose([step], seed=3).draw((1, 22, 27), index=5).warp
        points = np.array([[0.0, 3, 4], [0, 20, 25]])
        assert (warp.points_to_input(points)[:, 0] == 0).all()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_records_pipelines_and_pickles_come_back(step):
    pipeline = Compose([step, RandomAffine(p=1.0)], seed=3)
    image = random_volume((2, *SHAPE))
    sample = pipeline(image=image, points=[[3, 4, 5]], index=5)
    again = Compose.from_dict(json.loads(json.dumps(pipeline.to_dict())))
    assert again == pipeline
    for record in (
        Record.from_json(sample.record.to_json()),
        pickle.loads(pickle.dumps(sample.record)),
        again.draw(SHAPE, index=5, channels=2),
    ):
        assert record == sample.record
        replayed = record.apply(image=image, points=[[3, 4, 5]], threads=2)
        np.testing.assert_array_equal(replayed["image"], sample["image"])
        np.testing.assert_array_equal(replayed["points"], sample["points"])
    back = sample.record.invert(points=sample["points"])["points"]
    np.testing.assert_allclose(back, [[3, 4, 5]], atol=1e-6)
    assert type(step).__name__ in repr(sample.record.steps)


def test_its_key_is_all_that_is_random():
    pipeline = Compose([Tint(), Swirl()], seed=3)
    drawn = [pipeline.draw(SHAPE, index=i).to_json() for i in (5, 6, 5)]
    assert drawn[0] == drawn[2] != drawn[1]
    named = replace(pipeline, transforms=[Tint(name="other"), Swirl()])
    assert named.draw(SHAPE, index=5).steps[1] == pipeline.draw(SHAPE, index=5).steps[1]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float64"])
def test_a_step_works_in_the_dtype_it_asks_for(dtype):
    image = random_volume(SHAPE, dtype)
    result = Compose([Sharpen()], seed=3)(image=image, index=5)["image"]
    single = image.astype(np.float32)
    expected = 2 * single - ndimage.gaussian_filter(single, 1.0)
    if result.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        expected = np.clip(np.trunc(expected + np.copysign(0.5, expected)), limits.min, limits.max)
    np.testing.assert_array_equal(result, expected.astype(dtype), strict=True)


def test_integers_saturate():
    image = np.zeros((3, 3, 3), np.int64)
    image[1, 1, 1] = 2**63 - 1
    result = Compose([Sharpen()], seed=3)(image=image, index=5)["image"]
    assert result[1, 1, 1] == 2**63 - 1
    assert result[0, 0, 0] < 0


def test_streams_have_own_steps():
    cases = [{"image": random_volume(SHAPE), "label": random_volume(SHAPE, np.uint8)}]
    pipeline = Compose([Squeeze(), Tint()], seed=3)
    with Stream(cases, pipeline, patch_shape=12, batch_size=2, seed=1, threads=2) as stream:
        batch = next(stream)
    assert batch["image"].shape == (2, 1, 12, 12, 12)


def test_a_pickle_imports_the_module_of_a_step(tmp_path):
    record = Compose([Tint()], seed=0).draw(SHAPE, index=0)
    (tmp_path / "record").write_bytes(pickle.dumps(record))
    code = f"""
import pickle, sys
sys.path[:] = {[str(Path(__file__).parent), *sys.path]!r}
print(pickle.load(open({str(tmp_path / "record")!r}, "rb")).steps)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(record.steps)


def test_maps_in_a_row_are_done_one_after_the_other():
    steps = [Zoom(name="a"), RandomAffine(p=1.0), Swirl(0.4), Zoom(0.5, name="b")]
    record = Compose(steps, seed=3).draw(SHAPE, index=5)
    points = np.random.default_rng(0).random((200, 3)) * np.subtract(SHAPE, 1)
    expected, inside = points, np.ones(len(points), bool)
    for step in reversed(steps):
        # a map alone is a spline over the image, which goes on by its last value outside
        inside &= ((expected >= 0) & (expected <= np.subtract(SHAPE, 1))).all(axis=1)
        warp = Compose([step], seed=3).draw(SHAPE, index=5).warp
        expected = warp.points_to_input(expected)
    assert inside.sum() > 100
    found = record.warp.points_to_input(points)
    np.testing.assert_allclose(found[inside], expected[inside], atol=0.04)


def test_a_step_sees_the_place_of_a_crop_and_cannot_change_the_grid():
    seen = []

    @volaug.register
    class Own(volaug.SpatialTransform):
        def get_parameters(self, grid, stream):
            seen.append(grid)
            return {}

        @staticmethod
        def matrix(grid):
            seen.append(grid)
            return np.eye(3)

    affine = np.diag([1.0, 2, 3, 1])
    Compose([volaug.CenterCrop(5), Own()], seed=0).draw((9, 9, 9), affine=affine, index=0)
    Compose([Own()], seed=0).draw((9, 9, 9), spacing=(1, 2, 3), index=0)
    REGISTERED.pop("Own")
    for grid in seen[:2]:
        assert grid.shape == (5, 5, 5)
        assert grid.affine[:3, 3].tolist() == [2, 4, 6]
    for grid in seen:
        for array in (grid.to_mm, grid.from_mm, grid.affine):
            assert array is None or not array.flags.writeable


@pytest.mark.usefixtures("forget")
def test_parameters_stay_what_they_were():
    step = volaug.register(define(get_parameters=lambda self, grid, stream: {"map": {1: 2.0}}))
    with pytest.raises(TypeError, match="'map' of Own must be made of finite numbers"):
        Compose([step()], seed=0).draw(SHAPE, index=0)
    REGISTERED.pop("Own")

    def change(voxels, inner):
        voxels += inner.pop("a", 0.0)

    drawn = {"inner": {"a": 1.0}}
    step = define(get_parameters=lambda self, grid, stream: drawn, change=staticmethod(change))
    sample = Compose([volaug.register(step)()], seed=0)(image=np.zeros((2, *SHAPE)), index=0)
    assert (sample["image"] == 1).all()
    assert sample.record.steps[0][1].parameters == {"inner": {"a": 1.0}}


@pytest.mark.usefixtures("forget")
def test_values_round_as_they_do_elsewhere_and_two_values_stay():
    step = volaug.register(define(dtype="float32", change=staticmethod(lambda voxels: voxels)))
    image = np.array([8388609, -8388609, 3, -3], np.int32).reshape(4, 1, 1)
    result = Compose([step()], seed=0)(image=image, index=0)["image"]
    np.testing.assert_array_equal(result, image)
    REGISTERED.pop("Own")
    halves = np.float32([0.5, -0.5, 0.49999997, 1.5]).reshape(4, 1, 1)
    step = volaug.register(define(dtype="float32", change=staticmethod(lambda voxels: halves)))
    result = Compose([step()], seed=0)(image=image, index=0)["image"]
    assert result.ravel().tolist() == [1, -1, 0, 2]
    mask = np.ones(SHAPE, bool)
    np.testing.assert_array_equal(Compose([step()], seed=0)(image=mask, index=0)["image"], mask)


@pytest.mark.usefixtures("forget")
def test_a_step_can_have_a_probability_of_its_own():
    """It comes last, as that of other steps, so that the first argument stays the first."""
    step = volaug.register(define(__annotations__={"p": float, "factor": float}, p=0.5, factor=1.0))
    assert (step(0.7).factor, step(0.7).p, step(p=1.0).p) == (0.7, 0.5, 1.0)
    pipeline = Compose([step(0.7)], seed=0)
    assert Compose.from_dict(pipeline.to_dict()) == pipeline


@pytest.mark.usefixtures("forget")
def test_a_class_can_be_registered_again():
    step = volaug.register(define())
    assert volaug.register(step) is step
    assert Compose([step()], seed=0).draw(SHAPE, index=0).steps


def test_a_class_that_is_defined_anew_takes_the_place_of_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "steps_of_a_user.py").write_text(
        "import volaug\n\n\n@volaug.register\nclass Own(volaug.IntensityTransform):\n"
        "    def get_parameters(self, grid, stream):\n        return {}\n\n"
        "    @staticmethod\n    def change(voxels):\n        voxels += 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("steps_of_a_user")
    before = module.Own
    assert importlib.reload(module).Own is not before
    assert REGISTERED.pop("Own") is module.Own


def test_a_pickle_that_holds_the_class_registers_it():
    """As cloudpickle's do, of classes in a notebook."""
    pipeline = Compose([Tint()], seed=0)
    record = pipeline.draw(SHAPE, index=0)
    text = pickle.dumps(record)
    for use in (lambda: pipeline.draw(SHAPE, index=0), lambda: pickle.loads(text)):
        del REGISTERED["Tint"]
        assert use() == record
        assert REGISTERED["Tint"] is Tint
