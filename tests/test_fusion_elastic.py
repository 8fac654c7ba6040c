"""Displacements of several elastic steps add up to one, or are refused with advice."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.interpolate

from support.volumes import drawn, fixed
from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomRotation,
    RandomScaling,
    RandomShear,
    Record,
)

SPACING = np.array((0.8, 1.1, 3.0))
SHAPE = (31, 40, 22)


def scipy_displacement(control_points, shape, places):
    """Of tensor products of scipy's B-splines at places (n, 3)."""
    values = []
    for x, n, k in zip(places.T, shape, control_points.shape[1:], strict=True):
        knots = (np.arange(k + 4) - 3) * (n - 1) / (k - 3)
        values.append(scipy.interpolate.BSpline(knots, np.eye(k), 3)(x))
    return np.einsum("cijk,ni,nj,nk->nc", control_points, *values)


@pytest.mark.parametrize(
    "lattices",
    [
        [(5, 5, 5), (7, 7, 7), (9, 9, 9)],
        [(4, 5, 6), (7, 4, 9)],
        [(6, 6, 6), (6, 6, 6)],
        [(1, 7, 4), (5, 1, 67)],
    ],
)
def test_displacements_add_up_exactly(lattices):
    """At any place they are the sum of the fields that were drawn, each on its own lattice."""
    shape = (70, 66, 68)
    steps = [
        RandomElastic((2.0, 3.0, 4.0), num_control_points=k, folding="allow", p=1) for k in lattices
    ]
    record = drawn(steps, shape, spacing=SPACING)
    places = np.random.default_rng(0).uniform(0, 1, (500, 3)) * np.subtract(shape, 1)
    expected = np.zeros((500, 3))
    for (_, operation), step in zip(record.steps, steps, strict=True):
        points = operation.control_points
        assert points.shape[1:] == tuple(4 if k == 1 else k for k in step.num_control_points)
        expected += scipy_displacement(points / SPACING[:, None, None, None], shape, places)
    result = record.warp.points_to_input(places) - places
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(result, expected, atol=1e-11)
    many = np.lcm.reduce([[max(k, 4) - 3 for k in lattice] for lattice in lattices])
    assert record.warp.control_points.shape[1:] == tuple(many + 3)


def test_a_displacement_acts_in_the_output_wherever_it_is_listed():
    bend, turn, crop = RandomElastic(p=1), RandomRotation(fixed(10, 20, 30), p=1), CenterCrop(20)
    first, last = drawn([bend, turn, crop], SHAPE).warp, drawn([turn, crop, bend], SHAPE).warp
    assert first == last
    straight = drawn([turn, crop], SHAPE).warp
    places = np.random.default_rng(0).uniform(0, 19, (50, 3))
    moved = places + scipy_displacement(first.control_points, (20, 20, 20), places)
    np.testing.assert_allclose(
        first.points_to_input(places), straight.points_to_input(moved), atol=1e-11
    )
    assert np.abs(moved - places).max() > 0.5


A, B = (
    RandomElastic(1.0, num_control_points=7, p=0.5),
    RandomElastic(1.0, num_control_points=20, p=0.5),
)  # 4 and 17 spans: 68
SHARP = RandomContrast(p=1)
NO_LATTICE = "the elastic steps of one warp must have a common lattice of at most 67 control points"


@pytest.mark.parametrize(
    "transforms",
    [
        [A, B],
        [B, A],
        [
            RandomElastic(1.0, num_control_points=(7, 1, 1), p=0.1),
            RandomFlip(),
            RandomElastic(1.0, num_control_points=(20, 4, 4), p=1),
        ],
        [A, RandomContrast(p=0.99), B],
        [A, OneOf([SHARP, RandomFlip()]), B],
        [A, OneOf([SHARP, RandomCrop(5)], p=1), B],
        [OneOf([A, SHARP]), Compose([RandomFlip(), Compose([B])], p=0.1)],
        [
            RandomElastic(1.0, num_control_points=k, p=0.5) for k in (7, 8, 10)
        ],  # 4, 5 and 7 spans: 140
    ],
)
def test_steps_that_may_have_no_common_lattice_are_refused(transforms):
    """When the pipeline is made, however rarely they happen together."""
    with pytest.raises(ValueError, match=NO_LATTICE):
        Compose(transforms)


def test_what_to_choose_for_a_common_lattice():
    with pytest.raises(ValueError, match=r"20 of one are drawn with 7 of others: .* 19 or 21 in"):
        Compose([A, B])
    for near in (19, 21):
        Compose([A, RandomElastic(1.0, num_control_points=near, p=0.5)])


@pytest.mark.parametrize(
    "transforms",
    [
        [A, SHARP, B],
        [OneOf([A, B])],
        [OneOf([A, B]), SHARP, OneOf([B, A])],
        [A, OneOf([SHARP, RandomGamma()]), B],  # what is picked is taken for certain
        [A, RandomElastic(1.0, num_control_points=20, p=0)],
        [A, OneOf([B, RandomFlip()], weights=[0, 1])],
        [A, Compose([B], p=0)],
        [
            RandomElastic(1.0, num_control_points=20, p=1),
            RandomElastic(1.0, num_control_points=(37, 20, 20), p=1),
        ],
    ],
)
def test_steps_that_never_share_a_warp_need_no_common_lattice(transforms):
    pipeline = Compose(transforms, seed=0)
    for index in range(20):
        pipeline.draw((90, 90, 90), index=index)


def test_a_record_with_lattices_that_have_no_common_one_is_refused():
    """It comes from a file, and not from a pipeline."""
    steps = [
        drawn([RandomElastic(1.0, num_control_points=k, p=1)], (90, 90, 90)).to_dict()
        for k in (7, 20)
    ]
    steps[0]["steps"] += steps[1]["steps"]
    with pytest.raises(ValueError, match=r"common lattice .* got \(7, 7, 7\), \(20, 20, 20\)"):
        Record.from_dict(steps[0])


def test_steps_whose_warp_could_not_be_undone_are_refused():
    wild = RandomAffine(scale=(0.1, 10), shear=10, p=0.1)
    Compose([wild, SHARP, wild])
    Compose([OneOf([wild, wild])])
    Compose([RandomScaling((0.1, 10), isotropic=True)] * 1)
    Compose([RandomAffine() for _ in range(15)])  # mild ones
    message = "the steps of one warp could stretch and shear an image .* choose narrower ranges"
    for steps in ([wild, wild], [RandomShear(10)] * 2, [RandomScaling((0.1, 10))] * 4):
        with pytest.raises(ValueError, match=message):
            Compose(steps)


def test_a_displacement_that_was_made_smaller_is_said_once_and_in_the_record():
    pipeline = Compose([RandomElastic(60.0, p=1), SHARP, RandomElastic(0.1, p=1)], seed=0)
    with pytest.warns(UserWarning, match="RandomElastic.*: displacements would fold and were") as w:
        record = pipeline.draw((90, 90, 90), index=0)
    assert len(w) == 1
    (_, elastic), *_ = record.steps
    strong, mild = record.elastic_factors
    assert strong < 0.5
    assert mild == 1.0
    expected = strong * elastic.control_points
    np.testing.assert_array_equal(record.warps[0].control_points, expected)
    assert Record.from_json(record.to_json()).elastic_factors == (strong, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline.draw((90, 90, 90), index=1)
        pickle.loads(pickle.dumps(pipeline)).draw((90, 90, 90), index=2)
        Compose([RandomElastic(60.0, folding="allow", p=1)], seed=0).draw((90, 90, 90), index=0)


@pytest.mark.parametrize(
    ("shape", "lattice"), [((4, 30, 31), 7), ((5, 64, 60), (1, 20, 24)), ((1, 64, 60), 9)]
)
def test_a_lattice_may_be_finer_than_the_voxels(shape, lattice):
    """As on few slices that are far apart."""
    record = drawn(
        [RandomElastic((0.0, 2.0, 2.0), num_control_points=lattice, folding="allow", p=1)], shape
    )
    points = record.steps[0][1].control_points
    places = np.random.default_rng(0).uniform(0, 1, (50, 3)) * np.subtract(shape, 1)
    places[:, 0] = np.round(places[:, 0])
    moved = record.warp.points_to_input(places) - places
    if shape[0] > 1:
        np.testing.assert_allclose(moved, scipy_displacement(points, shape, places), atol=1e-12)
    assert np.abs(moved).max() > 0.5
