"""Every interpolation of every dtype: what is calculated, how it is rounded, what survives."""

import numpy as np
import pytest
import scipy.ndimage

import reference
from support.volumes import mild_affine, nan_filled, random_volume
from volaug import Warp, affine_transform
from volaug.checks import DTYPES, INTERPOLATIONS

SHAPE = (7, 9, 21)
INTEGERS = [dtype for dtype in DTYPES if "int" in dtype]
SMALL = [dtype for dtype in DTYPES if np.dtype(dtype).itemsize <= 2] + ["float32"]
MIXING = ("linear", "cubic")
PICKING = ("nearest", "label")


def exact_affine(shape):
    """A mild map whose coordinates are multiples of 2^-10, and so known to the bit."""
    matrix, _ = mild_affine(shape)
    matrix = np.round(matrix * 2**10) / 2**10
    center = np.subtract(shape, 1) / 2
    return matrix, np.round((center - matrix @ center) * 4) / 4


def limits(dtype):
    return (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def full_range(dtype, shape=SHAPE):
    """Voxels between the dtype's limits, and both of them."""
    rng = np.random.default_rng(3)
    if np.dtype(dtype).kind == "f":
        return rng.uniform(-1000, 1000, shape).astype(dtype)
    low, high = limits(dtype)
    volume = rng.integers(low, high, shape, "u1" if dtype == "bool" else dtype, endpoint=True)
    volume[2:5, 2:6, 3:6], volume[2:5, 2:6, 6:9] = low, high
    return volume.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", MIXING)
def test_equals_scipy_rounded(interpolation, dtype):
    volume = full_range(dtype)
    matrix, offset = exact_affine(SHAPE)
    out = nan_filled(SHAPE, dtype)
    options = {"interpolation": interpolation, "mode": "mirror"}
    assert affine_transform(volume, matrix, offset, out=out, **options) is out
    order = {"linear": 1, "cubic": 3}[interpolation]
    expected = scipy.ndimage.affine_transform(
        volume.astype(np.float64), matrix, offset, order=order, mode="mirror"
    )
    # what the arithmetic, in float32 or float64, does to a mean of numbers of this size
    precision = {"linear": 4, "cubic": 32}[interpolation] * np.finfo(
        np.float32 if dtype in SMALL else np.float64
    ).eps
    slack = precision * np.abs(volume.astype(np.float64)).max()
    if np.dtype(dtype).kind == "f":
        slack += np.finfo(dtype).eps * np.abs(expected)
        assert (np.abs(out.astype(np.float64) - expected) <= slack).all()
        return
    rounded = reference.rounded(expected, dtype)
    near_half = np.abs(np.abs(expected - np.trunc(expected)) - 0.5) <= slack
    np.testing.assert_array_equal(out[~near_half], rounded[~near_half])
    difference = np.abs(out.astype(np.float64) - rounded.astype(np.float64))
    assert (difference <= max(1, 2 * slack)).all()
    if interpolation == "cubic" and dtype != "bool":  # it overshoots: something is to be saturated
        low, high = limits(dtype)
        assert (expected > high + 0.5).any()
        assert (expected < low - 0.5).any()


@pytest.mark.parametrize("dtype", [dtype for dtype in INTEGERS if dtype not in SMALL])
def test_large_dtypes_are_exact_in_float64(dtype):
    """Numbers below 2^40, of which float32 would lose the last bits."""
    high = 2**31 - 1 if dtype == "int32" else 2**32 - 1 if dtype == "uint32" else 2**40
    volume = np.random.default_rng(1).integers(high - 1000, high, SHAPE).astype(dtype)
    matrix, offset = exact_affine(SHAPE)
    result = affine_transform(volume, matrix, offset, mode="nearest")
    expected = reference.rounded(
        scipy.ndimage.affine_transform(
            volume.astype(float), matrix, offset, order=1, mode="nearest"
        ),
        dtype,
    )
    difference = result.astype(float) - expected.astype(float)
    assert (np.abs(difference) <= 1).all()
    assert (difference == 0).mean() > 0.99


@pytest.mark.parametrize("dtype", [dtype for dtype in SMALL if dtype != "float32"])
@pytest.mark.parametrize("interpolation", MIXING)
def test_small_dtypes_are_float32_rounded_once(interpolation, dtype):
    volume = full_range(dtype)
    matrix, offset = mild_affine(SHAPE)
    options = {"interpolation": interpolation, "mode": "reflect"}
    result = affine_transform(volume, matrix, offset, **options)
    assert result.dtype == dtype
    in_float32 = affine_transform(volume.astype(np.float32), matrix, offset, **options)
    np.testing.assert_array_equal(result, reference.rounded(in_float32, dtype))


@pytest.mark.parametrize("interpolation", MIXING)
def test_a_bool_is_0_or_1(interpolation):
    """Also where a spline overshoots by more than a half: here to 2.4."""
    n = 16
    peak = affine_transform(
        np.eye(n)[np.newaxis], np.eye(3), (0, 0, 0.5), interpolation="cubic", mode="mirror"
    )[0, :, n // 2]
    volume = np.einsum("i,j,k->ijk", peak, peak, peak) > 0
    result = affine_transform(volume, np.eye(3), 0.5, interpolation=interpolation, mode="mirror")
    assert result.dtype == bool
    assert result.view(np.uint8).max() <= 1


@pytest.mark.parametrize("dtype", INTEGERS)
def test_halves_round_away_from_zero(dtype):
    pairs = [(0, 1), (1, 2), (2, 3), (4, 7), (100, 101)]
    expected = [1, 2, 3, 6, 101]
    if np.dtype(dtype).kind == "i":
        pairs += [(-1, 0), (-2, -1), (-3, -2), (-7, -4), (-128, -127)]
        expected += [-1, -2, -3, -6, -128]
    volume = np.repeat(np.array(pairs, dtype).T[:, :, np.newaxis], 11, 2)  # (2, pairs, 11)
    result = affine_transform(volume, np.eye(3), (0.5, 0, 0), output_shape=(1, len(pairs), 11))
    np.testing.assert_array_equal(result[0], np.repeat(np.array([expected], dtype).T, 11, 1))


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_limits_survive_as_constants(interpolation, dtype):
    matrix, offset = mild_affine(SHAPE)
    points = np.random.default_rng(4).normal(0, 1, (3, 4, 5, 6))
    for limit in limits(dtype):
        volume = np.full(SHAPE, limit, dtype)
        for mode in ("mirror", "constant", "grid-constant"):
            for lattice in (None, points):
                result = Warp(SHAPE, matrix, offset + 1.3, lattice).apply(
                    volume, interpolation=interpolation, mode=mode, cval=limit
                )
                assert result.dtype == dtype
                if interpolation == "cubic" and volume.itemsize == 8:
                    # 64 weights, whose sum is one to the last bits of a float64 only
                    np.testing.assert_allclose(result.astype(float), float(limit), rtol=2e-15)
                else:
                    assert (result == volume).all(), (limit, mode, np.unique(result))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", PICKING)
def test_picked_bits_are_copied(interpolation, dtype):
    """Any pattern of bits, of a NaN as well; and the fill."""
    matrix, offset = mild_affine(SHAPE)
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    if dtype == "bool":
        values = np.array([False, True])
    else:
        values = np.random.default_rng(6).integers(0, np.iinfo(bits).max, 9, bits).view(dtype)
    codes = np.random.default_rng(7).integers(0, len(values), SHAPE).astype(np.uint8)
    options = {"interpolation": interpolation, "mode": "constant"}
    result = affine_transform(values[codes], matrix, offset, cval=1, **options)
    expected = affine_transform(codes, matrix, offset, cval=200, **options)
    inside = expected != 200
    assert 0 < inside.sum() < inside.size
    np.testing.assert_array_equal(result[inside].view(bits), values[expected[inside]].view(bits))
    assert (result[~inside] == 1).all()


@pytest.mark.parametrize("interpolation", PICKING)
@pytest.mark.parametrize(
    ("dtype", "ids"),
    [
        ("int32", (2**24 + 1, 2**24 + 2, -(2**31), 2**31 - 1)),
        ("uint32", (2**24 + 1, 2**31 + 1, 2**32 - 1)),
        ("int64", (2**53 + 1, 2**53 + 2, -(2**53) - 1, 2**63 - 1)),
        ("uint64", (2**53 + 1, 2**63 + 5, 2**63 + 6, 2**64 - 1)),
        ("float64", (2.0**53 - 1, 2.0**53 - 2)),
    ],
)
def test_ids_beyond_a_float_survive(interpolation, dtype, ids):
    """In the volume, and as a fill."""
    ids = np.array(ids, dtype)
    codes = random_volume(SHAPE, np.uint8) % len(ids)
    matrix, offset = mild_affine(SHAPE)
    options = {"interpolation": interpolation, "mode": "constant"}
    codes_after = affine_transform(codes, matrix, offset, cval=len(ids) - 1, **options)
    for fill in (ids[-1], ids[-1].item(), ids[-1:]):
        result = affine_transform(ids[codes], matrix, offset, cval=fill, **options)
        np.testing.assert_array_equal(result, ids[codes_after])


@pytest.mark.parametrize(("name", "same"), [("longlong", "int64"), ("ulonglong", "uint64")])
def test_other_names_of_a_dtype(name, same):
    """C has two types of 64 bits, of which NumPy calls one int64."""
    volume = random_volume(SHAPE, same)
    result = affine_transform(volume.astype(name), np.eye(3), 0.3)
    np.testing.assert_array_equal(result, affine_transform(volume, np.eye(3), 0.3))
