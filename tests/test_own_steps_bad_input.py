"""Own steps that cannot be, and results of theirs that cannot: each has one clear error."""

import numpy as np
import pytest

import volaug
from support.own_steps import SPATIAL, STATIC, Tint, define
from support.volumes import random_volume
from volaug import Compose, Record
from volaug.transforms.registered import REGISTERED

SHAPE = (19, 22, 27)

NO_STEPS = [
    (lambda: lambda voxels: voxels, "takes a subclass of volaug.SpatialTransform or volaug.Intens"),
    (lambda: volaug.RandomFlip, "takes a subclass .* got .*RandomFlip"),
    (lambda: define(change=None), "Own must have change, got none"),
    (lambda: define(**SPATIAL), "Own must have matrix or points_to_input, got none"),
    (
        lambda: define(**SPATIAL, **STATIC, points_to_input=STATIC["matrix"]),
        "must have matrix or",
    ),
    (lambda: define(change=lambda self, voxels: None), "Own.change must be a staticmethod"),
    (lambda: define(**STATIC), "Own must have change, got matrix and change"),
    (lambda: define(**{**SPATIAL, **STATIC, "change": STATIC["matrix"]}), "got matrix and change"),
    (lambda: define(__init__=lambda self, factor: None), "Own must have no __init__: annotated"),
    (lambda: define(__post_init__=lambda self: None), "Own must have no __post_init__: annotated"),
]


@pytest.mark.parametrize(("make", "message"), NO_STEPS)
def test_what_is_no_step_says_what_is_missing(make, message):
    with pytest.raises(TypeError, match=message):
        volaug.register(make())
    assert "Own" not in REGISTERED


@pytest.mark.usefixtures("forget")
def test_a_name_is_taken_once():
    volaug.register(define())
    with pytest.raises(ValueError, match=r"the name 'Own' is taken by .*Own: choose another"):
        volaug.register(define())
    taken = define()
    taken.__name__ = "RandomFlip"
    with pytest.raises(ValueError, match="'RandomFlip' is taken by a step of volaug"):
        volaug.register(taken)


def test_a_step_that_is_not_registered_draws_nothing():
    with pytest.raises(ValueError, match=r"'Own' is not registered here, there are .*: import"):
        Compose([define()()], seed=0).draw(SHAPE, index=0)


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (None, "Own must draw parameters by name, in a dict, got None"),
        ([1.0], "must draw parameters by name"),
        ({"a": object()}, "'a' of Own must be made of finite numbers, strings and lists"),
        ({"a": np.nan}, "'a' of Own must be made of finite numbers"),
        ({"a": [1.0, {"b": np.inf}]}, "'a' of Own must be made of finite numbers"),
        ({1: 2.0}, "must draw parameters by name"),
    ],
)
def test_parameters_that_no_record_can_hold(drawn, message):
    step = volaug.register(define(get_parameters=lambda self, grid, stream: drawn))
    with pytest.raises(TypeError, match=message):
        Compose([step()], seed=0).draw(SHAPE, index=0)


CHANGES = [
    (lambda v: v[1:], ValueError, r"change of Own must return the shape \(19, 22, 27\), got \(18"),
    (lambda v: v.astype(float), TypeError, "must return an array of float32, got float64"),
    (lambda v: 5, TypeError, "must return an array of float32, got int"),
    (lambda v: v * np.float32(np.nan), ValueError, "made NaN of numbers in channel 0 of 'image'"),
    (lambda v: np.ma.masked_array(v), TypeError, "change of Own must be an array without a mask"),
]


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(("change", "error", "message"), CHANGES)
def test_wrong_results_of_a_change(change, error, message):
    step = volaug.register(define(change=staticmethod(change)))
    with pytest.raises(error, match=message):
        Compose([step()], seed=0)(image=random_volume(SHAPE), index=0)


MATRICES = [
    (
        np.eye(2),
        ValueError,
        r"matrix of Own must return the shape \(3, 3\) or \(4, 4\), got \(2",
    ),
    (np.zeros((3, 3)), ValueError, "must have an inverse"),
    (np.full((3, 3), np.nan), ValueError, "must return finite numbers"),
    (np.ones((4, 4)), ValueError, "must have the last row 0, 0, 0, 1"),
    ("a matrix", TypeError, "matrix of Own must return numbers, got 'a matrix'"),
    (None, TypeError, "matrix of Own must return numbers, got None"),
    ([[1, 2], [3]], ValueError, "the result of matrix of Own must be one array, got lists of sev"),
]


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(("matrix", "error", "message"), MATRICES)
def test_wrong_matrices(matrix, error, message):
    step = volaug.register(define(**SPATIAL, matrix=staticmethod(lambda grid: matrix)))
    with pytest.raises(error, match=message):
        Compose([step()], seed=0).draw(SHAPE, index=0)


MAPS = [
    (lambda points, grid: points[1:], ValueError, "points_to_input of Own must return the shape"),
    (lambda points, grid: points * np.nan, ValueError, "must return finite numbers"),
    (
        lambda points, grid: points + 5 * np.sin(5 * points),
        ValueError,
        "varies too fast: a B-spline of 64",
    ),
    (lambda points, grid: points.fill(1), TypeError, "of Own must return numbers, got None"),
]


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(("to_input", "error", "message"), MAPS)
def test_wrong_maps(to_input, error, message):
    step = volaug.register(define(**SPATIAL, points_to_input=staticmethod(to_input)))
    with pytest.raises(error, match=message):
        Compose([step()], seed=0).draw(SHAPE, index=0)


@pytest.mark.usefixtures("forget")
def test_a_map_that_folds_is_warned_of():
    def mirror(points, grid):
        away = points - grid.center
        return grid.center + away * (1 - 3 * np.exp(-((away / 6) ** 2).sum(axis=1)))[:, np.newaxis]

    step = volaug.register(define(**SPATIAL, points_to_input=staticmethod(mirror)))
    with pytest.warns(UserWarning, match="an elastic displacement folds"):
        Compose([step()], seed=0).draw(SHAPE, index=0)


def test_a_function_is_an_error_that_says_how_to_wrap_it():
    for given in ([np.sqrt], [lambda image: image], np.sqrt):
        with pytest.raises(TypeError, match=r"a function becomes a step as .* docs/own_steps\.md"):
            Compose(given)


@pytest.mark.parametrize("name", ["type", "channels", "name", "check", "draw", "dtype", "matrix"])
def test_arguments_do_not_hide_what_volaug_uses(name):
    with pytest.raises(TypeError, match=f"Own must have no argument '{name}': volaug uses this"):
        volaug.register(define(__annotations__={name: str}, **{name: None}))
    assert "Own" not in REGISTERED


@pytest.mark.parametrize("dtype", ["uint8", "complex64", "float33", ">f4", np.float32])
def test_a_step_works_in_floats(dtype):
    with pytest.raises(ValueError, match="the dtype of Own must be one of 'float16', 'float32'"):
        volaug.register(define(dtype=dtype))
    assert "Own" not in REGISTERED


@pytest.mark.usefixtures("forget")
def test_integers_hold_no_nan_and_saturate_at_infinity():
    image = np.ones((40, 40, 40), np.int16)

    def change(voxels):
        voxels[1, 1, 1] = value

    step = volaug.register(define(dtype="float32", change=staticmethod(change)))
    value = np.nan
    with pytest.raises(ValueError, match="change of Own made NaN of numbers in channel 0 of 'ima"):
        Compose([step()], seed=0)(image=image, index=0)
    value = np.inf
    assert Compose([step()], seed=0)(image=image, index=0)["image"][1, 1, 1] == 2**15 - 1


@pytest.mark.usefixtures("forget")
def test_a_record_of_another_kind_of_step_or_of_none():
    volaug.register(define())
    plain = Compose([REGISTERED["Own"]()], seed=0).draw(SHAPE, index=0).to_dict()
    for change, message in (
        ({"type": "OwnWarp"}, "the step 'Own' must have matrix or points_to_input, and has none"),
        ({"step": ["Own"]}, r"the step \['Own'\] is not registered here"),
    ):
        steps = [plain["steps"][0] | change]
        with pytest.raises(ValueError, match=message):
            Record.from_dict(plain | {"steps": steps})


def test_a_record_of_a_step_that_is_not_known_here():
    text = Compose([Tint()], seed=0).draw(SHAPE, index=0).to_json()
    with pytest.raises(ValueError, match=r"'Unknown' is not registered here, there are .*: import"):
        Record.from_json(text.replace('"Tint"', '"Unknown"'))
    with pytest.raises(ValueError, match="unknown target of step 0 of the record 'flair'"):
        Record.from_json(text.replace('"step": "Tint"', '"step": "Tint", "targets": ["flair"]'))


def test_a_pipeline_of_a_step_that_is_not_known_here():
    plain = Compose([Tint()]).to_dict()
    plain["transforms"][0]["type"] = "Unknown"
    with pytest.raises(ValueError, match="import the module of a step of your own before"):
        Compose.from_dict(plain)
