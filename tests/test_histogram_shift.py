"""Values moved along a monotone curve."""

import itertools
import pickle

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from reference import rounded
from support.volumes import drawn, random_volume
from volaug import RandomHistogramShift, Record
from volaug.checks import DTYPES
from volaug.transforms.histogram_shift import HistogramShift, apply_cubics
from volaug.transforms.per_channel import ChannelId

SHAPE = (33, 41, 37)  # more than one block of voxels, and not a whole number of them
LEVELS = (0.0, 0.31, 0.35, 0.66, 0.9, 1.0)
CURVES = [LEVELS, (0.0, 0.8, 1.0), (0.1, 0.1, 0.7), (0.0, 0.0, 0.5, 0.5, 1.0, 1.0), (0.2, 0.9)]
HERE = ChannelId("image", 0)
NAN, INF = np.nan, np.inf
BOUNDS = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-12}  # of the range


def by_scipy(image, levels):
    """Of the finite voxels, in float64 and not rounded."""
    values = image.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, spread = finite.min(), np.ptp(finite)
    places = np.linspace(low, finite.max(), len(levels))
    values[np.isfinite(values)] = PchipInterpolator(places, low + spread * np.array(levels))(finite)
    return values


def moved(image, levels=LEVELS, threads=1):
    result = image.copy(order="K")
    HistogramShift(levels).change(result, HERE, threads)
    return result


def of_all_sizes(dtype, shape=SHAPE):
    """All integers of a dtype, or all of 18 bits and a sign; or normal floats."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return random_volume(shape, dtype)
    limits = np.iinfo(dtype)
    low, high = max(limits.min, -(2**18)), min(limits.max, 2**18)
    return np.random.default_rng(1).integers(low, high, shape, dtype, endpoint=True)


def bound_of(dtype, spread):
    """By how much floats may be wrong that are calculated for a dtype: up to 16 bits in float32."""
    dtype = np.dtype(dtype)
    integer = "float32" if dtype.itemsize <= 2 else "float64"
    return BOUNDS[dtype.name if dtype.kind == "f" else integer] * spread


def close(result, expected):
    """Alike to the rounding of the dtype."""
    bound = bound_of(result.dtype, np.ptp(expected)) + 0.5 * (result.dtype.kind != "f")
    np.testing.assert_allclose(result.astype(np.float64), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("levels", CURVES)
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_equals_scipys_curve(dtype, levels):
    image = of_all_sizes(dtype)
    result = moved(image, levels)
    assert result.dtype == dtype
    assert (result != image).mean() > 0.5
    close(result, by_scipy(image, levels))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32"])
def test_remap_takes_any_cubics_of_equal_units(dtype):
    """Also such as do not meet, which shows where a unit ends."""
    image = np.arange(-30, 61).astype(dtype).reshape(1, 7, 13)
    cubics = np.random.default_rng(2).uniform(-50, 50, (3, 4))
    result = image.copy()
    apply_cubics(result, -30.0, 60.0, cubics, 1)
    unit = np.minimum((image.astype(int) + 30) // 30, 2)
    place = (image.astype(float) + 30) / 30 - unit
    expected = sum(cubics[unit, power] * place**power for power in range(4))
    if np.dtype(dtype).kind == "i":
        np.testing.assert_array_equal(result, rounded(expected, dtype))
    else:
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("levels", CURVES)
@pytest.mark.parametrize(
    ("small", "large"),
    [("int8", "int32"), ("uint8", "int64"), ("int16", "int32"), ("uint16", "uint32")],
)
def test_small_integers_become_what_large_ones_do(small, large, levels):
    """But for those near a half: the first are calculated with in float32."""
    image = of_all_sizes(small)
    few, many = moved(image, levels), moved(image.astype(large), levels)
    apart = np.abs(few.astype(np.int64) - many.astype(np.int64))
    assert apart.max() <= 1
    halves = by_scipy(image, levels) % 1.0 - 0.5
    assert np.abs(halves[apart > 0]).max(initial=0.0) < bound_of(small, np.ptp(image.astype(int)))
    assert (apart == 0).mean() > 0.9


@pytest.mark.parametrize("levels", CURVES)
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "float16", "float32", "float64"])
def test_the_curve_is_monotone_and_its_ends_are_its_first_and_last_level(dtype, levels):
    image = np.sort(of_all_sizes(dtype).ravel()).reshape(SHAPE)
    low, high = float(image.min()), float(image.max())
    result = moved(image, levels).ravel().astype(np.float64)
    rounding = BOUNDS.get(dtype, 0.0) * (high - low)
    assert np.diff(result).min() >= -rounding
    ends = np.array([low + (high - low) * level for level in (levels[0], levels[-1])])
    tolerance = rounding if np.dtype(dtype).kind == "f" else 0.51
    np.testing.assert_allclose(result[[0, -1]], ends, rtol=0, atol=tolerance)
    if (levels[0], levels[-1]) == (0.0, 1.0) and np.dtype(dtype).kind != "f":
        assert (result[0], result[-1]) == (low, high)


@pytest.mark.parametrize("levels", [(0.0, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0)])
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_even_levels_change_nothing_but_by_rounding(dtype, levels):
    image = of_all_sizes(dtype)
    result = moved(image, levels)
    if image.dtype.kind == "f":
        bound = BOUNDS[dtype] * np.ptp(image.astype(float))
        np.testing.assert_allclose(result, image, rtol=0, atol=bound)
    else:
        np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_not_finite_changes_no_other_voxel(dtype):
    image = random_volume(SHAPE, dtype)
    at = ([0, 5, 32], [0, 7, 40], [0, 36, 8])
    image[at] = NAN, INF, -INF
    result, expected = moved(image), by_scipy(image, LEVELS)
    assert np.isnan(result[0, 0, 0])
    np.testing.assert_array_equal(~np.isfinite(result), ~np.isfinite(image))
    finite = np.isfinite(image)
    close(result[finite], expected[finite])


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_images_without_a_range_or_finite_voxels_stay(dtype):
    images = [np.full(SHAPE, 7, dtype), np.full((1, 1, 1), 3, dtype)]
    if np.dtype(dtype).kind == "f":
        images += [np.full(SHAPE, value, dtype) for value in (NAN, INF, 0.1)]
        single = np.full(SHAPE, NAN, dtype)
        single[3, 4, 5] = 1.5
        images.append(single)
    for image in images:
        assert moved(image).tobytes() == image.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_range_of_the_least_numbers_is_one(dtype):
    """What is left of a signal may be so small that 1 over it is none."""
    tiny = np.finfo(dtype).smallest_subnormal
    image = (np.arange(4 * 5 * 6) % 7).reshape(4, 5, 6).astype(dtype) * tiny
    result = moved(image)
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= image.max()


@pytest.mark.parametrize(
    ("dtype", "greatest"), [("float16", 6e4), ("float32", 1.6e38), ("float64", 8e307)]
)
def test_a_range_of_the_greatest_numbers_is_one(dtype, greatest):
    image = np.linspace(-greatest, greatest, SHAPE[0] * SHAPE[1] * SHAPE[2])
    image = image.astype(dtype).reshape(SHAPE)
    expected = by_scipy(image.astype(float) / greatest, LEVELS)
    result = moved(image).astype(float) / greatest
    np.testing.assert_allclose(result, expected, rtol=0, atol=2 * BOUNDS[dtype])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_the_same_bits_for_any_threads(dtype):
    image = of_all_sizes(dtype, (80, 91, 73))
    alone = moved(image)
    assert (alone != image).mean() > 0.5
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(moved(image, threads=threads), alone)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_any_memory_order(dtype):
    image = of_all_sizes(dtype)
    expected = moved(image)
    for order in itertools.permutations(range(3)):
        ordered = image.transpose(order).copy().transpose(np.argsort(order))
        np.testing.assert_array_equal(moved(ordered), expected)
    room = np.full((66, 41, 74), 5, dtype)
    window = room[::2, ::-1, 1::2]
    window[...] = image
    HistogramShift(LEVELS).change(window, HERE, 1)
    np.testing.assert_array_equal(window, expected)
    assert (room[1::2] == 5).all()
    assert (room[:, :, ::2] == 5).all()


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 5, 1), (5, 1, 7)])
def test_axes_of_length_one(shape):
    image = random_volume(shape)
    close(moved(image), by_scipy(image, LEVELS))


def test_no_shift_is_the_identity():
    image = of_all_sizes("int16")
    result = drawn([RandomHistogramShift(0, p=1)], SHAPE).apply(image=image)["image"]
    np.testing.assert_array_equal(result, image)


def test_channels_apart_and_together():
    image = np.stack([random_volume(SHAPE)] * 3)
    record = drawn([RandomHistogramShift(per_channel=True, p=1)], SHAPE, channels=3)
    levels = record.steps[0][1].levels
    assert len(levels) == 3
    assert len(set(levels)) == 3
    result = record.apply(image=image, label=image)
    for channel, before, own in zip(result["image"], image, levels, strict=True):
        close(channel, by_scipy(before, own))
    np.testing.assert_array_equal(result["label"], image)
    together = drawn([RandomHistogramShift(p=1)], SHAPE, channels=3).apply(image=image)["image"]
    np.testing.assert_array_equal(together[0], together[1])
    out = np.full((4, *SHAPE), NAN, np.float32)
    message = "HistogramShift was drawn for 3 channels, but 'image' has 4"
    with pytest.raises(ValueError, match=message):
        record.apply(image=np.concatenate([image, image[:1]]), out={"image": out})
    assert np.isnan(out).all()


def test_each_channel_has_its_own_range():
    image = random_volume((2, *SHAPE))
    image[1] = image[1] * 30 + 200
    result = drawn([RandomHistogramShift(p=1)], SHAPE).apply(image=image)["image"]
    np.testing.assert_allclose(result.min(axis=(1, 2, 3)), image.min(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(result.max(axis=(1, 2, 3)), image.max(axis=(1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("apart", [False, True])
def test_a_record_keeps_every_bit(apart):
    record = drawn([RandomHistogramShift(per_channel=apart, p=1)], SHAPE, channels=2)
    for again in (Record.from_json(record.to_json()), pickle.loads(pickle.dumps(record))):
        assert again == record
        assert again.steps == record.steps


ASCENDING = "levels must be two or more in ascending order, got "


def test_wrong_levels_of_an_operation():
    for value in (
        (0.5, 0.4), (0, 1, 0.9), (0.5,), (), [], 0.5, 1, None, "ab", True, ((0, 1), (1, 0)),
        ((0, 1), 0.5), ((0, 1), ()), ((), (0, 1)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=ASCENDING):
            HistogramShift(value)
    for value in (NAN, INF, -INF, -0.01, 1.01, 10**400):
        for wrong in ((0, value), (value, 1), ((0, 1), (0, value, 1))):
            with pytest.raises(ValueError, match="levels must be from 0 to 1, got "):
                HistogramShift(wrong)
    for value in ("0.5", None, True, 1j, b"5", (0, 1)):
        for wrong in ((0, value), ((0, 1), (0, value, 1))):
            with pytest.raises(TypeError, match="levels must be a number, got "):
                HistogramShift(wrong)
