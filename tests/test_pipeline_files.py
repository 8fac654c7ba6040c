"""Pipelines as plain values, JSON, TOML and Python, and back."""

import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest

import volaug
from support import toml
from volaug import (
    CenterCrop,
    Compose,
    LabelPyramid,
    MaskImage,
    Normalize,
    OneOf,
    RandomAffine,
    RandomBiasField,
    RandomBlur,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomCubeSymmetry,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomHistogramShift,
    RandomLowResolution,
    RandomNoise,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    RemapLabels,
)
from volaug.serialization import arguments
from volaug.transforms.registry import TRANSFORMS

SHAPE = (19, 22, 27)

# Each transform, with no argument as it is by default.
NOT_DEFAULT = {
    "RandomFlip": RandomFlip((0, 2), p=0.25, name="a"),
    "RandomCubeSymmetry": RandomCubeSymmetry(False, p=0.25, name="v"),
    "RandomTranslation": RandomTranslation((3, (-1, 2), 5.5), p=0.3, name="b"),
    "RandomRotation": RandomRotation((-10, 20), axis=(1.0, 2, 3), p=1, name="c"),
    "RandomScaling": RandomScaling(
        ((0.5, 1), 0.2, (1, 1)), isotropic=True, distribution="inverse-uniform", p=0, name="d"
    ),
    "RandomShear": RandomShear(0.1 + 0.2, p=0.4, name="e"),
    "RandomAffine": RandomAffine(
        5,
        scale=(0.9, 1.1),
        shear=(0, 0.1, (0, 0.2)),
        translation=1 / 3,
        isotropic=True,
        p=0.9,
        name="f",
    ),
    "RandomElastic": RandomElastic(
        (1, 2.5, 3), num_control_points=(8, 1, 9), locked_borders=2, folding="warn", p=0.6, name="g"
    ),
    "RandomContrast": RandomContrast(
        0.5, preserve_range=False, per_channel=True, mask=4.5, p=0.7, name="h"
    ),
    "RandomBrightness": RandomBrightness(
        0.5, std_shift=(-1, 2), per_channel=True, mask="parts", p=0.7, name="l"
    ),
    "RandomGamma": RandomGamma(
        0.5, p_inverted=0.1, retain_statistics=False, per_channel=True, mask=0, p=0.7, name="m"
    ),
    "RandomBlur": RandomBlur(
        (1, 2, (0, 3)),
        isotropic=True,
        per_channel=True,
        p_channel=0.5,
        truncate=2.0,
        p=0.7,
        name="o",
    ),
    "RandomNoise": RandomNoise(
        (0.1, 0.2), kind="rician", relative=False, per_channel=True, mask=-1, p=0.7, name="n"
    ),
    "RandomCrop": RandomCrop((15, 16, 17), p=0.99, name="i"),
    "CenterCrop": CenterCrop(14, p=0.98, name="j"),
    "OneOf": OneOf([RandomFlip(p=1), CenterCrop((1, 2, 3))], weights=(0, 2.5), p=0.5, name="k"),
    "Compose": Compose([OneOf([Compose([RandomShear()], p=0.5)])], p=0.8, name="ä"),
    "RandomHistogramShift": RandomHistogramShift(
        (-0.1, 0.3), num_control_points=5, per_channel=True, p=0.7, name="p"
    ),
    "RandomLowResolution": RandomLowResolution(
        (0.25, (0.5, 1), 1), isotropic=False, per_channel=True, p_channel=0.5, p=0.7, name="q"
    ),
    "RandomBiasField": RandomBiasField(
        (0.1, 0.6), num_control_points=(4, 6, 5), per_channel=True, p=0.7, name="r"
    ),
    "Normalize": Normalize(
        "window",
        percentiles=(1, 99),
        window=(-100, 300),
        output_range=(-1, 1),
        clip=False,
        mask="parts",
        fill=-1.0,
        p=0.7,
        name="w",
    ),
    "MaskImage": MaskImage("parts", value=-2.5, channels=(0, 1), p=0.7, name="s"),
    "RemapLabels": RemapLabels(-1, new=2**63, p=0.7, name="t"),
    "LabelPyramid": LabelPyramid([1, (0.5, 1 / 3, 1)], p=0.7, name="u"),  # it must be the last
}
PIPELINE = Compose(
    list(NOT_DEFAULT.values()),
    p=0.9,
    name="all of them",
    seed=2**64 - 1,
    targets={"t2": "image", "parts": "label", "seeds": "points", "heads": "boxes"},
    interpolation={"t2": "cubic", "parts": "nearest"},
    mode={"image": "reflect", "parts": "edge-constant"},
    cval={"t2": (0.1, -3), "parts": 7},
    swap={"parts": [(3, 2)], "seeds": [(0, 1)]},
)


def test_no_argument_is_left_at_its_default():
    assert {name: type(step).__name__ for name, step in NOT_DEFAULT.items()} == {
        name: name for name in (*TRANSFORMS, "Compose")
    }
    for transform in (*NOT_DEFAULT.values(), PIPELINE):
        # of the outermost alone; and of targets, see test_chosen_targets.py
        options = ("seed", "targets", "interpolation", "mode", "cval", "swap")
        chosen = ("include", "exclude", "channels")
        for item in arguments(transform):
            if (transform is PIPELINE or item.name not in options) and item.name not in chosen:
                assert getattr(transform, item.name) not in (item.default, {})


ALL = [PIPELINE, *(Compose([transform]) for transform in NOT_DEFAULT.values()), Compose([])]


@pytest.mark.parametrize("pipeline", ALL, ids=repr)
def test_pipelines_come_back_from_plain_values_json_toml_and_repr(pipeline):
    plain = pipeline.to_dict()
    text = toml.dumps(plain)
    back = (
        Compose.from_dict(plain),
        Compose.from_dict(json.loads(json.dumps(plain))),
        Compose.from_toml(text),
        eval(repr(pipeline), vars(volaug)),
        pickle.loads(pickle.dumps(pipeline)),
    )
    for again in back:
        assert again == pipeline
        assert repr(again) == repr(pipeline)
        assert again.to_dict() == plain
    for transform in pipeline.transforms:
        assert eval(repr(transform), vars(volaug)) == transform


def test_a_pipeline_that_came_back_draws_the_same():
    again = Compose.from_dict(json.loads(json.dumps(PIPELINE.to_dict())))
    for index in range(5):
        record = PIPELINE.draw(SHAPE, index=index)
        assert again.draw(SHAPE, index=index) == record


def test_a_pipeline_as_a_person_writes_it():
    text = """
        format = "volaug.pipeline"
        version = 1
        seed = 7
        targets.t2 = "image"
        cval.t2 = [0.5, 1]

        [[transforms]]
        type = "RandomFlip"
        axes = 0

        [[transforms]]
        type = "OneOf"
        weights = [1, 3]

        [[transforms.transforms]]
        type = "RandomElastic"
        max_displacement = [0, 7, 7]
        num_control_points = [1, 7, 7]

        [[transforms.transforms]]
        type = "RandomRotation"
        degrees = [[-180, 180], 0, 0]
    """
    elastic = RandomElastic((0, 7, 7), num_control_points=(1, 7, 7))
    turn = RandomRotation(((-180, 180), 0, 0))
    assert Compose.from_toml(text) == Compose(
        [RandomFlip(0), OneOf([elastic, turn], (1, 3))],
        seed=7,
        targets={"t2": "image"},
        cval={"t2": (0.5, 1)},
    )


def test_what_is_plain_is_apart():
    """What is done to it is not done to the pipeline or the record."""
    steps = [RandomElastic(p=1), RandomAffine(p=1)]
    record = Compose(steps, cval={"image": (1, 2)}).draw(SHAPE, affine=np.diag((1, 2, 3, 1)))
    for thing in (PIPELINE, record):
        plain = thing.to_dict()
        text = json.dumps(plain)

        def spoil(value):
            for inner in list(value.values() if isinstance(value, dict) else value):
                if isinstance(inner, dict | list):
                    spoil(inner)
            value.clear()

        spoil(plain)
        assert json.dumps(thing.to_dict()) == text


def test_pipelines_differ_in_any_argument():
    changes = {
        "p": 0.5, "name": "x", "seed": 0, "targets": {}, "interpolation": {}, "mode": {}, "cval": {}
    }  # fmt: skip
    bare = Compose([RandomFlip()], targets={"t2": "image"})
    full = replace(bare, seed=3, interpolation={"t2": "cubic"}, mode={"t2": "wrap"}, cval={"t2": 1})
    for name, value in changes.items():
        dependent = {"interpolation": {}, "mode": {}, "cval": {}} if name == "targets" else {}
        assert replace(full, **{**dependent, name: value}) != full
    assert Compose([RandomFlip()]) == Compose([RandomFlip()])  # without a seed, too
    assert Compose([RandomFlip(), RandomShear()]) != Compose([RandomShear(), RandomFlip()])
    assert RandomFlip(0) != RandomFlip(1)
    assert RandomShear(0.1) != RandomTranslation(0.1)
    assert repr(RandomFlip()) == "RandomFlip()"
    assert repr(RandomFlip(0, p=1, name="x")) == "RandomFlip(axes=0, p=1.0, name='x')"


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    for name, text in (("a.toml", PIPE_TOML), ("a.json", PIPE_JSON)):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert Compose.from_file(tmp_path / name) == Compose([RandomFlip()], seed=1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_file_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    for name in ("a.toml", "zero.toml"):
        with pytest.raises(ValueError, match="must be a regular file"):
            Compose.from_file(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Compose.from_file(tmp_path / "none.toml")


PIPE_JSON = json.dumps(Compose([RandomFlip()], seed=1).to_dict())
PIPE_TOML = (
    'format = "volaug.pipeline"\nversion = 1\nseed = 1\n[[transforms]]\ntype = "RandomFlip"\n'
)
