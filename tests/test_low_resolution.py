"""A channel loses voxels along each axis, and has as many again."""

import itertools

import numpy as np
import pytest

from support.volumes import blob, centroid, drawn, random_volume
from volaug import RandomLowResolution
from volaug.checks import DTYPES
from volaug.transforms.low_resolution import LowResolution, kept_voxels, lower_resolution
from volaug.transforms.per_channel import ChannelId

SHAPE = (33, 41, 37)
LENGTHS = (20, 13, 36)
HERE = ChannelId("image", 0)
NAN, INF = np.nan, np.inf


def nearest(length, count):
    """The voxels nearest to the centers of fewer, of two the one behind: with whole numbers."""
    places = (2 * np.arange(count) + 1) * length - count  # times 2 count
    distances = np.abs(2 * count * np.arange(length) - places[:, np.newaxis])
    return length - 1 - distances[:, ::-1].argmin(axis=1)


def mixing(length, count):
    """The matrix (length, count) that mixes voxels linearly of fewer, by numpy's np.interp."""
    centers = (np.arange(count) + 0.5) * length / count - 0.5
    columns = [np.interp(np.arange(length), centers, one) for one in np.eye(count)]
    return np.transpose(columns)


def by_numpy(volume, lengths):
    """From the definition, in float64 and not rounded."""
    kept = map(nearest, volume.shape, lengths)
    result = volume[np.ix_(*kept)].astype(np.float64)
    for axis, (length, count) in enumerate(zip(volume.shape, lengths, strict=True)):
        result = np.moveaxis(np.tensordot(mixing(length, count), result, (1, axis)), 0, axis)
    return result


def lowered(volume, lengths=LENGTHS, threads=1):
    result = volume.copy(order="K")
    lower_resolution(result, lengths, threads)
    return result


def has_ties(length, count):
    """Whether a center lies in the middle between two voxels."""
    return any((2 * i + 1) * length % (2 * count) == 0 for i in range(count))


def test_the_nearest_voxels_are_kept():
    for length in range(1, 50):
        for count in range(1, length + 1):
            np.testing.assert_array_equal(kept_voxels(length, count), nearest(length, count))


@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.slow
def test_equals_its_definition(dtype):
    volume = random_volume(SHAPE, dtype)
    result = lowered(volume)
    assert result.dtype == dtype
    bound = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}.get(dtype, 0.5001)
    assert np.abs(result.astype(np.float64) - by_numpy(volume, LENGTHS)).max() < bound


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "uint32"])
def test_integers_of_all_sizes(dtype):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(1)
    volume = rng.integers(limits.min, limits.max, SHAPE, dtype, endpoint=True)
    result = lowered(volume).astype(np.float64)
    bound = 0.51 if limits.bits == 16 else 0.5001
    assert np.abs(result - by_numpy(volume, LENGTHS)).max() < bound


@pytest.mark.parametrize("shape", [(7, 5, 9), (1, 9, 8), (2, 3, 1), (5, 1, 7), (1, 1, 1)])
def test_all_lengths_from_one_on(shape):
    volume = random_volume(shape)
    for lengths in itertools.product(*(range(1, n + 1) for n in shape)):
        expected = by_numpy(volume, lengths)
        np.testing.assert_allclose(lowered(volume, lengths), expected, atol=2e-6)


def test_one_voxel_is_left_everywhere():
    volume = random_volume((8, 5, 9))
    np.testing.assert_array_equal(lowered(volume, (1, 1, 1)), np.full_like(volume, volume[4, 2, 4]))


SPECIAL = {
    "float16": (NAN, INF, -INF, -0.0, 65504, 6e-8),
    "float32": (NAN, INF, -INF, -0.0, 3e38, 1e-45),
    "float64": (NAN, INF, -INF, -0.0, 1e308, 5e-324),
    "int64": (2**63 - 1, -(2**63), 2**53 + 1, -(2**53) - 1),
    "uint64": (2**64 - 1, 2**63 + 1, 2**53 + 1),
}


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_with_all_voxels_every_bit_stays(dtype):
    volume = random_volume((6, 7, 9), dtype)
    volume.flat[5 : 5 + len(SPECIAL.get(dtype, ()))] = SPECIAL.get(dtype, ())
    expected = volume.tobytes()
    assert lowered(volume, volume.shape).tobytes() == expected
    LowResolution(1.0).change(volume, HERE, 1)
    assert volume.tobytes() == expected


def test_an_axis_that_keeps_its_voxels_keeps_them_apart():
    volume = random_volume(SHAPE)
    for axis in range(3):
        lengths = [
            n if a == axis else m for a, (n, m) in enumerate(zip(SHAPE, LENGTHS, strict=True))
        ]
        slices = [volume.take([place], axis) for place in range(SHAPE[axis])]
        lengths_alone = [1 if a == axis else m for a, m in enumerate(lengths)]
        alone = [lowered(part, lengths_alone) for part in slices]
        np.testing.assert_array_equal(lowered(volume, lengths), np.concatenate(alone, axis))


def test_a_constant_stays_to_the_bit():
    constant = np.full(SHAPE, 0.1, np.float32)
    np.testing.assert_array_equal(lowered(constant), constant)
    nothing = np.full(SHAPE, NAN, np.float32)
    assert np.isnan(lowered(nothing)).all()


def untied(length):
    return [(length, count) for count in range(1, length + 1) if not has_ties(length, count)]


UNTIED = [*zip(untied(38), untied(41)[::-1], untied(43)[3:], strict=False)]
HALVES = ((32, 16), (40, 10), (48, 24))  # a tie everywhere, where floats are exact


@pytest.mark.parametrize("pairs", [*UNTIED, HALVES])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.oracle("torch")
def test_equals_torchs(dtype, pairs):
    """Nearest-exact and trilinear. Where a tie is not exact in float32, torch rounds it."""
    from torch import from_numpy
    from torch.nn.functional import interpolate

    shape, lengths = zip(*pairs, strict=True)
    volume = random_volume(shape, dtype)
    few = interpolate(from_numpy(volume)[None, None], lengths, mode="nearest-exact")
    expected = interpolate(few, shape, mode="trilinear")[0, 0].numpy()
    atol = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(lowered(volume, lengths), expected, atol=atol)


def test_most_lengths_are_compared():
    assert len(UNTIED) > 10
    assert all(has_ties(*pair) for pair in HALVES)


@pytest.mark.parametrize("ignored", [None, (0,)])
@pytest.mark.parametrize("share", [0.6, 0.55, 0.8])
@pytest.mark.oracle("torch", "batchgeneratorsv2")
def test_equals_batchgeneratorsv2(share, ignored):
    import torch
    from batchgeneratorsv2.transforms.spatial import low_resolution as module

    volume = random_volume(SHAPE)
    theirs = module.SimulateLowResolutionTransform(share, True, True, ignored)
    expected = theirs(image=torch.from_numpy(volume.copy())[None])["image"][0].numpy()
    assert not any(has_ties(n, round(n * share)) for n in SHAPE)
    scale = (share,) * 3 if ignored is None else (1.0, share, share)
    result = volume.copy()
    LowResolution(scale).change(result, HERE, 1)
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("lengths", [(15, 17, 19), (24, 31, 29), (9, 50, 57), (41, 26, 23)])
def test_it_moves_nothing(lengths):
    """The middle of a blob stays, with fewer voxels than a half, and with more."""
    shape = (45, 51, 57)
    assert not any(map(has_ties, shape, lengths))
    before = blob(shape, (20.3, 26.6, 29.1), 5.0)
    np.testing.assert_allclose(centroid(lowered(before, lengths)), centroid(before), atol=0.1)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("count", [5, 9, 15, 22, 31, 44, 45])
def test_a_ramp_stays_one_to_half_a_voxel(count, axis):
    """What is kept lies as near as that to a center; and on it where 45 is an odd multiple."""
    shape = tuple(45 if a == axis else n for a, n in enumerate((4, 5, 3)))
    ramp = np.indices(shape)[axis].astype(np.float32)
    lengths = tuple(count if a == axis else n for a, n in enumerate(shape))
    edge = 45 / count / 2 - 0.5
    inner = (ramp >= edge) & (ramp <= 44 - edge)
    apart = lowered(ramp, lengths)[inner] - ramp[inner]
    assert np.abs(apart).max() <= (0.5001 if 45 % count else 1e-5)
    assert abs(apart.mean()) < 0.02


def test_mirrored_it_is_mirrored():
    volume = random_volume(SHAPE)
    assert not any(map(has_ties, SHAPE, LENGTHS))
    for axis in range(3):
        mirrored = lowered(np.flip(volume, axis).copy())
        np.testing.assert_allclose(np.flip(mirrored, axis), lowered(volume), atol=2e-6)


def has_weight(length, count):
    """(length, count): whether the weight of a kept voxel is more than 0, with whole numbers."""
    places = (2 * np.arange(length) + 1) * count - length  # times 2 length
    places = np.clip(places, 0, 2 * length * (count - 1))
    return np.abs(places[:, np.newaxis] - 2 * length * np.arange(count)) < 2 * length


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ((27, 25, 21), (9, 5, 7)),
        ((27, 25, 21), (27, 25, 7)),
        ((13, 14, 15), (13, 9, 4)),
        ((45, 63, 55), (9, 21, 5)),
        ((23, 25, 33), (13, 7, 9)),  # with weights of 0 that a float64 may miss
        ((29, 35, 39), (15, 29, 31)),
    ],
)
def test_what_is_not_finite_reaches_no_further_than_its_weight(shape, lengths, value):
    weights = list(map(has_weight, shape, lengths))
    for way in np.linspace(0, 1, 20):
        place = [round(way * (m - 1)) for m in lengths]
        voxel = [nearest(n, m)[at] for n, m, at in zip(shape, lengths, place, strict=True)]
        volume = random_volume(shape)
        volume[tuple(voxel)] = value
        reach0, reach1, reach2 = (w[:, at] for w, at in zip(weights, place, strict=True))
        expected = reach0[:, np.newaxis, np.newaxis] & reach1[:, np.newaxis] & reach2
        assert expected.any()
        np.testing.assert_array_equal(~np.isfinite(lowered(volume, lengths)), expected)


def test_a_voxel_that_is_not_kept_reaches_nothing():
    volume = random_volume((27, 25, 21))
    expected = lowered(volume, (9, 5, 7))
    volume[0, 2, 1] = volume[1, 3, 1] = volume[1, 2, 2] = NAN
    np.testing.assert_array_equal(lowered(volume, (9, 5, 7)), expected)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_the_same_bits_for_any_threads(dtype):
    volume = random_volume((70, 81, 93), dtype)
    alone = lowered(volume, (41, 30, 77))
    assert (alone != volume).mean() > 0.5
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(lowered(volume, (41, 30, 77), threads), alone)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_any_memory_order(dtype):
    volume = random_volume(SHAPE, dtype)
    expected = by_numpy(volume, LENGTHS)
    bound = 2e-6 if dtype == "float32" else 0.5001
    for order in itertools.permutations(range(3)):
        ordered = volume.transpose(order).copy().transpose(np.argsort(order))
        assert np.abs(lowered(ordered) - expected).max() < bound
    room = np.full((66, 41, 74), 5, dtype)
    window = room[::2, ::-1, 1::2]
    window[...] = volume
    lower_resolution(window, LENGTHS, 1)
    assert np.abs(window - expected).max() < bound
    assert (room[1::2] == 5).all()
    assert (room[:, :, ::2] == 5).all()


def test_the_step_does_what_it_drew():
    """So many voxels are kept as a share of them rounds to, and at least one."""
    image = random_volume((2, *SHAPE))
    record = drawn([RandomLowResolution((0.2, 0.8), isotropic=False, p=1)], SHAPE)
    lengths = [round(n * s) for n, s in zip(SHAPE, record.steps[0][1].resolution, strict=True)]
    result = record.apply(image=image, label=image)
    for channel, before in zip(result["image"], image, strict=True):
        np.testing.assert_allclose(channel, by_numpy(before, lengths), atol=2e-6)
    np.testing.assert_array_equal(result["label"], image)
    few = drawn([RandomLowResolution((0.001, 0.001), p=1)], SHAPE).apply(image=image)["image"]
    np.testing.assert_array_equal(np.ptp(few, axis=(1, 2, 3)), 0)
