"""A stream refuses wrong arguments and cases."""

import numpy as np
import pytest

from support.streams import CASES, stream
from volaug import Compose, LabelPyramid, OneOf, RandomAffine, RandomFlip
from volaug.data.cases import CaseError


@pytest.mark.parametrize("wrong", [None, 3, {"image": 1}, "cases", iter([])])
def test_cases_that_are_no_list_are_refused(wrong):
    with pytest.raises(TypeError, match="cases must be a list"):
        stream(wrong)


def test_what_is_called_after_a_batch_must_be_callable():
    with pytest.raises(TypeError, match="on_batch must be a function"):
        stream(on_batch=1)


def test_cases_must_be_alike():
    other = {**CASES[1], "image": CASES[1]["image"].astype(np.float64)}
    with pytest.raises(CaseError, match=r"case 1 .* as case 0"):
        list(stream([CASES[0], other], epochs=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": []}, "cases must be one or more"),
        ({"cases": [3]}, "a case must be a mapping"),
        ({"cases": [{"picture": 3}]}, "unknown target of a case 'picture'"),
        ({"cases": [{}]}, "an image or a label is needed"),
        ({"pipeline": [RandomAffine()]}, "pipeline must be a Compose, got list"),
        ({"patch_shape": (3, 4)}, "patch_shape must be three lengths"),
        ({"patch_shape": 2.5}, "patch_shape must be three whole numbers"),
        ({"batch_size": 0}, "batch_size must be from 1"),
        ({"seed": -1}, "seed must be from 0"),
        ({"threads": 0}, "threads must be a whole number of at least 1"),
        ({"prefetch": 0}, "prefetch must be from 1"),
        ({"foreground": 1.5}, "foreground must be from 0 to 1"),
        ({"samples_per_case": 0}, "samples_per_case must be from 1"),
        ({"epochs": 0}, "epochs must be from 1"),
        ({"first_batch": -1}, "first_batch must be from 0"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        stream(**options)


def test_epochs_that_make_no_batch_are_refused():
    with pytest.raises(ValueError, match=r"one batch at least, got 3 samples in 1 epochs .* of 4"):
        stream(epochs=1, batch_size=4)


def test_a_pyramid_happens_for_each_sample():
    pyramid, flip = LabelPyramid([1, 0.5]), RandomFlip()
    for steps in (
        [OneOf([flip, pyramid])], [Compose([pyramid], p=0.5)], [LabelPyramid([1, 0.5], p=0.5)],
    ):  # fmt: skip
        with pytest.raises(ValueError, match="a LabelPyramid of a Stream must happen for each"):
            stream(pipeline=Compose(steps))
    for steps in ([pyramid], [flip, Compose([pyramid])], [OneOf([LabelPyramid([1, 0.5], p=0.1)])]):
        with stream(pipeline=Compose(steps)) as made:
            assert isinstance(next(made)["label"], list)
