"""Values that are no pipeline or record of this version: names, parts and versions."""

import numpy as np
import pytest

from volaug import Compose, RandomAffine, RandomElastic, RandomFlip, Record
from volaug.pipeline.stored import FORMAT

SHAPE = (19, 22, 27)


def a_record():
    steps = [RandomElastic(p=1), RandomAffine(p=1)]
    return Compose(steps, cval={"image": (1, 2)}).draw(SHAPE, affine=np.diag((1, 2, 3, 1)))


NEAREST = [
    ({"transforms": [{"type": "RandomFlop"}]}, "'RandomFlop'; did you mean 'RandomFlip'"),
    ({"transforms": [{"type": "randomflip"}]}, "'randomflip'; did you mean 'RandomFlip'"),
    ({"transforms": [{"type": "Elastic"}]}, "'Elastic'; did you mean 'RandomElastic'"),
    (
        {"transforms": [{"type": "os.system"}]},
        "'os.system'; there are 'CenterCrop', 'LabelPyramid'",
    ),
    (
        {"transforms": [{"type": "RandomFlip"}, {"type": "RandomAffine", "degree": 5}]},
        "argument of transform 1 of the pipeline, RandomAffine 'degree'; did you mean 'degrees'",
    ),
    (
        {"transforms": [{"type": "OneOf", "transforms": [{"type": "RandomFlip", "axis": 1}]}]},
        "of transform 0 of transform 0 of the pipeline, RandomFlip 'axis'; did you mean 'axes'",
    ),
    ({"transforms": [], "sead": 1}, "argument of the pipeline 'sead'; .* 'seed'"),
    ({"transforms": [], "_key_seed": 1}, "argument of the pipeline '_key_seed'"),
]


@pytest.mark.parametrize(("values", "message"), NEAREST)
def test_the_nearest_known_name_of_a_pipeline(values, message):
    with pytest.raises(ValueError, match=f"unknown .*{message}"):
        Compose.from_dict({"format": "volaug.pipeline", "version": 1, **values})


def test_the_nearest_known_name_of_a_record():
    plain = a_record().to_dict()
    step = plain["steps"][1]
    for change, message in (
        ({"stepps": []}, "unknown part of a record 'stepps'; did you mean 'steps'"),
        (
            {"steps": [{**step, "type": "Afine"}]},
            "type of step 0 of the record 'Afine'; .*'Affine'",
        ),
        ({"steps": [{**step, "type": "RandomAffine"}]}, "'RandomAffine'; did you mean 'Affine'"),
        ({"steps": [{**step, "scal": 1}]}, "of step 0 of the record, Affine 'scal'; .* 'scale'"),
        ({"key": {"sed": 1}}, "unknown argument of the key of a record 'sed'; .* 'seed'"),
        ({"targets": {"ct": {"knd": "image"}}}, "argument of target 'ct' 'knd'; .* 'kind'"),
        ({"targets": {"ct": {"kind": "imag"}}}, "target 'ct': the kind of a target must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            Record.from_dict({**plain, **change})
    with pytest.raises(ValueError, match="unknown target 'lable'; did you mean 'label'"):
        a_record().apply(lable=np.zeros(SHAPE))
    with pytest.raises(ValueError, match="unknown target 'imag'; did you mean 'image'"):
        Compose([])(imag=np.zeros(SHAPE))


@pytest.mark.parametrize("kind", ["volaug.record", "volaug.pipeline"])
def test_what_a_newer_volaug_made_is_not_read(kind):
    read = Record.from_dict if kind == "volaug.record" else Compose.from_dict
    with pytest.raises(ValueError, match=f"this {kind} has version 2, made by a newer volaug"):
        read({"format": kind, "version": 2, "something": "new"})
    for version in (0, -1, 1.0, "1", True, None):
        with pytest.raises(ValueError, match=f"the version of a {kind} must be a whole number"):
            read({"format": kind, "version": version})
    for given in ({}, {"format": "volaug.warping.warp"}, {"version": 1}):
        with pytest.raises(ValueError, match=f'a {kind} must say format = "{kind}", got'):
            read(given)


def test_a_pipeline_is_nothing_else():
    values = {**Compose([RandomFlip()]).to_dict(), "type": "OneOf"}
    with pytest.raises(ValueError, match="unknown argument of the pipeline 'type'"):
        Compose.from_dict(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "the pipeline, Compose must say 'transforms', got nothing"),
        ({"seed": 3}, "the pipeline, Compose must say 'transforms', got only 'seed'"),
        (
            {"transforms": [{"type": "RemapLabels", "old": 1}]},
            "transform 0 of the pipeline, RemapLabels must say 'new', got only 'old'",
        ),
        (
            {"transforms": [{"type": "RemapLabels"}]},
            "transform 0 of the pipeline, RemapLabels must say 'old' and 'new', got nothing",
        ),
        (
            {"transforms": [{"type": "OneOf"}]},
            "transform 0 of the pipeline, OneOf must say 'transforms', got nothing",
        ),
    ],
    ids=str,
)
def test_a_part_that_is_missing_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        Compose.from_dict({"format": FORMAT, "version": 1, **values})
