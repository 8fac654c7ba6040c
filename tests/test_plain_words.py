"""Pipelines and records are said in words that name each number once."""

import numpy as np
import pytest

import volaug
from volaug import Compose, presets
from volaug.pipeline.drawn_words import number, numbers, words_of_record
from volaug.pipeline.step_words import words_of_steps
from volaug.transforms.registry import OPERATIONS, TRANSFORMS

STEPS = {
    "RandomTranslation": (volaug.RandomTranslation((2, 5)), "moves by 2 to 5 mm for each axis"),
    "RandomRotation": (volaug.RandomRotation((0, 0, 30)), "rotates by −30 to 30° for axis 2"),
    "RandomScaling": (volaug.RandomScaling(0.25), "scales × 0.8 to 1.25 for each axis"),
    "RandomShear": (volaug.RandomShear(0.1), "shears by −0.1 to 0.1 for each axis"),
    "RandomAffine": (
        volaug.RandomAffine(10, isotropic=True),
        "scales × 0.85 to 1.2 for each axis, one draw for all; shears by −0.02 to 0.02 for each "
        "axis; rotates by −10 to 10° for each axis; moves by −10 to 10 mm for each axis",
    ),
    "RandomFlip": (volaug.RandomFlip(("LR", "SI")), "mirrors axes LR, SI"),
    "RandomCubeSymmetry": (
        volaug.RandomCubeSymmetry(reflections=False),
        "rotates by quarter turns, where the axes are equally long",
    ),
    "RandomElastic": (
        volaug.RandomElastic(5),
        "bends by up to 5 mm with 7 × 7 × 7 control points, without folds",
    ),
    "RandomCrop": (volaug.RandomCrop(8), "crops 8 × 8 × 8 voxels anywhere"),
    "CenterCrop": (volaug.CenterCrop((8, 9, 7)), "crops 8 × 9 × 7 voxels from the middle"),
    "RandomContrast": (
        volaug.RandomContrast(mask=0.0),
        "differences from the mean × 0.75 to 1.25 (over 0)",
    ),
    "RandomBrightness": (
        volaug.RandomBrightness(std_shift=0.5, include=["image"]),
        "values × 0.75 to 1.25, and −0.5 to 0.5 standard deviations added (only image)",
    ),
    "RandomGamma": (volaug.RandomGamma(), "power 0.7 to 1.5, of the inverted image in 25 %"),
    "RandomHistogramShift": (
        volaug.RandomHistogramShift(),
        "a random tone curve of 6 points, shifted by −0.4 to 0.4 spacings",
    ),
    "RandomNoise": (
        volaug.RandomNoise(kind="rician", channels=1),
        "Rician noise of 0 to 0.1 standard deviations (channels 1)",
    ),
    "RandomBlur": (
        volaug.RandomBlur(per_channel=True),
        "Gaussian with a sigma of 0.5 to 1 mm for each axis (each channel by itself)",
    ),
    "RandomLowResolution": (
        volaug.RandomLowResolution(),
        "resolution × 0.5 to 1 for each axis, one draw for all",
    ),
    "RandomBiasField": (
        volaug.RandomBiasField(),
        "a smooth factor of at most 1 to 1.8, 4 × 4 × 4 control points",
    ),
    "Normalize": (
        volaug.Normalize("window", window=(-100, 300), exclude=["pet"]),
        "values −100, 300 become 0 and 1 (not pet)",
    ),
    "RemapLabels": (volaug.RemapLabels(-1, new=0), "label −1 becomes 0"),
    "MaskImage": (volaug.MaskImage(), "the image becomes 0 where label is below 0"),
    "LabelPyramid": (volaug.LabelPyramid([1, (1, 0.5, 0.5)]), "1, 1 × 0.5 × 0.5"),
    "OneOf": (volaug.OneOf([volaug.RandomBlur()], weights=[2]), "one of, with the weights 2"),
}


def test_each_step_has_words():
    assert {*STEPS} == {*TRANSFORMS}


@pytest.mark.parametrize("name", STEPS)
def test_words_of_a_step(name):
    step, words = STEPS[name]
    line = next(words_of_steps([step]))
    assert line.split("  ")[-1].startswith(f"{name}: ")
    assert line.endswith(words)
    assert repr(step) not in line


def test_probabilities_and_groups():
    pipeline = Compose([volaug.RandomFlip(0), Compose([volaug.RandomBlur(p=0.3)], p=0.5, name="b")])
    flip, group, blur = words_of_steps(pipeline.transforms)
    assert flip == " 50 % each axis  RandomFlip: mirrors axis 0"
    assert group == "           50 %  b: all of"
    assert blur.startswith("           30 %    RandomBlur: ")


@pytest.mark.filterwarnings("ignore:.*would fold")
def test_each_operation_of_a_preset_has_words():
    pipelines = [presets.strong_mri(swap=set(), seed=1), presets.nnunet_elastic(12, seed=1)]
    seen = set()
    for pipeline in pipelines:
        for index in range(60):
            record = pipeline.draw((20, 20, 20), affine=np.eye(4), channels=2, index=index)
            lines = words_of_record(record)
            for (name, operation), line in zip(record.steps, lines, strict=False):
                seen.add(type(operation).__name__)
                assert line.startswith(f"{name}: ")
                assert type(operation).__name__ + "(" not in line
    others = {"Mask", "OwnChange", "OwnWarp", "Pyramid", "RangeMapping", "ZScores", "CubeSymmetry"}
    assert seen == {*OPERATIONS} - others


def test_sides_of_the_body():
    moves = [
        volaug.RandomTranslation(((3, 3), (-4, -4), (5, 5)), p=1.0),
        volaug.RandomRotation(((0, 0), (10, 10), (0, 0)), p=1.0),
        volaug.RandomFlip("AP", p=1.0),
    ]
    pipeline = Compose(moves, seed=1)
    affine = np.array([[0, -1.0, 0, 0], [2, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])  # A, L, I
    shift, turn, flip = words_of_record(pipeline.draw((9, 9, 9), affine=affine, index=0))
    assert shift == "RandomTranslation: moved by 3.0 mm to A, 4.0 mm to R, 5.0 mm to I"
    assert turn == "RandomRotation: rotated by 10.0° about axis 1"
    assert flip == "RandomFlip: front and back mirrored"
    shift, *_ = words_of_record(
        Compose(moves[:2], seed=1).draw((9, 9, 9), spacing=(1, 1, 1), index=0)
    )
    assert shift == "RandomTranslation: moved by 3.0, −4.0, 5.0 mm"
    assert words_of_record(Compose([], seed=1).draw((9, 9, 9), index=0)) == ["nothing was drawn"]
    crop = Compose([volaug.CenterCrop(5)], seed=1).draw((9, 9, 9), index=0)
    assert words_of_record(crop) == ["CenterCrop: 5 × 5 × 5 voxels from voxel 2, 2, 2 on"]


def test_a_displacement_that_was_shrunk_is_said():
    step = volaug.RandomElastic(30, num_control_points=9, p=1.0)
    with pytest.warns(UserWarning, match="would fold"):
        record = Compose([step], seed=1).draw((20, 20, 20), index=0)
    bent, shrunk = words_of_record(record)
    assert bent.startswith("RandomElastic: bent by up to ")
    assert shrunk.startswith("displacements shrunk to ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.001, "0.00"),
        (-0.0, "0.00"),
        (-0.126, "−0.13"),
        ((-0.001, 0.5, -2.0), "0.00, 0.50, −2.00"),
    ],
)
def test_zero_has_no_minus(value, text):
    assert numbers(value) == text


def test_a_short_zero_has_no_minus():
    assert [number(value) for value in (-0.0, 0.0, -0.5)] == ["0", "0", "−0.5"]
