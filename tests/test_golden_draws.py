"""What each step draws for a key stays the same for good."""

import json
from pathlib import Path

import numpy as np

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
from volaug.transforms.registry import OPERATIONS, TRANSFORMS

SHAPE = (21, 34, 27)

GOLDEN = Path(__file__).parent / "golden" / "draws.json"
GOLDEN_KEYS = [
    (0, 0, 0),
    (7, 3, 17),
    (7, 17, 3),
    (2**64 - 1, 1, 2**53 + 1),
    (9**9, 0, 28),
    (9**9, 0, 46),
]
EVERYTHING = (
    RandomFlip(),
    RandomAffine(p=0.9),
    RandomAffine(scale=((0.5, 2), 0.25, (1, 3)), shear=(0.1, (0, 0.2), 0), isotropic=True, p=1),
    OneOf(
        [
            RandomTranslation((3, 9, (-1, 4)), name="a move"),
            Compose([RandomShear(0.3, p=0.8), RandomScaling(isotropic=True, p=1)], p=0),
            RandomFlip((0, 2), p=0.3),
        ],
        weights=(1, 2, 1.5),
        p=0.9,
    ),
    RandomElastic((3, 4, 5), num_control_points=(4, 5, 4), p=0.8),
    RandomContrast(p=0.7),
    Compose([RandomRotation((5, 180, (-20, -10)), p=1), RandomScaling(0.4, p=1)], p=0.8),
    RandomCrop((13, 20, 40), p=0.9),
    CenterCrop(12, p=0.5),
    RandomElastic(2.0, num_control_points=(5, 1, 5), locked_borders=2, folding="allow", p=0.9),
    RandomContrast((1.5, 3), preserve_range=False, p=1),
    RandomBrightness(std_shift=(-0.3, 0.2), per_channel=True, p=0.9),
    RandomGamma(p_inverted=0.5, p=0.9),
    RandomNoise(kind="rician", p=0.9),
    RandomBlur(per_channel=True, p_channel=0.7, p=0.9),
    RandomHistogramShift((-0.2, 0.5), p=0.9),
    RandomLowResolution(((0.5, 1), 0.25, (1, 1)), isotropic=False, p=0.9),
    RandomBiasField((0.1, 0.5), num_control_points=(4, 5, 4), per_channel=True, p=0.7),
    RandomScaling((0.7, 1.4), distribution="inverse-uniform", p=0.9),
    RandomCubeSymmetry(p=0.5),
    RandomRotation("uniform", p=0.5),
    RandomRotation((10, 30), axis="random", p=0.5),
    RandomRotation(20, axis=(1, 2, 3), p=0.5),
    Normalize("percentiles", output_range=(0, 255), mask="label", p=0.5),
    Normalize(mask=0.5, fill=0.0, p=0.5),
    MaskImage(value=-1.5, channels=(0, 2), p=0.5),
    RemapLabels(-1, new=0, p=0.5),
    LabelPyramid([1, (0.5, 1, 1 / 3)], p=0.5),  # it must be the last
)


def golden_draws():
    """What the steps of everything draw for each key."""
    draws = []
    for seed, epoch, index in GOLDEN_KEYS:
        record = Compose(EVERYTHING, seed=seed).draw(SHAPE, epoch=epoch, index=index).to_dict()
        draws.append({"key": record["key"], "steps": record["steps"]})
    return draws


def write_golden_draws():
    """By hand, for a new transform, as `python tests/test_golden_draws.py`; the rest must stay."""
    lines = ",\n".join(map(json.dumps, golden_draws()))
    GOLDEN.write_text(f"[\n{lines}\n]\n")


# What is drawn by a power or a logarithm.
ROUNDED = {"BiasField": "control_points", "LowResolution": "resolution"}


def test_draws_are_those_of_the_golden_file():
    """To the bit, but where a power or a logarithm was taken: libraries differ in its last one."""
    expected, found = json.loads(GOLDEN.read_text()), golden_draws()
    assert [draw["key"] for draw in found] == [draw["key"] for draw in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for step, golden in zip(ours["steps"], theirs["steps"], strict=True):
            name = ROUNDED.get(golden["type"], "scale")
            rounded = step.pop(name, ()), golden.pop(name, ())
            np.testing.assert_allclose(*map(np.array, rounded), rtol=1e-15, strict=True)
            assert step == golden


def test_the_golden_file_has_everything():
    def kinds(transforms):
        for transform in transforms:
            yield type(transform).__name__
            yield from kinds(getattr(transform, "transforms", ()))

    assert set(kinds(EVERYTHING)) == {*TRANSFORMS, "Compose"}
    steps = [step for draw in json.loads(GOLDEN.read_text()) for step in draw["steps"]]
    own = {"OwnChange", "OwnWarp"}  # of users
    assert {step["type"] for step in steps} == set(OPERATIONS) - own
    assert len({step["name"] for step in steps}) == 32  # of all but the groups


if __name__ == "__main__":
    write_golden_draws()
