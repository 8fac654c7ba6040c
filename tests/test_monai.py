"""`Volaugd` does what the pipeline does, in MONAI's ways."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest

import volaug
from support.loaders import marks_of
from support.monai_samples import (
    AFFINE,
    AFFINE_STEPS,
    KEYS,
    POINTS,
    SHAPE,
    STEPS,
    TYPES,
    bits,
    pipeline_of,
    records_of,
    same,
    sample_of,
)
from support.volumes import random_volume
from volaug import LabelPyramid, RandomFlip

pytest.importorskip("monai")
import torch
from monai import transforms
from monai.data import MetaTensor, set_track_meta

from volaug.integrations.monai import Volaugd

pytestmark = marks_of("monai")


@pytest.mark.parametrize("kind", STEPS)
def test_it_does_what_the_record_says(kind):
    given = sample_of() | {"points": POINTS}
    transform = Volaugd([*KEYS, "points"], pipeline_of(kind)).set_random_state(1)
    result = transform(given)
    record, other = records_of(transform, result)
    assert record == other
    assert result["label"].applied_operations[0]["orig_size"] == SHAPE
    np.testing.assert_array_equal(record.affine, AFFINE)
    expected = record.apply(image=given["image"], label=given["label"], points=POINTS)
    assert same(result, expected, [*KEYS, "points"])
    assert result["name"] == "case 0"
    with_seed = pipeline_of(kind, seed=0)(
        image=given["image"], label=given["label"], affine=AFFINE, index=record.key.index
    )
    assert same(result, with_seed)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float16", "bool", "uint16"])
@pytest.mark.parametrize("kind", TYPES)
def test_types_and_dtypes_stay(kind, dtype):
    make = TYPES[kind]
    given = {key: make(random_volume((1, *SHAPE), dtype)) for key in KEYS}
    for prob in (0.0, 1.0):
        result = Volaugd(KEYS, pipeline_of("affine"), prob).set_random_state(1)(given)
        for key in KEYS:
            assert type(result[key]) is type(given[key])
            assert result[key].dtype == given[key].dtype
            assert result[key].shape == given[key].shape


def copied(sample):
    """By `clone`: a MetaTensor's `deepcopy` shares what is nested in its metadata."""
    return {
        key: value.clone() if key in KEYS else copy.copy(value) for key, value in sample.items()
    }


def test_nothing_given_is_changed():
    given = sample_of(pixdim=np.ones(8)) | {"points": POINTS.copy()}
    before = copied(given)
    transform = Volaugd([*KEYS, "points"], pipeline_of("both")).set_random_state(1)
    result = transform(given)
    after = copied(result)
    transform.inverse(result)
    for found, expected in ((given, before), (result, after)):
        assert same(found, expected, [*KEYS, "points"])
        for key in KEYS:
            assert len(found[key].applied_operations) == len(expected[key].applied_operations)
            np.testing.assert_array_equal(found[key].affine, expected[key].affine)
        pixdims = [each["image"].meta["pixdim"] for each in (found, expected)]
        np.testing.assert_array_equal(*pixdims)
    for key in [*KEYS, "points"]:
        assert not np.shares_memory(np.asarray(result[key]), np.asarray(given[key]))


@pytest.mark.parametrize("kind", TYPES)
def test_points_are_in_voxels_and_of_any_type(kind):
    """Also where they come first."""
    given = sample_of() | {"points": TYPES[kind](POINTS)}
    transform = Volaugd(["points", *KEYS], pipeline_of()).set_random_state(1)
    result = transform(given)
    (record,) = records_of(transform, result, ["image"])
    assert type(result["points"]) is type(given["points"])
    np.testing.assert_array_equal(result["points"], record.apply(points=POINTS)["points"])
    back = transform.inverse(result)
    assert type(back["points"]) is type(given["points"])
    np.testing.assert_allclose(back["points"], POINTS, atol=1e-5)
    if kind == "MetaTensor":
        np.testing.assert_array_equal(result["points"].affine, np.eye(4))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_results_are_contiguous(kind, prob):
    given = {
        "image": TYPES[kind](np.asfortranarray(random_volume((2, *SHAPE)))),
        "label": TYPES[kind](np.asfortranarray(random_volume((1, *SHAPE), np.int16))),
    }
    transform = Volaugd(KEYS, pipeline_of("a crop"), prob)
    result = transform(given)
    for key in KEYS:
        assert np.asarray(result[key]).flags.c_contiguous or not prob
        if kind != "array":
            result[key].view(-1)


def test_with_prob_0_data_are_as_they_were():
    given = sample_of(pixdim=np.full(8, 3.0)) | {"points": POINTS}
    transform = transforms.Compose([Volaugd([*KEYS, "points"], pipeline_of(), prob=0.0)])
    result = transform(given)
    assert same(result, given, [*KEYS, "points"])
    for key in KEYS:
        assert result[key].data_ptr() == given[key].data_ptr()
        np.testing.assert_array_equal(result[key].affine, AFFINE)
        (trace,) = result[key].applied_operations
        assert (trace["class"], trace["do_transforms"]) == ("Volaugd", False)
        assert transform.transforms[0].record_of(result[key]) is None
        assert given[key].applied_operations == []
    assert (result["image"].meta["pixdim"] == 3).all()
    back = transform.inverse(result)
    assert same(back, given, [*KEYS, "points"])
    assert back["label"].applied_operations == []


def test_keys_may_be_missing_if_they_are_allowed_to():
    given = sample_of()
    only = {"label": given["label"], "name": "case 0"}
    with pytest.raises(KeyError, match="`image` of transform `Volaugd` was missing"):
        Volaugd(KEYS, pipeline_of())(only)
    transform = Volaugd(KEYS, pipeline_of(), allow_missing_keys=True)
    found = transform.set_random_state(1)(only)
    assert set(found) == {"label", "name"}
    assert same(found, transform.set_random_state(1)(given), ["label"])
    back = transform.inverse(found)
    assert back["label"].shape == given["label"].shape
    nothing = {"name": "case 0"}
    assert transform(nothing) == transform.inverse(nothing) == nothing


def test_what_is_wrong_says_so():
    with pytest.raises(ValueError, match="unknown target of the pipeline 't2'"):
        Volaugd(["image", "t2"], pipeline_of())
    with pytest.raises(TypeError, match=r"pipeline must be a volaug\.Compose, got Compose"):
        Volaugd(KEYS, transforms.Compose([]))
    transform = Volaugd(KEYS, pipeline_of("affine"))
    with pytest.raises(ValueError, match="images and labels must have one shape"):
        transform({"image": np.zeros((1, 4, 5, 6)), "label": np.zeros((1, 4, 5, 7))})
    with pytest.raises(RuntimeError, match="Error Volaugd getting the most recently"):
        transform.inverse(transforms.Flipd(KEYS, 0)(sample_of()))


def test_targets_of_another_name():
    pipeline = volaug.Compose(AFFINE_STEPS, targets={"t2": "image", "lesion": "label"})
    given = {"t2": sample_of()["image"], "lesion": sample_of()["label"]}
    result = Volaugd(["t2", "lesion"], pipeline).set_random_state(1)(given)
    expected = Volaugd(KEYS, pipeline).set_random_state(1)(sample_of())
    assert bits(result, ["t2", "lesion"]) == bits(expected)


def test_a_pyramid_is_a_list_of_tensors():
    pipeline = volaug.Compose([RandomFlip(p=1), LabelPyramid([1, 0.5])])
    result = Volaugd(KEYS, pipeline)(sample_of())
    assert [tuple(level.shape) for level in result["label"]] == [(1, *SHAPE), (1, 10, 11, 14)]
    assert {type(level) for level in result["label"]} == {torch.Tensor}
    assert type(result["image"]) is MetaTensor


def test_metadata_are_not_tracked_if_monai_does_not():
    set_track_meta(False)
    try:
        for prob in (0.0, 1.0):
            result = Volaugd(KEYS, pipeline_of(), prob)(sample_of())
            assert {type(result[key]) for key in KEYS} == {torch.Tensor}
    finally:
        set_track_meta(True)


PAGE = Path(__file__).parent.parent / "docs" / "integrations.md"


def test_the_page_runs():
    section = PAGE.read_text("utf-8").split("\n## MONAI\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(code, PAGE.name, "exec"), names)
    batch, back = names["batch"], names["back"]
    assert batch["image"].shape == (2, 1, 32, 32, 32)
    assert back["label"].shape == (1, 40, 48, 44)
    assert back["label"].dtype == torch.uint8
