"""Whatever is wrong with a pipeline, a sample or a file of them is said at once."""

import functools
import json
import pathlib
import pickle
import time

import numpy as np
import pytest

from support.volumes import nan_filled, random_volume
from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    Record,
    affine_transform,
)

SHAPE = (6, 7, 9)
NAN, INF = np.nan, np.inf

# Each argument that is a range, its limits as a pair, and whether each axis may have its own.
RANGES = [
    (RandomTranslation, "translation", -1e6, 1e6, True),
    (RandomRotation, "degrees", -360, 360, True),
    (RandomShear, "shear", -10, 10, True),
    (RandomScaling, "scale", 0.1, 10, True),
    (RandomAffine, "degrees", -360, 360, True),
    (RandomAffine, "scale", 0.1, 10, True),
    (RandomAffine, "shear", -10, 10, True),
    (RandomAffine, "translation", -1e6, 1e6, True),
    (RandomContrast, "factor", 0.01, 100, False),
]
KINDS = {
    RandomFlip: (), RandomTranslation: (), RandomRotation: (), RandomScaling: (), RandomShear: (),
    RandomAffine: (), RandomElastic: (), RandomContrast: (), RandomCrop: (5,), CenterCrop: (5,),
    OneOf: ([RandomFlip()],), Compose: ([],),
}  # fmt: skip
NO_NUMBERS = ["5", None, True, 1j, {}, {1, 2}, b"5", np.float64, "5 mm"]


@pytest.mark.parametrize(("kind", "argument", "low", "high", "axes"), RANGES)
def test_ranges(kind, argument, low, high, axes):
    build = functools.partial(kind, p=1)
    for value in ((low, high), [low, low], np.array([low, high]), np.float32(0.5), 0, 0.5):
        build(**{argument: value})
    for value in NO_NUMBERS:
        for wrong in (value, (low, value), *[(value, low, (low, high))] * axes):
            with pytest.raises(TypeError, match=f"{argument} must be a number, got "):
                build(**{argument: wrong})
    beyond = [NAN, INF, -INF, -1, 2 * high, 10**400]
    beyond += [(low, 1.01 * high), (low - 1, high), (NAN, high), (low, INF), (np.float32("nan"), 1)]
    for value in beyond:
        with pytest.raises(ValueError, match=f"{argument} must be from .* to .*, got "):
            build(**{argument: value})
    with pytest.raises(ValueError, match=rf"{argument} must be .*, got \(.*\), which is reversed"):
        build(**{argument: (high, low)})
    lengths = [(), (1,), (1, 1, 1, 1)] + [((1, 1, 1), 1, 1)] * axes + [(1, 1, 1)] * (not axes)
    for value in lengths:
        message = rf"{argument} must be a number.* pair \(low, high\).*, got \("
        with pytest.raises(ValueError, match=message):
            build(**{argument: value})


@pytest.mark.parametrize("kind", KINDS)
def test_p_and_name(kind):
    for p in (-0.1, 1.001, NAN, INF, 2):
        with pytest.raises(ValueError, match=f"p must be from 0 to 1, got {p}"):
            kind(*KINDS[kind], p=p)
    for p in ("0.5", None, True, 1j, (0.5, 0.5), []):
        with pytest.raises(TypeError, match="p must be a number, got "):
            kind(*KINDS[kind], p=p)
    for name in (5, b"flip", True, ["flip"]):
        with pytest.raises(TypeError, match="name must be a string, got "):
            kind(*KINDS[kind], name=name)
    with pytest.raises(TypeError, match="unexpected keyword argument 'prob'"):
        kind(*KINDS[kind], prob=0.5)


@pytest.mark.parametrize(
    ("kind", "argument"),
    [(RandomScaling, "isotropic"), (RandomAffine, "isotropic"), (RandomContrast, "preserve_range")],
)
@pytest.mark.parametrize("value", [0, 1, None, "yes", [True], 1.0])
def test_flags(kind, argument, value):
    with pytest.raises(TypeError, match=f"{argument} must be True or False, got "):
        kind(**{argument: value})


FLIP = [RandomFlip()]

# A transform, its arguments, and what is said of them.


def COUNTED(displacement, count, locked=0, folding="forbid"):
    return RandomElastic(
        displacement, num_control_points=count, locked_borders=locked, folding=folding
    )


WHOLE = [
    (RandomFlip, (3,), "axes must be from 0 to 2, got 3"),
    (RandomFlip, (-1,), "axes must be from 0 to 2, got -1"),
    (RandomFlip, ((0, 3),), "axes must be from 0 to 2, got 3"),
    (RandomFlip, ((1, 0, 1),), r"axes must name each axis once, got \(1, 0, 1\)"),
    (RandomElastic, (-1,), "max_displacement must be from 0 to 1e.06, got -1"),
    (RandomElastic, ((1, 2),), r"max_displacement must be .* three axes, got \(1, 2\)"),
    (RandomElastic, ((1, 2, -3),), "max_displacement must be from 0 to 1e.06, got -3"),
    (RandomElastic, (NAN,), "max_displacement must be from 0 to 1e.06, got nan"),
    (RandomElastic, (INF,), "max_displacement must be from 0 to 1e.06, got inf"),
    (RandomElastic, (2e6,), "max_displacement must be from 0 to 1e.06, got 2000000"),
    (COUNTED, (1, 0), "num_control_points must be from 1 to 67, got 0"),
    (COUNTED, (1, 68), "num_control_points must be from 1 to 67, got 68"),
    (COUNTED, (1, 3), "num_control_points must be 1 or from 4 to 67, .*, got 3"),
    (COUNTED, (1, (7, 7)), r"num_control_points must .* or three .*, got \(7, 7\)"),
    (COUNTED, (1, (7, 2, 7)), r"num_control_points must be 1 or from 4 .*, got \(7, 2, 7\)"),
    (COUNTED, (1, (1, 6, 7), 3), r"be 1 or from 7 to 67, with 3 lock.*, got \(1, 6, 7\)"),
    (COUNTED, (1, 7, 4), "locked_borders must be from 0 to 3, got 4"),
    (COUNTED, (1, 7, -1), "locked_borders must be from 0 to 3, got -1"),
    (COUNTED, (1, 7, 0, "no"), "folding must be one of 'forbid', 'warn', 'allow', got 'no'"),
    (COUNTED, (1, 7, 0, None), "folding must be one of .*, got None"),
    (COUNTED, (1, 7, 0, True), "folding must be one of .*, got True"),
    (OneOf, ([],), "transforms must be at least one, got none"),
    (OneOf, (FLIP, (1, 2)), r"weights must be one number for each of 1 .*, got \(1, 2\)"),
    (OneOf, (FLIP, 1), "weights must be one number for each of 1 transforms, got 1"),
    (OneOf, (FLIP, ()), r"weights must be one number for each of 1 transforms, got \(\)"),
    (OneOf, (FLIP, "a"), "weights must be one number for each of 1 transforms, got 'a'"),
    (OneOf, (FLIP, [0]), r"weights must not all be 0, got \(0,\)"),
    (OneOf, (FLIP, [-1]), "weights must be from 0 to 1e.09, got -1"),
    (OneOf, (FLIP, [NAN]), "weights must be from 0 to 1e.09, got nan"),
    (OneOf, (FLIP, [INF]), "weights must be from 0 to 1e.09, got inf"),
    (OneOf, (FLIP, [10**400]), "weights must be from 0 to 1e.09, got 1000"),
]


@pytest.mark.parametrize(("kind", "arguments", "message"), WHOLE)
def test_axes_control_points_and_weights(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(*arguments)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number(value):
    calls = [
        ("max_displacement", lambda: RandomElastic(value)),
        ("max_displacement", lambda: RandomElastic((1, value, 1))),
        ("weights", lambda: OneOf(FLIP, (value,))),
    ]
    for name, call in calls:
        with pytest.raises(TypeError, match=f"{name} must be a number, got "):
            call()


@pytest.mark.parametrize("value", [*NO_NUMBERS, 1.0, NAN, INF])
def test_what_is_no_whole_number(value):
    calls = [
        ("axes", lambda: RandomFlip(value)),
        ("axes", lambda: RandomFlip((0, value))),
        ("num_control_points", lambda: RandomElastic(1, num_control_points=value)),
        ("num_control_points", lambda: RandomElastic(1, num_control_points=(7, value, 7))),
        ("locked_borders", lambda: RandomElastic(1, num_control_points=7, locked_borders=value)),
    ]
    for name, call in calls:
        with pytest.raises(TypeError, match=f"{name} must be a whole number, got "):
            call()
    if value is not None:
        with pytest.raises(TypeError, match="seed must be a whole number, got "):
            Compose(FLIP, seed=value)


@pytest.mark.parametrize("kind", [RandomCrop, CenterCrop])
def test_crops(kind):
    for shape in (0, -5, 2**20, (), (5, 5), (5, 5, 5, 5), (5, 0, 5), (5, 5, 2**63)):
        with pytest.raises(ValueError, match=r"shape must be three lengths from 1 to .*, got \("):
            kind(shape)
    for shape in (
        5.0,
        "5",
        None,
        True,
        np.bool(True),
        NAN,
        1j,
        (5, True, 5),
        (5, 5.5, 5),
        ((5, 5, 5),),
        {},
    ):
        with pytest.raises(TypeError, match="shape must be three whole numbers, got "):
            kind(shape)
        if not isinstance(shape, int | tuple | dict):
            with pytest.raises(TypeError, match="shape must be three whole numbers, got "):
                Compose([]).draw(shape)
    with pytest.raises(TypeError, match=r"shape must be three whole numbers, got \(True, 5, 5\)"):
        Compose([]).draw((True, 5, 5))


@pytest.mark.parametrize("kind", [OneOf, Compose])
@pytest.mark.parametrize(
    "value",
    [None, 5, "flip", RandomFlip(), RandomFlip, [RandomFlip], [None], [RandomFlip(), "x"],
     {"flip": RandomFlip()}, iter([RandomFlip()]), [[RandomFlip()]], {RandomFlip()}],
)  # fmt: skip
def test_groups_take_lists_of_transforms(kind, value):
    with pytest.raises(TypeError, match="transforms must be a list of transforms, got "):
        kind(value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": -1}, ValueError, "seed must be from 0 to 18446744073709551615, got -1"),
        ({"seed": 2**64}, ValueError, "seed must be from 0 to .*, got 18446744073709551616"),
        ({"seed": 1.0}, TypeError, "seed must be a whole number, got 1.0"),
        ({"seed": "7"}, TypeError, "seed must be a whole number, got '7'"),
        ({"seed": True}, TypeError, "seed must be a whole number, got True"),
        ({"seed": (7,)}, TypeError, r"seed must be a whole number, got \(7,\)"),
        ({"targets": ["t2"]}, TypeError, "targets must be a mapping from names, got tuple"),
        ({"targets": None}, TypeError, "targets must be a mapping from names, got NoneType"),
        ({"targets": {"t2": "picture"}}, ValueError, "target 't2': .*'boxes', got 'picture'"),
        ({"targets": {"t2": None}}, ValueError, "target 't2': .*'boxes', got None"),
        ({"targets": {"t2": ["image"]}}, ValueError, r"target 't2': .*'boxes', got \('image',\)"),
        ({"targets": {"out": "image"}}, ValueError, "and not .*, threads, got 'out'"),
        ({"targets": {"self": "image"}}, ValueError, "a target's name must be .*got 'self'"),
        ({"targets": {"t 2": "image"}}, ValueError, "one for an argument, .*got 't 2'"),
        ({"targets": {"": "image"}}, ValueError, "one for an argument, .*got ''"),
        ({"targets": {2: "image"}}, ValueError, "one for an argument, .*got 2"),
        ({"interpolation": "cubic"}, TypeError, "interpolation must be a mapping .*, got str"),
        ({"interpolation": {"image": "cubical"}}, ValueError, "target 'image': .*got 'cubical'"),
        ({"interpolation": {"image": 3}}, ValueError, "'image': interpolation must be .*got 3"),
        ({"interpolation": {"lable": "label"}}, ValueError, "target of interpolation 'lable'; did"),
        ({"interpolation": {"points": "linear"}}, ValueError, "'points' .* has no voxels"),
        ({"mode": ["wrap"]}, TypeError, "mode must be a mapping from names, got tuple"),
        ({"mode": {"image": "edge"}}, ValueError, "'image': mode must be one of .*got 'edge'"),
        ({"mode": {"t2": "wrap"}}, ValueError, "unknown target of mode 't2'; there are 'image'"),
        ({"mode": {"boxes": "wrap"}}, ValueError, "'boxes' is of kind 'boxes' and has no voxels"),
        ({"cval": 0}, TypeError, "cval must be a mapping from names, got int"),
        ({"cval": {"t2": 1}}, ValueError, "unknown target of cval 't2'"),
        ({"cval": {"points": 1}}, ValueError, "target 'points' .* has no voxels to resample"),
        ({"cval": {"image": "black"}}, TypeError, "'image': cval must be .*got 'black'"),
        ({"cval": {"image": None}}, TypeError, "'image': cval must be a number.*got None"),
        ({"cval": {"image": 1j}}, TypeError, "'image': cval must be a number.*got 1j"),
        ({"cval": {"image": (1, None)}}, TypeError, r"cval must be a number.*got \(1, None\)"),
        ({"cval": {"image": [[1, 2]]}}, TypeError, r"cval must be .*, got \(\(1, 2\),\)"),
        ({"cval": {"image": [[1], [1, 2]]}}, TypeError, r"cval must be .*, got \(\(1,\), \(1, 2"),
        ({"cval": {"image": {}}}, TypeError, "'image': cval must be a number.*got {}"),
        ({"cval": {"image": ()}}, ValueError, r"'image': cval must be .*got \(\)"),
    ],
)
def test_options_of_a_pipeline(options, error, message):
    with pytest.raises(error, match=message):
        Compose([RandomFlip()], **options)


def test_names_and_options_within_a_pipeline():
    message = "a Compose within another has no seed, targets, interpolation, mode or cval .*, got"
    for options in ({"seed": 0}, {"targets": {"t2": "image"}}, {"cval": {"image": 0}}):
        inner = Compose([], **options)
        for transforms in (
            [inner],
            [OneOf([RandomFlip(), inner])],
            [Compose([Compose([])]), inner],
        ):
            with pytest.raises(ValueError, match=message):
                Compose(transforms)
    flip = RandomFlip(name="mirror")
    for transforms, name in (
        ([flip, flip], "mirror"),
        ([flip, OneOf([RandomShear(name="mirror")])], "mirror"),
        ([RandomFlip(), RandomShear(name="RandomFlip")], "RandomFlip"),
        ([RandomFlip(name="RandomShear 2"), RandomShear(), RandomShear()], "RandomShear 2"),
        ([RandomFlip(name="Compose")], "Compose"),
    ):
        with pytest.raises(ValueError, match=f"2 transforms are named '{name}'; names must be"):
            Compose(transforms)


IMAGE = random_volume(SHAPE)
LABEL = random_volume(SHAPE, np.uint8)
SPACING = "spacing must be three voxel sizes in mm.*"
WORLD = r"affine must be a \(4, 4\) matrix from voxels to mm"
SHEARED = np.eye(4)
SHEARED[:2, :2] = [[1, 1], [1, 1 + 1e-15]]
NEARLY = np.eye(4)
NEARLY[:2, :2] = [[1, 1], [1, 1 + 1e-9]]

CALLS = [
    ({"label": LABEL[1:]}, ValueError, r"one shape .*'image' \(6, 7, 9\), 'label' \(5, 7, 9\)"),
    ({"t2": np.zeros((2, 9, 7, 6))}, ValueError, r"'image' \(6, 7, 9\), 't2' \(9, 7, 6\)"),
    ({"lable": LABEL}, ValueError, "unknown target 'lable'; did you mean 'label'"),
    ({"mask": LABEL}, ValueError, "unknown target 'mask'; there are 'image', 'label'"),
    ({"seed": 1}, ValueError, "unknown target 'seed'"),
    ({"label": None}, TypeError, "label must be an array, got None: leave out"),
    ({"label": "brain.nii"}, TypeError, "an array, got the path 'brain.nii': load the"),
    ({"label": LABEL * 1j}, TypeError, "label must be of dtype bool, .*got complex128"),
    ({"label": LABEL[0]}, ValueError, r"label must have the shape .*got shape \(7, 9\)"),
    ({"label": LABEL[:0]}, ValueError, r"label must .* no axis of length 0, got shape \(0, 7, 9\)"),
    ({"label": LABEL[None, None]}, ValueError, r"label must .*got shape \(1, 1, 6, 7, 9\)"),
    ({"points": (1, 2, 3)}, ValueError, r"'points': points must be .*\(N, 3\), got shape \(3,\)"),
    ({"points": np.ones((3, 2))}, ValueError, r"'points': .*\(N, 3\), got shape \(3, 2\)"),
    ({"points": [[1, 2, NAN]]}, ValueError, "'points': points must be finite, got 1"),
    ({"points": [["a", "b", "c"]]}, TypeError, r"'points': .*\(N, 3\), got an array of dtype <U1"),
    ({"points": None}, TypeError, r"'points': .*\(N, 3\), got an array of dtype object"),
    ({"points": [[1, 2, 3], [4, 5]]}, (TypeError, ValueError), r"'points': points must .*\(N, 3\)"),
    ({"boxes": np.ones((2, 6))}, ValueError, r"'boxes': .*\(N, 2, 3\).*, got shape \(2, 6\)"),
    ({"boxes": np.ones((1, 3, 2))}, ValueError, r"'boxes': .*\(N, 2, 3\).*, got shape \(1, 3, 2\)"),
    (
        {"boxes": [[[1, 2, 3], [4, 5, 6]], [[1, 9, 3], [4, 5, 6]]]},
        ValueError,
        r"a least corner beyond the greatest: \[\[1.0, 9.0, 3.0\], \[4.0, 5.0, 6.0\]\]",
    ),
    ({"spacing": (1, 2)}, ValueError, rf"{SPACING}, got \(1, 2\)"),
    ({"spacing": 1.0}, ValueError, f"{SPACING}, got 1.0"),
    ({"spacing": (1, 0, 1)}, ValueError, rf"{SPACING}, got \(1, 0, 1\)"),
    ({"spacing": (1, -2, 1)}, ValueError, rf"{SPACING}, got \(1, -2, 1\)"),
    ({"spacing": (1, 1e-200, 1)}, ValueError, rf"{SPACING}, got \(1, 1e-200, 1\)"),
    ({"spacing": (1, 1e200, 1)}, ValueError, rf"{SPACING}, got \(1, 1e.200, 1\)"),
    ({"spacing": (1, NAN, 1)}, ValueError, "spacing must be finite, got 1"),
    ({"spacing": (1, INF, 1)}, ValueError, "spacing must be finite, got 1"),
    ({"spacing": (1, "2", 1)}, TypeError, f"{SPACING}, got an array of dtype <U"),
    ({"spacing": (True, True, True)}, TypeError, f"{SPACING}, got an array of dtype bool"),
    ({"spacing": (1, [2, 3], 4)}, (TypeError, ValueError), SPACING),
    ({"affine": np.eye(3)}, ValueError, rf"{WORLD}, whose last row .*got \[\[1.0"),
    ({"affine": np.eye(4)[::-1]}, ValueError, f"{WORLD}, whose last row is 0, 0, 0, 1, got"),
    ({"affine": np.diag((1, 0, 1, 1))}, ValueError, "affine must be invertible, got"),
    ({"affine": SHEARED}, ValueError, "affine must be invertible, got"),
    ({"affine": NEARLY}, ValueError, "affine must be invertible, got"),
    ({"affine": np.diag((1, 1e-200, 1, 1))}, ValueError, "affine must have voxel sizes from 1e-06"),
    ({"affine": np.diag((1, 1e200, 1, 1))}, ValueError, "affine must have voxel sizes from 1e-06"),
    ({"affine": np.diag((1, NAN, 1, 1))}, ValueError, "affine must be finite, got 1"),
    ({"affine": np.eye(4) * 1j}, TypeError, f"{WORLD}, got an array of dtype complex128"),
    ({"affine": "RAS"}, TypeError, f"{WORLD}, got an array of dtype <U3"),
    ({"affine": np.eye(4), "spacing": (1, 1, 1)}, ValueError, "spacing or affine,.*: got both"),
    ({"index": -1}, ValueError, "index must be from 0 to 18446744073709551615, got -1"),
    ({"index": 2**64}, ValueError, "index must be from 0 to .*, got 18446744073709551616"),
    ({"index": 1.0}, TypeError, "index must be a whole number, got 1.0"),
    ({"index": "1"}, TypeError, "index must be a whole number, got '1'"),
    ({"index": True}, TypeError, "index must be a whole number, got True"),
    ({"index": (1,)}, TypeError, r"index must be a whole number, got \(1,\)"),
    ({"index": None}, ValueError, "index must be given, as the pipeline has a seed"),
    ({"epoch": -1}, ValueError, "epoch must be from 0 to 18446744073709551615, got -1"),
    ({"epoch": 0.5}, TypeError, "epoch must be a whole number, got 0.5"),
    ({"epoch": None}, TypeError, "epoch must be a whole number, got None"),
    ({"epoch": np.bool(True)}, TypeError, "epoch must be a whole number, got .*True"),
    ({"threads": 0}, ValueError, "threads must be a whole number of at least 1, got 0"),
    ({"threads": 1.5}, TypeError, "threads must be a whole number of at least 1, got 1.5"),
    (
        {"t2": np.zeros((3, *SHAPE))},
        ValueError,
        r"'t2'.*cval .* one for each of 3.*\(1, 2\)|\[1, 2",
    ),
]

# One stage, and three: what is wrong with the last is said before the first.
PIPELINES = {
    "a warp": [RandomAffine(p=1)],
    "a copy": [RandomFlip(p=1)],
    "two warps": [RandomShear(p=1), RandomContrast(p=1), RandomElastic(1.0, p=1)],
}


def a_pipeline(kind="a warp"):
    cval = {"t2": (1, 2), "label": 3}
    return Compose(PIPELINES[kind], seed=1, targets={"t2": "image"}, cval=cval)


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.parametrize(("change", "error", "message"), CALLS)
def test_a_call_raises_before_any_work(change, error, message, kind):
    out = nan_filled(SHAPE, np.float32)
    arguments = {"image": IMAGE, "index": 0, "out": {"image": out}, **change}
    with pytest.raises(error, match=message):
        a_pipeline(kind)(**arguments)
    assert np.isnan(out).all()


WRITABLE = "'label'.* must be an array that can be written to, got list"
OUTS = {
    "an array": (lambda image: image, TypeError, "out must be a mapping from .*, got ndarray"),
    "a list": (lambda image: [image], TypeError, "out must be a mapping from names.*got list"),
    "a name": (lambda image: "image", TypeError, "out must be a mapping from names.*got str"),
    "a number": (lambda image: 0, TypeError, "out must be a mapping from names.*got int"),
    "nothing": (lambda image: [], TypeError, "out must be a mapping from names.*got list"),
    "an unknown name": ({"lable": IMAGE.copy()}, ValueError, "out .*'lable'"),
    "points": ({"points": np.ones((1, 3))}, ValueError, "out .*'points'"),
    "a target not given": ({"t2": IMAGE.copy()}, ValueError, "out .*'t2'"),
    "shape": (
        {"label": LABEL[1:].copy()},
        ValueError,
        r"'label'.* must be uint8.*got .*\(5, 7, 9\)",
    ),
    "dtype": ({"label": LABEL.astype(int)}, ValueError, "'label'.* must be uint8 of .*got int64"),
    "a list of labels": ({"label": LABEL.tolist()}, TypeError, WRITABLE),
    "read-only": (
        {"label": np.broadcast_to(np.uint8(0), SHAPE)},
        ValueError,
        "'label'.* writeable",
    ),
    "over its volume": ({"label": LABEL}, ValueError, r"out\['label'\] must not overlap"),
    "over another": (
        lambda image: {"image": image, "label": image.view(np.uint8)[..., :9]},
        ValueError,
        "must not overlap",
    ),
}


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.parametrize("wrong", OUTS)
def test_a_wrong_out_raises_before_any_work(wrong, kind):
    change, error, message = OUTS[wrong]
    label, image = LABEL.copy(), nan_filled(SHAPE, np.float32)
    out = change(image) if callable(change) else {"image": image, **change}
    arguments = {"image": IMAGE, "label": LABEL, "points": np.ones((1, 3)), "index": 0}
    with pytest.raises(error, match=message):
        a_pipeline(kind)(**arguments, out=out)
    assert np.isnan(image).all()
    np.testing.assert_array_equal(LABEL, label)


def test_a_grid_is_needed():
    for targets in ({}, {"points": np.ones((2, 3))}, {"boxes": np.ones((2, 2, 3))}):
        with pytest.raises(ValueError, match="an image or a label is needed, which shows the grid"):
            Compose([])(**targets)
    with pytest.raises(ValueError, match=r"three lengths .*got \(2, 4, 5, 6\)"):
        Compose([]).draw((2, 4, 5, 6))


def test_a_record_is_for_its_shape():
    record = Compose([CenterCrop(5)], seed=1).draw(SHAPE, index=0)
    message = r"'label' must have the shape \(6, 7, 9\), which the record is for, got \(9, 7, 6\)"
    out = nan_filled((5, 5, 5), np.float32)
    with pytest.raises(ValueError, match=message):
        record.apply(image=IMAGE, label=LABEL.T, out={"image": out})
    with pytest.raises(ValueError, match=message):
        record.apply(label=LABEL.T)
    assert np.isnan(out).all()
    message = r"'image' must have the shape \(5, 5, 5\), which the record's result has, got \(6, 7"
    with pytest.raises(ValueError, match=message):
        record.invert(image=IMAGE)
    with pytest.raises(ValueError, match=r"'points': points must be .*\(N, 3\)"):
        record.invert(points=(1, 2, 3))
    with pytest.raises(ValueError, match="threads must be"):
        record.invert(image=IMAGE[:5, :5, :5], threads=0)


def test_a_displacement_that_folds_has_no_inverse():
    steps = [RandomElastic(60.0, num_control_points=5, folding="allow", p=1)]
    record = Compose(steps, seed=1).draw((20, 21, 22), index=0)
    with pytest.raises(ValueError, match="the warp has no inverse: its displacement folds"):
        record.invert(image=np.zeros((20, 21, 22)))


class PathLike:
    def __fspath__(self):
        return "brain.nii.gz"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "got None: leave out what there is not"),
        ("brain.nii.gz", "got the path 'brain.nii.gz': load the file"),
        (pathlib.Path("brain.npy"), "got the path PosixPath.'brain.npy'.: load the file"),
        (b"brain.npy", "got bytes: load the file"),
        (PathLike(), "got the path .*: load the file"),
        ({"image": IMAGE}, "got dict: give its arrays by their names"),
    ],
)
@pytest.mark.parametrize("name", ["image", "label"])
def test_what_is_no_array_says_what_to_do(name, given, message):
    pipeline = Compose([RandomFlip()], seed=0)
    with pytest.raises(TypeError, match=f"{name} must be an array, {message}"):
        pipeline(**{"image": IMAGE, name: given}, index=0)
    with pytest.raises(TypeError, match=f"{name} must be an array, {message}"):
        pipeline.draw(SHAPE, index=0).apply(**{name: given})


def test_images_of_other_libraries_say_what_to_do():
    import nibabel
    import PIL.Image
    import SimpleITK

    call = functools.partial(Compose([RandomFlip()], seed=0), index=0)
    with pytest.raises(TypeError, match=r"got Nifti1Image: give numpy.asarray\(image.dataobj\)"):
        call(image=nibabel.Nifti1Image(np.zeros(SHAPE, np.float32), np.eye(4)))
    with pytest.raises(TypeError, match=r"got Image: give SimpleITK.GetArrayFromImage\(image\)"):
        call(image=SimpleITK.GetImageFromArray(np.zeros(SHAPE, np.float32)))
    picture = PIL.Image.fromarray(np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(TypeError, match=r"got Image: .* numpy.asarray\(picture\)\[None\]"):
        call(image=picture)


def test_targets_are_given_by_name():
    pipeline = Compose([RandomFlip()], seed=0)
    record = pipeline.draw(SHAPE, index=0)
    for call in (pipeline, record.apply, record.invert):
        with pytest.raises(TypeError, match=r"by name, such as image=.* got ndarray, list "):
            call(IMAGE, [], index=0)
    with pytest.raises(ValueError, match=r"'mask'; .* as targets={'mask': .label.}"):
        pipeline(image=IMAGE, mask=LABEL, index=0)
    with pytest.raises(ValueError, match=r"got shape \(7, 9\): give one slice as image\[None\]"):
        pipeline(image=np.zeros((7, 9)), index=0)


@pytest.mark.parametrize("kind", [Compose, OneOf])
def test_transforms_that_are_written_otherwise_say_how(kind):
    name = kind.__name__
    with pytest.raises(TypeError, match=r"write RandomFlip\(\), with parentheses"):
        kind([RandomFlip])
    with pytest.raises(TypeError, match=r"write RandomFlip\(\), with parentheses"):
        kind(RandomFlip)
    with pytest.raises(TypeError, match=rf"write {name}\(\[...\]\), with a list"):
        kind(RandomFlip())
    with pytest.raises(TypeError, match="a list within the list is a group, such as Compose"):
        kind([RandomFlip(), [RandomFlip()]])
    with pytest.raises(TypeError, match=r"write (Compose\(\[first|OneOf\(\[\.\.\.)"):
        kind(RandomFlip(), RandomFlip())


HOLDS_ITSELF = []
HOLDS_ITSELF.append(HOLDS_ITSELF)
DEEP = functools.reduce(lambda inner, _: [inner], range(100_000), 1)


@pytest.mark.parametrize("value", [HOLDS_ITSELF, DEEP], ids=["holds itself", "deep"])
def test_lists_that_hold_themselves(value):
    pipeline = Compose([RandomFlip()], seed=0)
    calls = [
        lambda: RandomScaling(value),
        lambda: RandomFlip(value),
        lambda: RandomCrop(value),
        lambda: RandomElastic(value),
        lambda: Compose(value),
        lambda: OneOf([RandomFlip()], value),
        lambda: Compose([], cval={"image": value}),
        lambda: pipeline(image=value, index=0),
        lambda: pipeline(image=IMAGE, points=value, index=0),
        lambda: pipeline(image=IMAGE, boxes=value, index=0),
        lambda: pipeline.draw(value, index=0),
        lambda: pipeline.draw(SHAPE, spacing=value, index=0),
        lambda: pipeline.draw(SHAPE, affine=value, index=0),
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError), match="must be"):
            call()


def nested(levels, kind=Compose):
    return functools.reduce(lambda inner, _: kind([inner]), range(levels), RandomFlip())


@pytest.mark.parametrize("kind", [Compose, OneOf])
def test_groups_may_be_nested_so_deep(kind):
    pipeline = Compose([nested(31, kind)], seed=0)
    assert pickle.loads(pickle.dumps(pipeline)) == pipeline
    assert Compose.from_dict(pipeline.to_dict()) == pipeline
    pipeline.draw(SHAPE, index=0)
    message = "groups of transforms must be nested at most 32 deep"
    for levels in (33, 900):
        with pytest.raises(ValueError, match=message):
            nested(levels, kind)
    values = functools.reduce(
        lambda inner, _: {"type": kind.__name__, "transforms": [inner]},
        range(900),
        {"type": "RandomFlip"},
    )
    head = {"format": "volaug.pipeline", "version": 1, "transforms": [values]}
    with pytest.raises(ValueError, match=message) as caught:
        Compose.from_dict(head)
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 20_000) + " = 1",
        " . ".join(["'a'"] * 10_000) + " = 1",
        "[" + "\t.\t".join(['"a b"'] * 5_000) + "]",
        "[[" + ".".join("abcde" * 4_000) + "]]",
        "x = {" + ".".join(["a-b"] * 10_000) + " = 1}",
        "seed = 1\n" * 20_000,
        "a = " + "[" * 40_000,
        "a = " + "{a = " * 10_000,
    ],
)
def test_text_that_takes_long_to_read_is_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(ValueError, match="a pipeline must"):
        Compose.from_toml(text)
    assert time.process_time() - start < 2


def test_a_path_in_place_of_text(tmp_path):
    for path in ("pipe.toml", "folder/pipe.toml"):
        with pytest.raises(ValueError, match=f"got '{path}': for a file use Compose.from_file"):
            Compose.from_toml(path)
    with pytest.raises(TypeError, match=r"got PosixPath: for a file use Compose.from_file"):
        Compose.from_toml(tmp_path / "pipe.toml")
    with pytest.raises(ValueError, match=r"got 'record.json': for a file give its text"):
        Record.from_json("record.json")
    with pytest.raises(TypeError, match="got PosixPath: for a file give its text"):
        Record.from_json(tmp_path / "record.json")


def test_pipelines_from_files(tmp_path):
    pipeline = Compose([RandomFlip(0), OneOf([RandomAffine(p=1)])], seed=3)
    (tmp_path / "a.json").write_text(json.dumps(pipeline.to_dict()), encoding="utf-8")
    text = 'format = "volaug.pipeline"\nversion = 1\nseed = 3\n[[transforms]]\ntype = "RandomFlip"'
    (tmp_path / "a.toml").write_text(text + '\nname = "Spiegelung Ö"', encoding="utf-8")
    assert Compose.from_file(tmp_path / "a.json") == pipeline
    assert Compose.from_file(str(tmp_path / "a.json")) == pipeline
    assert Compose.from_file(tmp_path / "a.toml").transforms[0].name == "Spiegelung Ö"
    with pytest.raises(ValueError, match=r"must end in .toml or .json, got 'a.yaml'"):
        Compose.from_file("a.yaml")
    with pytest.raises(TypeError, match="path must be the path of a file, got int"):
        Compose.from_file(3)
    with pytest.raises(FileNotFoundError):
        Compose.from_file(tmp_path / "b.toml")
    (tmp_path / "c.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="a pipeline must be JSON"):
        Compose.from_file(tmp_path / "c.json")
    (tmp_path / "d.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"d.toml must be text in UTF-8"):
        Compose.from_file(tmp_path / "d.toml")


@pytest.mark.parametrize("nothing", [[], (), np.array([]), np.zeros(0, np.int64)])
def test_an_empty_list_of_places_is_none(nothing):
    steps = [RandomElastic(0.5, p=1), RandomContrast(p=1), RandomAffine(p=1)]
    record = Compose(steps, seed=0).draw(SHAPE, index=0)
    for call in (record.apply, record.invert):
        places = call(points=nothing, boxes=nothing)
        assert places["points"].shape == (0, 3)
        assert places["boxes"].shape == (0, 2, 3)
    for wrong in ([[]], np.zeros((0, 2)), np.zeros((1, 0))):
        with pytest.raises(ValueError, match="points must be places"):
            record.apply(points=wrong)
        with pytest.raises(ValueError, match="boxes must be boxes"):
            record.apply(boxes=wrong)


LAST = r"{} of shape \(40, 10, 11, 4\) is taken as 40 channels of \(10, 11, 4\): .*moveaxis"


def test_channels_that_may_be_last_are_warned_of():
    volume = np.zeros((40, 10, 11, 4), np.float32)
    pipeline = Compose([RandomFlip()], seed=0)
    with pytest.warns(UserWarning, match=LAST.format("label")) as caught:
        pipeline(label=volume, index=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=LAST.format("volume")) as caught:
        affine_transform(volume, np.eye(3))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    for shape in ((4, 40, 10, 11), (15, 10, 11, 4), (16, 10, 11, 9), (40, 10, 4)):
        pipeline(image=np.zeros(shape, np.float32), index=0)


FIRST = r"{} of shape \({}, 32, 40\) is taken as a volume of {} slices: give {}\[..., None\] for a "


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("name", ["image", "t2"])
def test_pictures_with_channels_first_are_warned_of(name, channels):
    pipeline = Compose([RandomFlip()], targets={"t2": "image"}, seed=0)
    picture = np.zeros((channels, 32, 40), np.float32)
    message = FIRST.format(name, channels, channels, name)
    with pytest.warns(UserWarning, match=message) as caught:
        pipeline(**{name: picture}, label=picture.astype(np.int16), index=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "shape", [(1, 32, 40), (5, 32, 40), (3, 31, 40), (32, 40, 3), (3, 32, 40, 1)]
)
def test_what_is_no_picture_is_not_warned_of(shape):
    Compose([RandomFlip()], seed=0)(image=np.zeros(shape, np.float32), index=0)
