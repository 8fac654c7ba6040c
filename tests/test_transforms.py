"""What each transform draws over many keys."""

import itertools
import json

import nibabel
import numpy as np
import pytest
import scipy.stats
from scipy.spatial.transform import Rotation

from support import toml
from support.volumes import drawn, fixed, random_volume
from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    Record,
    Stream,
)
from volaug.warping.geometry.anatomy import closest_axes

SHAPE, MANY = (20, 24, 28), 2000

# Of draws that are as they should be, so many fall below: never by chance, as keys are fixed.
UNLIKELY = 1e-4


def operations(transform, shape=SHAPE, count=MANY):
    """What the first step of many draws is, if there is one."""
    pipeline = Compose([transform], seed=11)
    steps = (pipeline.draw(shape, index=index).steps for index in range(count))
    return [step[0][1] for step in steps if step]


def is_even(values, low, high):
    """Whether they are drawn evenly between two limits, and come near to both."""
    return scipy.stats.kstest(values, "uniform", (low, high - low)).pvalue > UNLIKELY and (
        low <= np.min(values) < low + 0.01 * (high - low)
        and high - 0.01 * (high - low) < np.max(values) <= high
    )


def is_likely(times, p, count=MANY):
    """Whether something that happens with probability `p` may happen so many times."""
    return scipy.stats.binomtest(int(times), count, p).pvalue > UNLIKELY


STEPS = [
    (RandomTranslation, "translation", "translation"),
    (RandomRotation, "degrees", "degrees"),
    (RandomShear, "shear", "shear"),
    (RandomAffine, "translation", "translation"),
    (RandomAffine, "degrees", "degrees"),
    (RandomAffine, "shear", "shear"),
]


@pytest.mark.parametrize(("kind", "argument", "drawn_as"), STEPS)
@pytest.mark.parametrize(
    ("given", "limits"),
    [
        (3, [(-3, 3)] * 3),
        ((1, 4), [(1, 4)] * 3),
        ((-4.0, -1.0), [(-4, -1)] * 3),
        ((2.0, (-1, 5), 3), [(-2, 2), (-1, 5), (-3, 3)]),
        (np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.0]]), [(1, 2), (3, 4), (-1, 0)]),
        ([1, 2, 0], [(-1, 1), (-2, 2), (0, 0)]),
    ],
)
def test_a_range_is_drawn_from_evenly(kind, argument, drawn_as, given, limits):
    """A number, a pair, or one of these for each axis, in any kind of list."""
    step = kind(**{argument: given}, p=1)
    values = np.array([getattr(o, drawn_as) for o in operations(step)])
    assert values.shape == (MANY, 3)
    for column, (low, high) in zip(values.T, limits, strict=True):
        assert is_even(column, low, high) if low < high else (column == low).all()
    moving = [column for column in values.T if np.ptp(column)]
    for one, other in itertools.pairwise(moving):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


@pytest.mark.parametrize("kind", [RandomScaling, RandomAffine])
@pytest.mark.parametrize(
    ("given", "limits"),
    [
        (0.25, [(0.8, 1.25)] * 3),
        ((0.5, 4), [(0.5, 4)] * 3),
        ((0.5, (1.5, 2.0), 0), [(1 / 1.5, 1.5), (1.5, 2), (1, 1)]),
    ],
)
def test_a_scale_is_drawn_evenly_by_its_logarithm(kind, given, limits):
    """Halves are as likely as doubles; isotropic, all axes are equally far in their ranges."""
    apart = np.log([o.scale for o in operations(kind(scale=given, p=1))])
    together = np.log([o.scale for o in operations(kind(scale=given, isotropic=True, p=1))])
    ways = []
    for axis, (low, high) in enumerate(np.log(limits)):
        for values in (apart[:, axis], together[:, axis]):
            assert is_even(values, low, high) if low < high else (values == 0).all()
        if low < high:
            ways.append((together[:, axis] - low) / (high - low))
    np.testing.assert_allclose(ways, ways[:1] * len(ways), atol=1e-12)
    assert abs(np.corrcoef(apart[:, 0], apart[:, 1])[0, 1]) < 0.1
    if len(set(limits)) == 1:
        assert (together[:, 0] == together[:, 1]).all()


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        (0.25, [(0.8, 1.25)] * 3),
        ((1 / 1.4, 1 / 0.7), [(1 / 1.4, 1 / 0.7)] * 3),  # nnU-Net's
        ((0.5, (1.5, 2.0), 0), [(1 / 1.5, 1.5), (1.5, 2), (1, 1)]),
    ],
)
def test_a_scale_is_drawn_evenly_by_its_inverse(given, limits):
    """By how much of the picture is seen; isotropic, all axes are equally far in their ranges."""
    steps = [
        RandomScaling(given, isotropic=flag, distribution="inverse-uniform", p=1)
        for flag in (False, True)
    ]
    apart, together = (1 / np.array([o.scale for o in operations(step)]) for step in steps)
    ways = []
    for axis, (high, low) in enumerate(1 / np.array(limits)):
        for values in (apart[:, axis], together[:, axis]):
            assert is_even(values, low, high) if low < high else (values == 1).all()
        if low < high:
            ways.append((together[:, axis] - low) / (high - low))
    np.testing.assert_allclose(ways, ways[:1] * len(ways), atol=1e-12)
    assert abs(np.corrcoef(apart[:, 0], apart[:, 1])[0, 1]) < 0.1
    if len(set(limits)) == 1:
        assert (together[:, 0] == together[:, 1]).all()
        by_logarithm = np.array(
            [o.scale for o in operations(RandomScaling(given, isotropic=True, p=1))]
        )
        assert not is_even(1 / by_logarithm[:, 0], low, high)


@pytest.mark.parametrize("isotropic", [False, True])
def test_a_scale_is_drawn_evenly_as_it_is(isotropic):
    """As MONAI and TorchIO draw it."""
    step = RandomScaling((0.5, 2.0), isotropic=isotropic, distribution="uniform", p=1)
    scales = np.array([operation.scale for operation in operations(step)])
    assert all(is_even(along, 0.5, 2.0) for along in scales.T)
    assert (np.ptp(scales, axis=1) == 0).all() == isotropic


@pytest.mark.parametrize("word", ["log", "", "Inverse", None, True, 1, ("inverse",), b"inverse"])
def test_a_scale_is_drawn_evenly_in_nothing_else(word):
    with pytest.raises(ValueError, match=r"distribution must be one of 'uniform', .*, got "):
        RandomScaling(distribution=word)


@pytest.mark.parametrize("p", [0.0, 0.15, 0.5, 1.0])
@pytest.mark.parametrize(
    "kind",
    [
        RandomTranslation, RandomRotation, RandomScaling, RandomShear, RandomAffine, RandomElastic,
        RandomContrast,
    ],
)  # fmt: skip
def test_a_step_is_taken_as_often_as_it_says(kind, p):
    assert is_likely(len(operations(kind(p=p))), p)
    if p == 0.5:
        assert is_likely(len(operations(kind())), kind().p)  # a default that is not 0.5


@pytest.mark.parametrize("kind", [CenterCrop, RandomCrop])
def test_a_crop_is_taken_as_often_as_it_says(kind):
    assert len(operations(kind(8))) == MANY
    assert is_likely(len(operations(kind(8, p=0.3))), 0.3)


def test_a_group_is_taken_as_often_as_it_says():
    pipeline = Compose(
        [
            Compose([RandomShear(p=1), Compose([RandomScaling(p=0.5)], p=0.5)], p=0.4),
            OneOf([RandomRotation(p=0), RandomTranslation(p=1)], weights=(3, 1), p=0.6),
        ],
        seed=3,
    )
    drawn_steps = [{name for name, _ in pipeline.draw(SHAPE, index=i).steps} for i in range(MANY)]
    often = {
        "RandomShear": 0.4,
        "RandomScaling": 0.4 * 0.5 * 0.5,
        "RandomRotation": 0.6 * 0.75,  # its own p is not asked
        "RandomTranslation": 0.6 * 0.25,
    }
    for name, p in often.items():
        assert is_likely(sum(name in steps for steps in drawn_steps), p)
    assert not any({"RandomRotation", "RandomTranslation"} <= steps for steps in drawn_steps)
    both = sum({"RandomShear", "RandomRotation"} <= steps for steps in drawn_steps)
    assert is_likely(both, 0.4 * 0.6 * 0.75)


def test_one_of_several_is_picked_by_its_weight():
    steps = [RandomShear(), RandomRotation(), RandomFlip(p=1), RandomTranslation()]
    names = [type(step).__name__ for step in steps]
    for weights in (None, (1, 1, 1, 1), (5, 0, 2.5, 2.5), (0, 0, 0, 1e-9)):
        pipeline = Compose([OneOf(steps, weights)], seed=4)
        picked = [pipeline.draw(SHAPE, index=index).steps for index in range(MANY)]
        assert all(len(taken) == 1 for taken in picked)
        shares = np.array(weights or (1, 1, 1, 1)) / sum(weights or (1, 1, 1, 1))
        for name, share in zip(names, shares, strict=True):
            assert is_likely(sum(taken[0][0] == name for taken in picked), share)


@pytest.mark.parametrize(
    ("axes", "p"), [((0, 1, 2), 0.5), ((0, 2), 0.2), (1, 0.9), ((), 1.0), ([2, 0], 1.0), (0, 0.0)]
)
def test_each_axis_is_flipped_for_itself(axes, p):
    flips = [flip.axes for flip in operations(RandomFlip(axes, p=p))]
    for axis in range(3):
        times = sum(axis in flip for flip in flips)
        assert is_likely(times, p) if axis in np.atleast_1d(axes) else times == 0
    some = [other for other in itertools.product(*[(False, True)] * 3) if any(other)]
    if p == 0.5:
        for mirrored in some:
            assert is_likely(flips.count(tuple(np.nonzero(mirrored)[0].tolist())), 1 / 8)
    assert () not in flips  # a flip of no axis is no step


ORIENTATIONS = [
    np.column_stack([axes, signs])
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def stored(volume, orientation, affine):
    """A volume with its axes in another order and direction, and its affine."""
    turned = nibabel.apply_orientation(volume, orientation)
    return turned, affine @ nibabel.orientations.inv_ornt_aff(orientation, volume.shape)


@pytest.mark.parametrize("size", [0.3, 2.0])
def test_anatomical_axes_are_nibabels(size):
    """Of oblique and sheared grids too, with voxels of any shape."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        turn = Rotation.from_rotvec(rng.normal(0, size, 3)).as_matrix()
        affine = np.eye(4)
        affine[:3, :3] = (
            turn
            @ np.diag(rng.uniform(0.2, 5, 3))
            @ (np.eye(3) + np.triu(rng.normal(0, 0.2, (3, 3)), 1))
        )
        affine = affine[:, [*rng.permutation(3).tolist(), 3]]
        affine[:3, 3] = rng.normal(0, 100, 3)
        found = nibabel.io_orientation(affine)[:, 0].astype(int)
        assert [found[axis] for axis in closest_axes(affine)] == [0, 1, 2]


@pytest.mark.parametrize("about", range(3))
def test_an_ambiguous_axis_is_not_left_to_rounding(about):
    """At 45 degrees, whatever the last bits are."""
    angles = np.where(np.arange(3) == about, 45, 0)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine, rng = np.eye(4), np.random.default_rng(0)
    affine[:3, :3] = turn * (1.0, 2.0, 3.0)
    for _ in range(100):
        noise = 1 + rng.uniform(-1e-12, 1e-12, (4, 4))
        assert closest_axes(affine * noise) == (0, 1, 2)


def test_the_same_key_mirrors_the_same_head_in_any_storage_order():
    volume, affine = random_volume((5, 6, 7)), np.diag((2.0, 1.5, 1.0, 1.0))
    pipeline = Compose([RandomFlip(("LR", "SI"))], seed=5)
    for index in range(8):
        expected = pipeline(image=volume, affine=affine, index=index)["image"]
        for orientation in ORIENTATIONS:
            turned, world = stored(volume, orientation, affine)
            result = pipeline(image=turned, affine=world, index=index)["image"]
            again, _ = stored(expected, orientation, affine)
            np.testing.assert_array_equal(result, again)


@pytest.mark.parametrize(
    ("names", "axes"),
    [("LR", 0), ("AP", 1), ("SI", 2), (["SI", "LR"], (0, 2)), (("LR", "AP", "SI"), (0, 1, 2))],
)
def test_in_canonical_order_names_are_axes(names, axes):
    """The same bits, with an affine or without one."""
    named, numbered = (Compose([RandomFlip(given)], seed=3) for given in (names, axes))
    oblique = np.eye(4)
    oblique[:3, :3] = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix()
    units = [{}, {"spacing": (1, 2, 3)}, {"affine": np.diag((-1, -2, 3, 1))}, {"affine": oblique}]
    for index, given in itertools.product(range(40), units):
        record = named.draw(SHAPE, index=index, **given)
        assert record.steps == numbered.draw(SHAPE, index=index, **given).steps


def test_names_of_axes_are_kept_in_files_and_resolved_in_records():
    pipeline = Compose([RandomFlip("LR", p=1), RandomFlip(("SI", "AP"))], seed=3)
    plain = pipeline.to_dict()
    assert plain["transforms"][0]["axes"] == "LR"
    text = toml.dumps(plain)
    affine = np.eye(4)[[2, 1, 0, 3]]
    record = pipeline.draw(SHAPE, affine=affine, index=0)
    assert record.steps[0][1].axes == (2,)
    assert Record.from_json(record.to_json()) == record
    for again in (Compose.from_dict(json.loads(json.dumps(plain))), Compose.from_toml(text)):
        assert again == pipeline
        assert again.draw(SHAPE, affine=affine, index=0) == record


@pytest.mark.parametrize(
    "axes",
    [
        "RL",
        "lr",
        "Left",
        "",
        ("LR", "LR"),
        ("LR", 0),
        (0, "LR"),
        ("LR", "PA"),
        ("LR", None),
        "LRAP",
    ],
)
def test_names_of_axes_are_three_and_not_mixed_with_numbers(axes):
    """A name and a number may be the same axis of an array, or not."""
    with pytest.raises((TypeError, ValueError), match=r"axes must .*got"):
        RandomFlip(axes)


def test_a_stream_mirrors_by_the_affine_of_each_case():
    volume = random_volume((8, 9, 10))
    order = ([0, 1, 2], [2, 1, 0], [1, 2, 0])
    cases = [
        {"image": volume.transpose(axes), "affine": np.eye(4)[:, [*axes, 3]]} for axes in order
    ]
    pipeline = Compose([RandomFlip("LR", p=1)])
    with Stream(cases, pipeline, patch_shape=8, batch_size=3, seed=0, threads=1) as stream:
        for record in next(stream)["record"]:
            (flipped,) = record.steps[-1][1].axes
            assert record.affine[0, flipped] == 1


def test_each_place_of_a_crop_is_as_likely():
    crops = operations(RandomCrop((17, 24, 27)))
    starts = np.array([crop.start for crop in crops])
    assert all(crop.shape == (17, 24, 27) for crop in crops)
    for axis, places in enumerate((4, 1, 2)):
        counts = np.bincount(starts[:, axis], minlength=places)
        assert len(counts) == places
        for times in counts:
            assert is_likely(times, 1 / places)
    assert is_likely((starts == (3, 0, 1)).all(axis=1).sum(), 1 / 8)


def test_a_crop_within_a_crop():
    for index in range(20):
        record = drawn([RandomCrop(15), CenterCrop((10, 12, 9)), RandomCrop(9)], SHAPE, index)
        crops = [crop for _, crop in record.steps]
        assert crops[1].start == (2, 1, 3)
        assert (np.add(crops[2].start, 9) <= (10, 12, 9)).all()
        start = sum(np.array(crop.start) for crop in crops)
        volume = random_volume(SHAPE)
        window = tuple(slice(s, s + 9) for s in start)
        np.testing.assert_array_equal(record.apply(image=volume)["image"], volume[window])


def test_control_points_are_drawn_evenly():
    step = RandomElastic((2.0, 0.0, 5.0), num_control_points=(4, 5, 6), folding="allow", p=1)
    points = np.array([o.control_points for o in operations(step, count=100)])
    assert points.shape == (100, 3, 4, 5, 6)
    assert is_even(points[:, 0].ravel(), -2, 2)
    assert (points[:, 1] == 0).all()
    assert is_even(points[:, 2].ravel(), -5, 5)
    neighbors = np.corrcoef(points[:, 0, :-1].ravel(), points[:, 0, 1:].ravel())
    assert abs(neighbors[0, 1]) < 0.1
    single = RandomElastic(3.0, num_control_points=(1, 4, 4), folding="allow", p=1)
    for operation in operations(single, count=5):
        assert operation.control_points.shape == (3, 4, 4, 4)
        assert (np.ptp(operation.control_points, axis=1) == 0).all()


def test_contrast_is_weaker_as_often_as_stronger():
    def factors(given):
        return np.array([o.factor for o in operations(RandomContrast(given, p=1))])

    values = factors((0.9, 2.0))
    assert is_likely((values < 1).sum(), 0.5)
    assert is_even(values[values < 1], 0.9, 1.0)
    assert is_even(values[values >= 1], 1.0, 2.0)
    assert is_even(factors((1.5, 2.0)), 1.5, 2.0)
    assert is_even(factors((0.5, 1.0)), 0.5, 1.0)
    values = factors(0.25)
    assert is_even(values[values < 1], 0.8, 1.0)
    assert is_even(values[values >= 1], 1.0, 1.25)
    for flag in (True, False):
        kept = operations(RandomContrast(preserve_range=flag, p=1), count=5)
        assert all(o.preserve_range is flag for o in kept)


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


HALF_WIDTHS = [
    (RandomScaling, "scale", True),
    (RandomAffine, "scale", True),
    (RandomContrast, "factor", False),
    (RandomBrightness, "factor", False),
    (RandomGamma, "gamma", False),
]


@pytest.mark.parametrize(("kind", "argument", "axes"), HALF_WIDTHS)
def test_half_a_width_of_a_factor_is_less_than_1(kind, argument, axes):
    """Who writes scale=1 means no scaling, and not 0.5 to 2."""
    for_axes = [(1, 1, 1), (0.5, 1.0, 0.5), ((1, 1), 0.2, 1.5)]
    for value in [1, 1.0, 1.2, 9, *for_axes * axes]:
        with pytest.raises(
            ValueError, match=f"{argument} must be less than 1 .* write 0 or .1, 1."
        ):
            kind(**{argument: value})
    for same in (0, (1, 1), 0.999):
        kind(**{argument: same})
