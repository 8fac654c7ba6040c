"""The uneven field of a receive coil over a channel."""

import itertools
import math
import pickle

import numpy as np
import pytest
import scipy.stats
from scipy.interpolate import BSpline

from reference import rounded
from support.bad_values import NO_NUMBERS
from support.volumes import SHAPES, drawn, random_volume
from volaug import Compose, RandomBiasField, Record
from volaug.checks import DTYPES
from volaug.transforms.bias_field import BiasField, multiply_field
from volaug.transforms.per_channel import ChannelId

SHAPE = (33, 41, 37)
LATTICE = (4, 5, 7)
HERE = ChannelId("image", 0)
NAN, INF = np.nan, np.inf
FLOATS = {"float16": 1e-3, "float32": 2e-6, "float64": 2e-6}


def some_points(lattice=LATTICE, size=1.0):
    return np.random.default_rng(4).uniform(-size, size, lattice)


def spline(points, shape):
    """Of every voxel, by scipy's B-splines in float64: knots from the first voxel to the last."""
    field = points
    for axis, length in enumerate(shape):
        spans = points.shape[axis] - 3
        places = np.linspace(0.0, spans, length)
        weights = BSpline.design_matrix(places, np.arange(-3.0, spans + 4), 3).toarray()
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return field


def multiplied(volume, points, threads=1):
    result = volume.copy(order="K")
    multiply_field(result, points, threads)
    return result


def close(result, volume, points):
    """As the volume times the field is: floats to their rounding, integers to a level."""
    expected = volume.astype(np.float64) * 2.0 ** spline(points, volume.shape)
    if result.dtype.kind == "f":
        np.testing.assert_allclose(result, expected, rtol=FLOATS[result.dtype.name])
        return
    apart = np.abs(result.astype(np.float64) - rounded(expected, result.dtype).astype(np.float64))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_equals_its_definition(dtype):
    volume = random_volume(SHAPE, dtype) * 3
    volume = volume.astype(dtype)
    result = multiplied(volume, some_points())
    assert result.dtype == dtype
    assert (result != volume).mean() > 0.5
    close(result, volume, some_points())


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "uint16"])
def test_integers_of_all_sizes_saturate(dtype):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(1)
    volume = rng.integers(limits.min, limits.max, SHAPE, dtype, endpoint=True)
    result = multiplied(volume, some_points(size=2.0))
    assert (result == limits.max).mean() > 0.02
    expected = rounded(volume * 2.0 ** spline(some_points(size=2.0), SHAPE), dtype)
    apart = np.abs(result.astype(int) - expected.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).mean() < (1e-3 if limits.bits == 8 else 0.1)


@pytest.mark.parametrize("dtype", [name for name in DTYPES[1:] if "int" in name])
def test_the_greatest_and_the_least_integer_stay_what_they_are(dtype):
    limits = np.iinfo(dtype)
    for value in (limits.max, limits.min, 0):
        volume = np.full((5, 6, 7), value, dtype)
        np.testing.assert_array_equal(multiplied(volume, np.ones((4, 4, 4))), volume)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32"])
def test_halves_are_rounded_away_from_zero(dtype):
    low = 0 if dtype.startswith("u") else -127
    volume = np.arange(low, 128).astype(dtype).reshape(1, -1, 1)
    result = multiplied(volume, np.full((4, 4, 4), -1.0))
    values = volume.astype(float) / 2
    np.testing.assert_array_equal(result, np.trunc(values + np.copysign(0.5, values)))


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1, 50), (3, 1, 2), (1, 40, 1)])
@pytest.mark.parametrize("lattice", [(4, 4, 4), (4, 5, 7), (9, 4, 6), (20, 67, 30)])
def test_any_shape_and_lattice(shape, lattice):
    """Also with more control points than voxels."""
    volume = random_volume(shape) + 5
    close(multiplied(volume, some_points(lattice)), volume, some_points(lattice))


@pytest.mark.parametrize("size", [3.0, 28.0, 126.0])
def test_a_strong_field_is_as_right_as_a_logarithm_in_float32(size):
    """Its relative error is that of the exponent: some 2^-23 of the largest."""
    points = some_points((5, 4, 6), size)
    found = multiplied(np.ones(SHAPE), points)
    field = spline(points, SHAPE)
    np.testing.assert_allclose(np.log2(found), field, rtol=0, atol=3e-7 * size + 1e-6)


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_without_a_field_every_bit_stays(dtype):
    volume = random_volume(SHAPE, dtype)
    if volume.dtype.kind == "f":
        info = np.finfo(dtype)
        special = (NAN, INF, -INF, -0.0, info.max, info.min, info.smallest_normal)
        volume.flat[11 : 11 + len(special)] = special
    else:
        info = np.iinfo(dtype)
        volume.flat[11:13] = max(info.min, -(2**53)), min(info.max, 2**53)
    assert multiplied(volume, np.zeros(LATTICE)).tobytes() == volume.tobytes()
    again = volume.copy()
    BiasField(np.zeros((4, 4, 4))).change(again, HERE, 1)
    assert again.tobytes() == volume.tobytes()


def test_what_is_not_finite_stays_and_changes_no_other_voxel():
    volume = random_volume(SHAPE)
    expected = multiplied(volume, some_points())
    at = ([0, 5, 32], [0, 7, 40], [0, 36, 8])
    volume[at] = expected[at] = NAN, INF, -INF
    np.testing.assert_array_equal(multiplied(volume, some_points()), expected)
    nothing = np.full(SHAPE, NAN, np.float32)
    assert np.isnan(multiplied(nothing, some_points())).all()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
def test_the_same_bits_for_any_threads(dtype):
    volume = random_volume((70, 81, 93), dtype)
    alone = multiplied(volume, some_points())
    assert (alone != volume).mean() > 0.5
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(multiplied(volume, some_points(), threads), alone)


@pytest.mark.parametrize("shape", [SHAPE, (1, 12, 9), (12, 1, 9), (12, 9, 1), (1, 1, 9), (9, 1, 1)])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_any_memory_order(dtype, shape):
    """The field lies over the axes as they are, wherever their voxels are."""
    volume = random_volume(shape, dtype) + np.dtype(dtype).type(3)
    for order in itertools.permutations(range(3)):
        ordered = volume.transpose(order).copy().transpose(np.argsort(order))
        close(multiplied(ordered, some_points()), volume, some_points())
    room = np.full(np.multiply(shape, (2, 1, 2)), 5, dtype)
    window = room[::2, ::-1, 1::2]
    window[...] = volume
    multiply_field(window, some_points(), 1)
    close(window, volume, some_points())
    assert (room[1::2] == 5).all()
    assert (room[:, :, ::2] == 5).all()


@pytest.mark.parametrize("axis", range(3))
def test_where_control_points_are_constant_the_field_is(axis):
    points = some_points((5, 5, 5))
    points[...] = points.take([2], axis)
    field = multiplied(np.ones(SHAPE), points)
    spread = np.ptp(field, axis)
    assert spread.max() < 1e-6 * field.max()
    for other in {0, 1, 2} - {axis}:
        assert np.ptp(field, other).min() > 1e-3


def test_the_logarithm_of_an_operation_is_the_natural_one():
    points = some_points((4, 6, 5), 0.4)
    volume = random_volume(SHAPE, np.float64)
    result = volume.copy()
    BiasField(points).change(result, HERE, 1)
    np.testing.assert_allclose(result, volume * np.exp(spline(points, SHAPE)), rtol=1e-6)


def test_channels_apart_have_fields_of_their_own():
    points = np.stack([some_points((4, 6, 5), size) for size in (0.1, 0.2, 0.4)])
    images = np.ones((3, *SHAPE), np.float32)
    record = Record.from_dict({**drawn([], SHAPE).to_dict(), "steps": [step_of(points)]})
    result = record.apply(image=images)["image"]
    for channel, own in zip(result, points, strict=True):
        np.testing.assert_allclose(channel, np.exp(spline(own, SHAPE)), rtol=1e-6)
    message = "BiasField was drawn for 3 channels, but 'image' has 4"
    out = np.full((4, *SHAPE), NAN, np.float32)
    with pytest.raises(ValueError, match=message):
        record.apply(image=np.ones((4, *SHAPE), np.float32), out={"image": out})
    assert np.isnan(out).all()


def step_of(points):
    return {"name": "a field", "type": "BiasField", "control_points": points.tolist()}


def fields(step, count=300, channels=1):
    """The control points that a step draws for many samples."""
    pipeline = Compose([step], seed=3)
    records = (pipeline.draw(SHAPE, channels=channels, index=index) for index in range(count))
    return np.array([record.steps[0][1].control_points for record in records])


def is_even(values, low, high):
    """Whether values are uniform between two limits and come near to both."""
    near = 0.03 * (high - low)
    ends = abs(np.min(values) - low) < near and abs(np.max(values) - high) < near
    return ends and scipy.stats.kstest(values, "uniform", (low, high - low)).pvalue > 1e-4


def test_control_points_are_drawn_evenly():
    most = math.log(1.5)
    points = fields(RandomBiasField((0.5, 0.5), num_control_points=(4, 5, 6), p=1), 50)
    assert points.shape == (50, 4, 5, 6)
    assert is_even(points.ravel(), -most, most)
    assert np.abs(points).max() <= most
    neighbors = np.corrcoef(points[:, 1:].ravel(), points[:, :-1].ravel())
    assert abs(neighbors[0, 1]) < 0.1


@pytest.mark.parametrize(("given", "low", "high"), [(0.4, 0, 0.4), ((0.3, 2.0), 0.3, 2.0)])
def test_a_strength_is_drawn_evenly(given, low, high):
    """It is nearly what the largest of very many control points is."""
    points = fields(RandomBiasField(given, num_control_points=12, p=1))
    strengths = np.expm1(np.abs(points).max(axis=(1, 2, 3)))
    assert strengths.max() <= high
    assert is_even(strengths, low, high)


@pytest.mark.parametrize("strength", [0.2, 0.5, 5.0])
def test_factors_are_within_the_strength(strength):
    step = RandomBiasField((strength, strength), num_control_points=5, p=1)
    ones = np.ones((19, 23, 21), np.float64)
    least, greatest = [], []
    for index in range(30):
        field = drawn([step], ones.shape, index).apply(image=ones)["image"]
        least.append(field.min())
        greatest.append(field.max())
    rounding = 1 + 1e-6
    assert 1 / (1 + strength) / rounding <= min(least) < 1 / (1 + strength) ** 0.4
    assert (1 + strength) * rounding >= max(greatest) > (1 + strength) ** 0.4


def test_no_strength_is_no_field():
    image = random_volume((2, *SHAPE))
    result = drawn([RandomBiasField(0, per_channel=True, p=1)], SHAPE, channels=2).apply(
        image=image
    )
    np.testing.assert_array_equal(result["image"], image)


def test_one_lattice_for_all_axes_or_one_for_each():
    assert fields(RandomBiasField(p=1), 1).shape == (1, 4, 4, 4)
    assert fields(RandomBiasField(num_control_points=6, p=1), 1).shape == (1, 6, 6, 6)
    assert fields(RandomBiasField(num_control_points=[4, 67, 5], p=1), 1).shape == (1, 4, 67, 5)
    assert fields(RandomBiasField(num_control_points=np.array([7, 4, 5]), p=1), 1).shape[1:] == (
        (7, 4, 5)
    )


def test_channels_are_drawn_for_apart_and_together():
    apart = fields(
        RandomBiasField(0.5, num_control_points=(4, 5, 6), per_channel=True, p=1), 40, channels=3
    )
    assert apart.shape == (40, 3, 4, 5, 6)
    flat = np.moveaxis(apart, 1, 0).reshape(3, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.1
    most = np.abs(apart).max(axis=(2, 3, 4))
    assert np.abs(np.corrcoef(most.T) - np.eye(3)).max() < 0.6  # each has its strength
    image = np.ones((3, *SHAPE), np.float32)
    together = drawn([RandomBiasField(0.5, p=1)], SHAPE, channels=3).apply(image=image)["image"]
    np.testing.assert_array_equal(together[0], together[1])
    np.testing.assert_array_equal(together[0], together[2])
    single = fields(RandomBiasField(0.5, num_control_points=(4, 5, 6), per_channel=True, p=1), 40)
    np.testing.assert_array_equal(single[:, 0], apart[:, 0])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("apart", [False, True])
def test_a_record_keeps_every_bit(apart, channels):
    step = RandomBiasField(num_control_points=(4, 6, 5), per_channel=apart, p=1)
    record = drawn([step], SHAPE, channels=channels)
    points = np.asarray(record.steps[0][1].control_points)
    assert points.shape == ((channels,) if apart else ()) + (4, 6, 5)
    image = random_volume((channels, *SHAPE))
    expected = record.apply(image=image)["image"]
    for again in (
        Record.from_json(record.to_json()),
        Record.from_dict(record.to_dict()),
        pickle.loads(pickle.dumps(record)),
    ):
        assert again == record
        found = np.asarray(again.steps[0][1].control_points)
        np.testing.assert_array_equal(found, points, strict=True)
        np.testing.assert_array_equal(again.apply(image=image)["image"], expected)


def test_control_points_are_a_copy_that_nothing_is_written_to():
    for given in (some_points(), some_points((2, *LATTICE))):
        operation = BiasField(given)
        before = np.array(operation.control_points)
        given[...] = 7
        np.testing.assert_array_equal(operation.control_points, before)
        parts = [operation.control_points] if given.ndim == 3 else operation.control_points
        for part in parts:
            with pytest.raises(ValueError, match="read-only"):
                part[0, 0, 0] = 1


def test_wrong_strengths_of_a_step():
    for value in ((0, 100), [0.3, 0.3], np.array([0.5, 1.0]), np.float32(0.5), 0, 100):
        RandomBiasField(value)
    for value in NO_NUMBERS:
        for wrong in (value, (0.5, value)):
            with pytest.raises(TypeError, match="strength must be a number, got "):
                RandomBiasField(wrong)
    for value in (NAN, INF, -INF, -1, 100.1, 10**400, (-0.1, 1), (0.5, 101), (NAN, 1), (0, INF)):
        with pytest.raises(ValueError, match="strength must be from 0 to 100, got "):
            RandomBiasField(value)
    with pytest.raises(ValueError, match=r"strength must be .*, got \(1, 0.5\), which is reversed"):
        RandomBiasField((1, 0.5))
    for value in ((), (1,), (1, 1, 1)):
        with pytest.raises(ValueError, match=r"strength must be a number or a pair .*, got \("):
            RandomBiasField(value)


def test_wrong_control_points_of_a_step():
    for value in (3, 0, -4, 68, (4, 3, 4), (4, 4, 68), 2**70):
        with pytest.raises(ValueError, match="control_points must be from 4 to 67, got "):
            RandomBiasField(num_control_points=value)
    for value in ((), (4,), (4, 4), (4, 4, 4, 4)):
        with pytest.raises(ValueError, match=r"control_points must be one or three, got \("):
            RandomBiasField(num_control_points=value)
    for value in [*NO_NUMBERS, 4.0, NAN, INF, ((4, 4, 4),)]:
        for wrong in (value, (4, value, 4)):
            with pytest.raises(TypeError, match="control_points must be a whole number, got "):
                RandomBiasField(num_control_points=wrong)


def test_wrong_flags_and_chances_of_a_step():
    for value in (0, 1, None, "yes", [True], 1.0):
        with pytest.raises(TypeError, match="per_channel must be True or False, got "):
            RandomBiasField(per_channel=value)
    for value in (-0.1, 1.001, NAN, INF, 2):
        with pytest.raises(ValueError, match=f"p must be from 0 to 1, got {value}"):
            RandomBiasField(p=value)
    for value in ("0.5", None, True, 1j, (0.5, 0.5), []):
        with pytest.raises(TypeError, match="p must be a number, got "):
            RandomBiasField(p=value)
    with pytest.raises(TypeError, match="name must be a string, got 5"):
        RandomBiasField(name=5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'order'"):
        RandomBiasField(order=3)


WANTED = r"control_points must be coefficients \(k0, k1, k2\), or \(C, k0, k1, k2\), at least 4"
POINTS = np.zeros((4, 4, 4))


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((3, 4, 4)), ValueError, rf"{WANTED} .*, got shape \(3, 4, 4\)"),
        (np.zeros((4, 4, 3)), ValueError, rf"{WANTED} .*, got shape \(4, 4, 3\)"),
        (np.zeros((2, 4, 3, 4)), ValueError, rf"{WANTED} .*, got shape \(2, 4, 3, 4\)"),
        (np.zeros((4, 4)), ValueError, rf"{WANTED} .*, got shape \(4, 4\)"),
        (np.zeros((1, 1, 4, 4, 4)), ValueError, rf"{WANTED} .*, got shape \(1, 1, 4, 4, 4\)"),
        (np.zeros((0, 4, 4, 4)), ValueError, rf"{WANTED} .*, got shape \(0, 4, 4, 4\)"),
        (np.zeros((0, 0, 0)), ValueError, rf"{WANTED} .*, got shape \(0, 0, 0\)"),
        (0.0, ValueError, rf"{WANTED} .*, got shape \(\)"),
        ([], ValueError, rf"{WANTED} .*, got shape \(0,\)"),
        ([[[0.0] * 4] * 4] * 3 + [[[0.0] * 4] * 5], ValueError, f"{WANTED} .*, got lists of"),
        (POINTS * 1j, TypeError, f"{WANTED} .*, got an array of dtype complex128"),
        (POINTS > 0, TypeError, f"{WANTED} .*, got an array of dtype bool"),
        (POINTS.astype(str), TypeError, f"{WANTED} .*, got an array of dtype <U"),
        (None, TypeError, f"{WANTED} .*, got an array of dtype object"),
        ("a field", TypeError, f"{WANTED} .*, got an array of dtype <U7"),
        (POINTS + NAN, ValueError, "control_points must be finite, got 64 that are not"),
        (POINTS - INF, ValueError, "control_points must be finite, got 64 that are not"),
        (POINTS - 20.1, ValueError, "control_points must be at most 20, got 20.1"),
        (POINTS + 1e300, ValueError, r"control_points must be at most 20, got 1e\+300"),
    ],
)
def test_wrong_control_points_of_an_operation(value, error, message):
    with pytest.raises(error, match=message):
        BiasField(value)
