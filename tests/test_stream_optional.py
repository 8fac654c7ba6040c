"""Images and labels that some cases lack."""

import numpy as np
import pytest

from support.streams import CASES, batches, same, stream
from support.volumes import random_volume
from volaug import CaseError, Compose, Normalize, RandomNoise, presets

LACKING = [{"image": CASES[0]["image"]}, *CASES[1:]]


@pytest.mark.parametrize("cases", [LACKING, LACKING[::-1]])
@pytest.mark.parametrize("cache_bytes", [0, 2**30])
def test_a_mask_says_which_samples_have_it(cases, cache_bytes):
    lacking = next(number for number, case in enumerate(cases) if "label" not in case)
    seen = set()
    for batch in batches(6, cases=cases, optional=["label"], cache_bytes=cache_bytes):
        wanted = [record.key.index != lacking for record in batch["record"]]
        assert batch["label_present"].dtype == bool
        assert batch["label_present"].tolist() == wanted
        assert batch["label"].dtype == np.int16
        assert not batch["label"][~batch["label_present"]].any()
        seen |= set(wanted)
    assert seen == {True, False}


def test_the_samples_that_have_it_are_the_same():
    options = {"foreground": 0.0}
    for one, other in zip(
        batches(6, cases=LACKING, optional=["label"], **options), batches(6, **options), strict=True
    ):
        present = one["label_present"]
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["label"][present], other["label"][present])


def test_a_case_without_it_has_patches_from_anywhere():
    """The foreground asked for is that of the cases that have one."""
    options = {"pipeline": Compose([]), "optional": ["label"], "foreground": 1.0}
    (batch,) = batches(1, cases=LACKING[:1] + CASES[1:2], **options)
    has = batch["label_present"]
    assert batch["label"][has].any()


def test_where_all_have_it_only_the_mask_is_new():
    for one, other in zip(batches(3, optional=["label"]), batches(3), strict=True):
        assert one.pop("label_present").all()
        same(one, other)


def test_levels_of_a_pyramid():
    pipeline = presets.nnunet((24, 28, 20), deep_supervision=[1, 0.5])
    for batch in batches(3, cases=LACKING, pipeline=pipeline, optional=["label"]):
        for level in batch["label"]:
            assert not level[~batch["label_present"]].any()


def test_an_image_that_some_lack():
    """It is 0, whatever the pipeline would add to it."""
    cases = [{**case, "t2": random_volume((2, *case["image"].shape))} for case in CASES]
    del cases[1]["t2"]
    steps = [Normalize(), RandomNoise(1.0, p=1.0)]
    pipeline = Compose(steps, targets={"t2": "image"})
    for batch in batches(4, cases=cases, pipeline=pipeline, optional=["t2", "label"]):
        assert batch["label_present"].all()
        for place, is_there in enumerate(batch["t2_present"]):
            assert batch["t2"][place].shape[0] == 2
            assert bool(batch["t2"][place].any()) == is_there


def test_without_it_such_a_case_is_an_error():
    with pytest.raises(CaseError, match="it must have image, as case 0 has, got image, label"):
        batches(4, cases=LACKING)


@pytest.mark.parametrize(
    ("optional", "error", "message"),
    [
        ("label", TypeError, "optional must be a list of names of images and labels, got 'label'"),
        (3, TypeError, "optional must be a list of names"),
        (["lable"], ValueError, "optional"),
        (["points"], ValueError, "optional"),
    ],
)
def test_names_that_are_wrong(optional, error, message):
    with pytest.raises(error, match=message):
        stream(optional=optional)


def test_one_case_must_have_it():
    with pytest.raises(ValueError, match="'label' is optional, but one case must have it"):
        stream(cases=LACKING[:1], optional=["label"])


def test_a_mask_that_is_a_target_already():
    pipeline = Compose([], targets={"label_present": "label"})
    with pytest.raises(ValueError, match="'label_present' is a target as well"):
        stream(pipeline=pipeline, optional=["label"])
