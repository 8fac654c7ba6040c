"""Records and pipelines of hands and tools that make mistakes: each is said, and nothing else."""

import functools
import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    Record,
)

SPACING = "spacing must be three voxel sizes in mm.*"

A_RECORD = Compose(
    [
        RandomFlip(p=1),
        RandomAffine(p=1),
        RandomElastic(1.0, num_control_points=4, p=1),
        RandomContrast(p=1),
        RandomCrop(5),
    ],
    seed=1,
)
A_RECORD = A_RECORD.draw((6, 7, 9), spacing=(1, 2, 3), index=0).to_dict()
DELETED = object()


def changed(plain, path, value):
    """A copy in which one part is another; or is missing, if it is to be `DELETED`."""
    plain = json.loads(json.dumps(plain))
    *way, last = path
    inner = functools.reduce(lambda inner, step: inner[step], way, plain)
    if value is DELETED:
        del inner[last]
    else:
        inner[last] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["key"], DELETED, "must have the parts key, shape, .*, got no key"),
        (["steps"], DELETED, "got no steps"),
        (["affine"], DELETED, "got no affine"),
        (["key"], [1, 2, 3], r"the key of a record must be a table .*, got \[1, 2, 3\]"),
        (["key", "seed"], DELETED, "the key of a record must say 'seed'"),
        (["key", "seed"], -1, "the key of a record: seed must be from 0 .*got -1"),
        (["key", "index"], "1", "the key of a record: index must be a whole number, got '1'"),
        (["shape"], [6, 7], r"shape must be three lengths .*got \(6, 7\)"),
        (["shape"], None, "shape must be three whole numbers, got None"),
        (["shape"], {"6": 1}, "shape must be three whole numbers, got"),
        (["shape"], [6, 7, 1.5], "shape must be three whole numbers, got"),
        (["shape"], [6, 7, True], "shape must be three whole numbers, got"),
        (["spacing"], [1, 2], SPACING),
        (["spacing"], "1 mm", f"{SPACING}, got an array of dtype"),
        (["affine"], np.eye(4).tolist(), "spacing or affine, .*got both"),
        (["targets"], ["image"], r"targets must be a table .*, got \['image'\]"),
        (["targets", "image"], "image", "target 'image' must be a table .*, got 'image'"),
        (["targets", "image", "kind"], DELETED, "target 'image' must say 'kind'"),
        (["targets", "image", "kind"], "pictures", "target 'image': the kind .*got 'pictures'"),
        (["targets", "image", "mode"], None, "target 'image': mode must be one of .*got None"),
        (["targets", "image", "cval"], "0", "target 'image': cval must be a number.*got '0'"),
        (["targets", "image", "cval"], [0, None], r"target 'image': cval .*got \[0, None\]"),
        (["steps"], {"0": 1}, "the steps of a record must be a list, got"),
        (["steps"], None, "the steps of a record must be a list, got None"),
        (["steps", 0], None, "step 0 of the record must be a table with a name"),
        (["steps", 1, "name"], DELETED, "step 1 of the record must be a table with a name"),
        (["steps", 1, "name"], 5, "step 1 of the record must be a table with a name"),
        (["steps", 1, "type"], DELETED, "type of step 1 of the record None; there are 'Affine'"),
        (["steps", 1, "type"], ["Flip"], r"type of step 1 of the record \['Flip'\]"),
        (["steps", 1, "type"], "Flip", "argument of step 1 of the record, Flip '(scale|shear|deg)"),
        (["steps", 0, "axes"], DELETED, "step 0 of the record, Flip must say 'axes'"),
        (["steps", 0, "axes"], [0, 0], r"Flip: axes must name each axis once, got \[0, 0\]"),
        (["steps", 0, "axes"], "0", "Flip: axes must be a whole number, got '0'"),
        (["steps", 1, "scale"], [1, 0, 1], "Affine: scale must be from 1e-06 to .*, got 0"),
        (["steps", 1, "scale"], [1, 1], r"Affine: scale must be .* three axes, got \(1, 1\)"),
        (["steps", 1, "degrees"], [0, 0, None], "Affine: degrees must be a number, got None"),
        (["steps", 1, "shear"], [0, 0, 1e300], "Affine: shear must be from .*, got 1e.300"),
        (["steps", 1, "translation"], "far", "Affine: translation must be a number, got 'far'"),
        (["steps", 2, "control_points"], [[[[1.0]]]], r"Elastic: .*got shape \(1, 1, 1, 1\)"),
        (["steps", 2, "control_points"], None, "Elastic: control_points must be coefficients"),
        (["steps", 2, "control_points", 0, 1, 2], [1.0], "Elastic: control_points must be coeff"),
        (
            ["steps", 2, "control_points", 0, 1, 2, 3],
            np.nan,
            "Elastic: control_points must be finite",
        ),
        (
            ["steps", 2, "control_points", 0, 1, 2, 3],
            1e300,
            "Elastic: control_points must be .*got 1e.300",
        ),
        (["steps", 2, "folding"], "never", "Elastic: folding must be one of .*got 'never'"),
        (["steps", 3, "factor"], -0.1, "Contrast: factor must be from 0 to .*, got -0.1"),
        (["steps", 3, "factor"], True, "Contrast: factor must be a number, got True"),
        (["steps", 3, "preserve_range"], 1, "Contrast: preserve_range must be True or False"),
        (["steps", 4, "start"], [0, 0], r"Crop: start must be three whole numbers, got \(0, 0\)"),
        (["steps", 4, "start"], 0, "Crop: start must be three whole numbers, got 0"),
        (["steps", 4, "start", 1], 2**40, "Crop: start must be from .*, got 1099511627776"),
        (["steps", 4, "start", 1], 0.5, "Crop: start must be a whole number, got 0.5"),
        (["steps", 4, "shape"], [5, 5, 0], r"Crop: shape must be three lengths .*\(5, 5, 0\)"),
        (["steps", 4, "shape"], "all", "Crop: shape must be three whole numbers, got 'all'"),
    ],
)
def test_a_damaged_record(path, value, message):
    plain = changed(A_RECORD, path, value)
    with pytest.raises((TypeError, ValueError), match=message):
        Record.from_dict(plain)
    with pytest.raises((TypeError, ValueError), match=message):
        Record.from_json(json.dumps(plain))


def test_numbers_that_together_are_too_large():
    """Each step is what one could be, but not so many of them."""
    for step in (
        {"type": "Affine", "scale": [1e6, 1e-6, 1.0]},
        {"type": "Affine", "scale": 1e-6},
    ):
        steps = [{"name": "again", **step}] * 100
        with pytest.raises(ValueError, match="matrix must be"):
            Record.from_dict({**A_RECORD, "steps": steps})


A_PIPELINE = Compose(
    [RandomFlip(), OneOf([RandomAffine(), Compose([RandomElastic()])], (1, 2)), CenterCrop(5)],
    seed=1,
    targets={"t2": "image"},
    cval={"t2": (0, 1)},
).to_dict()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["transforms"], DELETED, "the pipeline, Compose must say 'transforms'"),
        (["transforms"], {}, "the pipeline, Compose: transforms must be a list .*, got {}"),
        (["transforms"], None, "the pipeline, Compose: transforms must be a list .*, got None"),
        (["transforms", 1], "RandomFlip", "transform 1 of the pipeline must be a table .*, got 'R"),
        (["transforms", 1], [], r"transform 1 of the pipeline must be a table .*, got \[\]"),
        (["transforms", 0, "type"], DELETED, "type of transform 0 of the pipeline None; there"),
        (["transforms", 0, "type"], {}, "type of transform 0 of the pipeline {}; there"),
        (["transforms", 0, "type"], "Flip", "'Flip'; did you mean 'RandomFlip'"),
        (["transforms", 0, "axes"], [3], "0 of the pipeline, RandomFlip: axes must be .*got 3"),
        (["transforms", 0, "p"], 2, "0 of the pipeline, RandomFlip: p must be from 0 to 1, got 2"),
        (["transforms", 0, "p"], None, "RandomFlip: p must be a number, got None"),
        (["transforms", 0, "name"], 7, "RandomFlip: name must be a string, got 7"),
        (["transforms", 0, "transforms"], [], "RandomFlip 'transforms'; there are"),
        (["transforms", 1, "weights"], [1], r"OneOf: weights must be .* 2 transforms, got \(1,\)"),
        (
            ["transforms", 1, "transforms", 1, "transforms", 0, "folding"],
            0,
            "transform 0 of transform 1 of transform 1 of the pipeline, RandomElastic: folding",
        ),
        (["transforms", 1, "transforms", 1, "seed"], 3, "a Compose within another has no seed"),
        (["transforms", 2, "shape"], "5", "CenterCrop: shape must be three whole numbers, got"),
        (["seed"], -1, "the pipeline, Compose: seed must be from 0 to .*, got -1"),
        (["targets"], ["t2"], "Compose: targets must be a mapping from names, got tuple"),
        (["cval", "t3"], 1, "Compose: unknown target of cval 't3'; did you mean 't2'"),
    ],
)
def test_a_damaged_pipeline(path, value, message):
    plain = changed(A_PIPELINE, path, value)
    with pytest.raises((TypeError, ValueError), match=message):
        Compose.from_dict(plain)


@pytest.mark.parametrize("read", [Record.from_dict, Compose.from_dict])
@pytest.mark.parametrize("value", [None, 5, "text", [], [{}], b"{}", {1: 2}, {None: None}])
def test_no_table_at_all(read, value):
    message = "must be a table of names and values, got|must say format = "
    with pytest.raises(ValueError, match=f"a volaug.(record|pipeline) {message}"):
        read(value)


def test_text_that_is_no_json_or_toml():
    for text in ("", "{", "[1,", "{'a': 1}", "\x00", b"\xff\xfe{"):
        with pytest.raises(ValueError, match=r"a record must be JSON: "):
            Record.from_json(text)
    for text in ("a", "a = ", "[a", "a = 1\na = 2", '"', "\x00"):
        with pytest.raises(ValueError, match="a pipeline must be TOML"):
            Compose.from_toml(text)
    for value in (None, 5, ["{}"]):
        with pytest.raises(TypeError):
            Record.from_json(value)
        with pytest.raises(TypeError, match="a pipeline must be text of TOML, got"):
            Compose.from_toml(value)


def nested(inner, depth=50_000):
    value = []
    for _ in range(depth):
        value = inner(value)
    return value


DEEP = {
    "lists": nested(lambda value: [value]),
    "tables": nested(lambda value: {"transforms": value}),
    "transforms": nested(lambda value: {"type": "Compose", "transforms": [value]}),
    "steps": nested(lambda value: {"type": "Affine", "name": "a", "scale": [value, 1, 1]}),
}


@pytest.mark.parametrize("kind", DEEP)
def test_what_is_nested_too_deeply(kind):
    deep = DEEP[kind]
    for plain, read in ((A_RECORD, Record.from_dict), (A_PIPELINE, Compose.from_dict)):
        parts = [{part: deep} for part in (*plain, "unknown")]
        parts += [{"transforms": [deep]}, {"steps": [deep]}, {"targets": {"image": deep}}]
        for values in (deep, *({**plain, **part} for part in parts)):
            with pytest.raises((TypeError, ValueError), match=r"nested|must|unknown|both"):
                read(values)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_text_that_is_nested_too_deeply(text):
    with pytest.raises(ValueError, match="a record must be JSON: "):
        Record.from_json(text)
    with pytest.raises(ValueError, match="a pipeline must be at most 65536 characters of TOML"):
        Compose.from_toml(f"seed = {text}")
    with pytest.raises(ValueError, match="a pipeline must be TOML"):
        Compose.from_toml(f"seed = {text[:60_000]}")


# What the parts of such files are called, and values that some of them have.
WORDS = ["type", "name", "p", "transforms", "steps", "seed", "targets", "cval", "image", "label",
         "kind", "scale", "start", "shape", "Compose", "OneOf", "RandomFlip", "RandomElastic",
         "Affine", "Elastic", "Crop", "linear", "wrap", ""]  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.integers(),
    st.sampled_from([10**400, -(2**63), 2**64, 1e300, -1e300, 1e-300, 5e-324, 524288, 1e9]),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(st.characters(), max_size=5),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=4),
    ),
    max_leaves=12,
)


def paths(value):
    """The ways to all parts of a file; in lists to the first and the last."""
    names = value if isinstance(value, dict) else ()
    for name in {0, len(value) - 1} if isinstance(value, list) and value else names:
        yield [name]
        yield from ([name, *path] for path in paths(value[name]))


@st.composite
def damaged(draw, plain):
    """With one to three parts that are missing, or are something else."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([*paths(plain)]))
        plain = changed(plain, path, draw(st.just(DELETED) | LEAVES | VALUES))
    return plain


def is_read_or_refused(read, values):
    """Whatever is not said by a `TypeError` or `ValueError` can be written again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of folding, as asked for
        try:
            text = json.dumps(read(values).to_dict())
        except (TypeError, ValueError):
            return
        assert json.dumps(read(json.loads(text)).to_dict()) == text


BUDGET = settings(max_examples=400, deadline=None, derandomize=True)


@BUDGET
@given(damaged(A_RECORD))
@pytest.mark.slow
def test_any_damage_to_a_record(plain):
    is_read_or_refused(Record.from_dict, plain)


@BUDGET
@given(damaged(A_PIPELINE))
@pytest.mark.slow
def test_any_damage_to_a_pipeline(plain):
    is_read_or_refused(Compose.from_dict, plain)


@BUDGET
@given(VALUES, st.dictionaries(st.sampled_from(WORDS), VALUES))
@pytest.mark.slow
def test_any_values(value, parts):
    for kind, plain in (
        ("volaug.record", A_RECORD),
        ("volaug.pipeline", A_PIPELINE),
    ):
        read = Record.from_dict if plain is A_RECORD else Compose.from_dict
        for values in (value, {"format": kind, "version": 1, **parts}, {**plain, **parts}):
            is_read_or_refused(read, values)
