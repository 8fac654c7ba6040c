"""Transforms and pipelines refuse wrong arguments when they are made."""

import functools
from dataclasses import fields

import numpy as np
import pytest

from support.bad_values import NO_FLAGS, NO_NUMBERS
from volaug import (
    CenterCrop,
    Compose,
    LabelPyramid,
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
    RemapLabels,
)
from volaug.transforms.registry import TRANSFORMS

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
# Each step and `Compose`, and the arguments that have no default.
KINDS = [*TRANSFORMS.values(), Compose]
NEEDED = {
    RandomCrop: {"shape": 5}, CenterCrop: {"shape": 5}, LabelPyramid: {"scales": [1]},
    RemapLabels: {"old": 1, "new": 0}, OneOf: {"transforms": [RandomFlip()]},
    Compose: {"transforms": []},
}  # fmt: skip
ARGUMENTS = [(kind, item) for kind in KINDS for item in fields(kind) if item.init]
CHANCES = [(k, i.name) for k, i in ARGUMENTS if i.name == "p" or i.name.startswith("p_")]
FLAGS = [(kind, item.name) for kind, item in ARGUMENTS if item.type is bool]


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


def made(kind, **arguments):
    return kind(**{**NEEDED.get(kind, {}), **arguments})


@pytest.mark.parametrize(("kind", "argument"), CHANCES)
def test_chances(kind, argument):
    for value in (-0.1, 1.001, NAN, INF, 2):
        with pytest.raises(ValueError, match=f"{argument} must be from 0 to 1, got {value}"):
            made(kind, **{argument: value})
    for value in ("0.5", None, True, 1j, (0.5, 0.5), []):
        with pytest.raises(TypeError, match=f"{argument} must be a number, got "):
            made(kind, **{argument: value})


@pytest.mark.parametrize(("kind", "argument"), FLAGS)
def test_flags(kind, argument):
    for value in NO_FLAGS:
        with pytest.raises(TypeError, match=f"{argument} must be True or False, got "):
            made(kind, **{argument: value})


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_unknown_arguments(kind):
    for name in (5, b"flip", True, ["flip"]):
        with pytest.raises(TypeError, match="name must be a string, got "):
            made(kind, name=name)
    with pytest.raises(TypeError, match="unexpected keyword argument 'prob'"):
        made(kind, prob=0.5)


FLIP = [RandomFlip()]


def counted(displacement, count, locked=0, folding="forbid"):
    return RandomElastic(
        displacement, num_control_points=count, locked_borders=locked, folding=folding
    )


# A transform, its arguments, and what is said of them.
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
    (counted, (1, 0), "num_control_points must be from 1 to 67, got 0"),
    (counted, (1, 68), "num_control_points must be from 1 to 67, got 68"),
    (counted, (1, 3), "num_control_points must be 1 or from 4 to 67, .*, got 3"),
    (counted, (1, (7, 7)), r"num_control_points must .* or three .*, got \(7, 7\)"),
    (counted, (1, (7, 2, 7)), r"num_control_points must be 1 or from 4 .*, got \(7, 2, 7\)"),
    (counted, (1, (1, 6, 7), 3), r"be 1 or from 7 to 67, with 3 lock.*, got \(1, 6, 7\)"),
    (counted, (1, 7, 4), "locked_borders must be from 0 to 3, got 4"),
    (counted, (1, 7, -1), "locked_borders must be from 0 to 3, got -1"),
    (counted, (1, 7, 0, "no"), "folding must be one of 'forbid', 'warn', 'allow', got 'no'"),
    (counted, (1, 7, 0, None), "folding must be one of .*, got None"),
    (counted, (1, 7, 0, True), "folding must be one of .*, got True"),
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
    message = (
        "a Compose within another has no seed, targets, interpolation, mode, cval or swap .*, got"
    )
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
    with pytest.raises(TypeError, match=rf"write {name}\(\[first, second\]\)"):
        kind(RandomFlip(), RandomFlip())
