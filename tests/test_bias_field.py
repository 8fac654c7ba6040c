"""A channel times the uneven field of a receive coil."""

import itertools

import numpy as np
import pytest
from scipy.interpolate import BSpline

from reference import rounded
from support.volumes import SHAPES, drawn, random_volume
from volaug import Record
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
