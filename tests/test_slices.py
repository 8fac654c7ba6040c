"""Spatial steps within a plane leave slices apart, and a single slice stays in its plane."""

import numpy as np
import pytest

from support.volumes import drawn, fixed, random_volume
from volaug import (
    RandomAffine,
    RandomElastic,
    RandomFlip,
    RandomRotation,
    RandomScaling,
    RandomShear,
)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("spacing", [None, (4.9, 0.49, 0.7)])
def test_turns_in_the_plane_leave_slices_apart(axis, spacing):
    """nnU-Net's dummy 2D: a slice depends on no other one, be it NaN."""
    shape = (9, 11, 10)
    degrees, shear = np.zeros(3), np.zeros(3)
    degrees[axis], shear[2 - axis] = 180, 0.1
    displacement, lattice = np.full(3, 2.0), np.full(3, 5)
    displacement[axis], lattice[axis] = 0, 1
    in_plane = [
        RandomRotation(tuple(degrees), p=1),
        RandomShear(tuple(shear), p=1),
        RandomScaling(fixed(*np.where(degrees, 1.0, 1.2).tolist()), p=1),
        RandomFlip([other for other in range(3) if other != axis], p=0.5),
        RandomElastic(tuple(displacement), num_control_points=tuple(lattice), p=1),
    ]
    volume = random_volume(shape)
    for steps in (in_plane[:1], in_plane[:4], in_plane):
        for index in range(3):
            record = drawn(steps, shape, index, spacing=spacing)
            expected = record.apply(image=volume, label=volume)
            assert not np.array_equal(expected["image"], volume)
            for place in (0, 4, shape[axis] - 1):
                alone = np.full(shape, np.nan, np.float32)
                part = (slice(None),) * axis + (place,)
                alone[part] = volume[part]
                result = record.apply(image=alone, label=alone)
                for name in ("image", "label"):
                    np.testing.assert_array_equal(result[name][part], expected[name][part])


@pytest.mark.parametrize("axis", range(3))
def test_a_slice_stays_in_its_plane(axis):
    """As in a stack of the same slice, of which nothing leaves the plane."""
    shape = tuple(1 if a == axis else n for a, n in enumerate((21, 24, 27)))
    image = random_volume(shape) + 3
    thick = np.repeat(image, 9, axis)
    numbers = {"degrees": (8, -9, 7), "scale": (1.1, 0.9, 1.2), "shear": (0.1, 0.2, -0.3)}
    numbers["translation"] = (1.3, -2.1, 0.7)
    steps = [RandomAffine(**{name: fixed(*n) for name, n in numbers.items()}, p=1)]
    single = drawn(steps, shape, spacing=(0.8, 1.1, 2.0)).apply(image=image)["image"]
    assert (single != 0).mean() > 0.6

    planes, pairs = ((1, 2), (0, 2), (0, 1)), ((0, 1), (0, 2), (1, 2))
    within = {
        "degrees": [d * (axis not in p) for d, p in zip(numbers["degrees"], planes, strict=True)],
        "scale": [1 if a == axis else s for a, s in enumerate(numbers["scale"])],
        "shear": [h * (axis not in p) for h, p in zip(numbers["shear"], pairs, strict=True)],
        "translation": [t * (a != axis) for a, t in enumerate(numbers["translation"])],
    }
    steps = [RandomAffine(**{name: fixed(*n) for name, n in within.items()}, p=1)]
    stack = drawn(steps, thick.shape, spacing=(0.8, 1.1, 2.0)).apply(image=thick)["image"]
    np.testing.assert_allclose(single, stack.take([4], axis), atol=1e-5)


def test_a_slice_is_bent_within_its_plane():
    image = random_volume((1, 40, 44)) + 3
    record = drawn([RandomElastic(3.0, p=1)], image.shape)
    assert (record.warp.control_points[0] == 0).all()
    drawn_points = record.steps[0][1].control_points
    np.testing.assert_array_equal(record.warp.control_points[1:], drawn_points[1:])  # no less
    assert (record.apply(image=image)["image"] != 0).mean() > 0.8
