"""Which steps of a pipeline happen, and what those before them leave."""

import numpy as np
import pytest

from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomScaling,
    RandomShear,
)

SHAPE = (9, 10, 19)


def names_drawn(pipeline, count=200):
    """The names of the steps that are drawn for each of many keys."""
    return [[name for name, _ in pipeline.draw(SHAPE, index=index).steps] for index in range(count)]


def test_p_of_0_never_and_p_of_1_always_happens():
    never, always = RandomShear(p=0), RandomAffine(p=1)
    for drawn in names_drawn(Compose([never, always, Compose([never, always], p=1)], seed=1)):
        assert drawn == ["RandomAffine", "RandomAffine 2"]
    for drawn in names_drawn(Compose([always, OneOf([always], p=0), Compose([always], p=0)])):
        assert drawn == ["RandomAffine"]
    assert names_drawn(Compose([always], p=0), 1) == [[]]
    flips = Compose([RandomFlip(1, p=1), RandomFlip((0, 2), p=0), RandomFlip(p=1)], seed=1)
    assert [flip.axes for _, flip in flips.draw(SHAPE, index=0).steps] == [(1,), (0, 1, 2)]


def test_one_of_takes_one_without_asking_it():
    shear, scale = RandomShear(p=0), RandomScaling(p=0)
    for weights, shares in ((None, (0.5, 0.5)), ((3, 1), (0.75, 0.25)), ((0, 1e-9), (0, 1))):
        drawn = names_drawn(Compose([OneOf([shear, scale], weights)], seed=1))
        assert {tuple(names) for names in drawn} <= {("RandomShear",), ("RandomScaling",)}
        assert sum(names == ["RandomShear"] for names in drawn) == pytest.approx(
            200 * shares[0], abs=25 if shares[0] else 0
        )
    taken = names_drawn(Compose([OneOf([shear], p=0.3)], seed=1))
    assert sum(map(len, taken)) == pytest.approx(60, abs=25)


def test_groups_in_groups():
    """What a group picked is not asked, but a flip for each axis and what a `Compose` has are."""
    both = Compose([RandomShear(p=1), RandomContrast(p=0), RandomScaling(p=1)], p=0)
    one = OneOf([both, OneOf([RandomFlip(p=0), RandomAffine(p=0)], p=0)], weights=(1, 2))
    found = {tuple(names) for names in names_drawn(Compose([RandomCrop(5), one], seed=1))}
    crop = "RandomCrop"
    assert found == {
        (crop, "RandomShear", "RandomScaling"), (crop,), (crop, "RandomAffine"),
    }  # fmt: skip


def test_a_step_sees_the_grid_that_those_before_it_left():
    """A crop of a crop, and a flip after them."""
    pipeline = Compose([CenterCrop((7, 8, 9)), RandomCrop((3, 8, 11)), RandomFlip(p=1)], seed=1)
    starts = set()
    for index in range(30):
        record = pipeline.draw(SHAPE, index=index)
        (_, first), (_, second), _ = record.steps
        assert first.start == (1, 1, 5)
        assert second.start[1:] == (0, -1)
        starts.add(second.start[0])
        ramp = np.indices(SHAPE)[0] + 1
        rows = pipeline(image=ramp, index=index)["image"][:, 0, 5]
        assert rows.tolist() == [second.start[0] + 4, second.start[0] + 3, second.start[0] + 2]
    assert starts == set(range(5))
