"""Steps for labels: files, probabilities and names of all of them."""

import json
import pickle

import numpy as np
import pytest
import scipy.stats

from support.label_steps import SHAPE, some_labels
from support.volumes import random_volume
from volaug import (
    Compose,
    LabelPyramid,
    MaskImage,
    Record,
    RemapLabels,
)
from volaug.serialization import from_plain, to_plain
from volaug.transforms.label_pyramid import Pyramid
from volaug.transforms.mask_image import Mask
from volaug.transforms.registry import OPERATIONS
from volaug.transforms.remap_labels import Remapping

STEPS = {
    "replace": RemapLabels(-1, new=2**53 + 1),
    "mask": MaskImage("label", value=-0.1, channels=(0, 1)),
    "pyramid": LabelPyramid([1, (0.5, 1 / 3, 1), 0.25]),
}


@pytest.mark.parametrize("kind", STEPS)
def test_records_and_pipelines_go_through_json_and_pickle(kind):
    pipeline = Compose([STEPS[kind]], seed=3)
    given = {"image": random_volume((2, *SHAPE)), "label": some_labels(np.int64, least=-1)}
    record = pipeline.draw(SHAPE, index=0)
    expected = record.apply(**given)
    for again in (
        Record.from_json(record.to_json()),
        pickle.loads(pickle.dumps(record)),
        Compose.from_dict(json.loads(json.dumps(pipeline.to_dict()))).draw(SHAPE, index=0),
        pickle.loads(pickle.dumps(pipeline)).draw(SHAPE, index=0),
    ):
        assert again == record
        assert again.steps == record.steps
        found = again.apply(**given)
        np.testing.assert_array_equal(found["image"], expected["image"])
        pairs = found["label"], expected["label"]
        for one, other in zip(*pairs, strict=True) if kind == "pyramid" else [pairs]:
            np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize(
    "operation",
    [
        Remapping(np.int64(3), np.uint8(1)),
        Mask("label", 1, channels=np.array([0, 2])),
        Pyramid(np.array([1, 0.5])),
        Pyramid([[0.5, 1, 1]]),
    ],
)
def test_numbers_of_numpy_become_plain(operation):
    plain = json.loads(json.dumps(to_plain(operation)))
    assert from_plain(plain, OPERATIONS, "an operation") == operation


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_happens_as_often_as_it_says(kind):
    given = {"image": random_volume((2, *SHAPE)), "label": some_labels(np.int64, least=-1)}
    step = STEPS[kind]
    never = type(step)(**{**arguments_of(step), "p": 0})
    sample = Compose([never], seed=0)(**given, index=0)
    assert sample.record.steps == ()
    for name, volume in given.items():
        np.testing.assert_array_equal(sample[name], volume, strict=True)
    often = Compose([type(step)(**{**arguments_of(step), "p": 0.3})], seed=0)
    times = sum(len(often.draw(SHAPE, index=index).steps) for index in range(1000))
    assert scipy.stats.binomtest(times, 1000, 0.3).pvalue > 1e-4
    assert all(Compose([step], seed=0).draw(SHAPE, index=index).steps for index in range(20))


def arguments_of(step):
    return {name: value for name, value in to_plain(step).items() if name != "type"}
