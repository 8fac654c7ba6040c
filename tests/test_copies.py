"""Maps of whole voxels are copies: every order of axes, direction, border and layout."""

import itertools

import numpy as np
import pytest
import scipy.ndimage

from support.volumes import affine_of, nan_filled, random_volume
from volaug.checks import DTYPES
from volaug.kernels.warp.copies import BLOCK_WIDTH, reverse_planes, transpose_planes
from volaug.warping.engine import copies

MAPS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
# what numpy.pad calls a border
PADS = {
    "constant": "constant",
    "grid-constant": "constant",
    "edge-constant": "constant",
    "nearest": "edge",
    "reflect": "symmetric",
    "mirror": "reflect",
    "grid-wrap": "wrap",
}
SCIPY_MODES = ("constant", "grid-constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap")
# of a source and of an output; the last is wide enough for blocks of any dtype
SHAPES = [
    ((1, 1, 1), (3, 4, 5)),
    ((1, 5, 9), (7, 1, 6)),
    ((6, 1, 17), (4, 5, 9)),
    ((5, 7, 1), (9, 8, 3)),
    ((4, 5, 6), (2, 3, 1)),
    ((7, 5, 9), (11, 13, 20)),
    ((34, 45, 39), (41, 37, 50)),
]


def padded(volume, order, signs, shifts, shape, mode, fills):
    """The voxels that a map reads, from numpy's own borders, one axis at a time."""
    if PADS[mode] == "constant" and len(volume) > 1:
        channels = (volume[k : k + 1] for k in range(len(volume)))
        parts = [
            padded(channel, order, signs, shifts, shape, mode, [fill])
            for channel, fill in zip(channels, fills, strict=True)
        ]
        return np.concatenate(parts)
    values = {"constant_values": fills[0]} if PADS[mode] == "constant" else {}
    result = volume
    for axis in range(3):
        places = signs[axis] * np.arange(shape[order[axis]]) + shifts[axis]
        before, after = max(0, -places.min()), max(0, places.max() + 1 - volume.shape[1 + axis])
        width = [(before, after) if k == 1 + axis else (0, 0) for k in range(4)]
        result = np.pad(result, width, mode=PADS[mode], **values).take(places + before, 1 + axis)
    return result.transpose(0, *(1 + axis for axis in np.argsort(order)))


def copied(volume, order, signs, shifts, shape, mode="constant", fills=None, threads=1, out=None):
    voxel_map = copies.whole_voxel_map(affine_of(order, signs, shifts), shape)
    assert voxel_map is not None
    if out is None:
        out = nan_filled((len(volume), *shape), volume.dtype)
    fills = np.zeros(len(volume), volume.dtype) if fills is None else fills
    copies.copy_voxels(volume, out, voxel_map, mode, fills, threads)
    return out


def centered(order, signs, source, shape):
    """Shifts that take the output's center near the source's."""
    return [
        (n - 1 - sign * (shape[axis] - 1)) // 2 + extra
        for n, sign, axis, extra in zip(source, signs, order, (1, -2, 3), strict=True)
    ]


@pytest.mark.parametrize("mode", PADS)
@pytest.mark.parametrize(("source", "shape"), SHAPES)
@pytest.mark.slow
def test_all_maps_equal_numpy(source, shape, mode):
    volume = random_volume((2, *source))
    fills = np.array([7.0, -3.0], np.float32)
    for order, signs in MAPS:
        shifts = centered(order, signs, source, shape)
        result = copied(volume, order, signs, shifts, shape, mode, fills)
        expected = padded(volume, order, signs, shifts, shape, mode, fills)
        np.testing.assert_array_equal(result, expected, err_msg=f"{order} {signs}")


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize(("source", "shape"), SHAPES[:-1])
@pytest.mark.parametrize("shifts", [(0, 0, 0), (3, -5, 4), (-40, 31, 29)])
@pytest.mark.slow
def test_maps_equal_scipy(source, shape, mode, shifts):
    volume = random_volume((1, *source), np.float64)
    for order, signs in MAPS[::5]:
        affine = affine_of(order, signs, shifts)
        expected = scipy.ndimage.affine_transform(
            volume[0], affine[:, :3], affine[:, 3], shape, order=0, mode=mode, cval=2.5
        )
        result = copied(volume, order, signs, shifts, shape, mode, np.array([2.5]))
        np.testing.assert_array_equal(result[0], expected, err_msg=f"{order} {signs}")


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_border_rules_equal_scipy(mode, length):
    """Far outside, and of a source that is repeated more often than there are boxes for."""
    volume = random_volume((1, 1, length, 2), np.float64)
    result = copied(volume, (0, 1, 2), (1, -1, 1), (0, 90, -9), (3, 200, 20), mode)
    expected = scipy.ndimage.affine_transform(
        volume[0], np.diag((1, -1, 1)), (0, 90, -9), (3, 200, 20), order=0, mode=mode
    )
    np.testing.assert_array_equal(result[0], expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.slow
def test_bits_of_any_dtype_in_all_maps(dtype):
    dtype = np.dtype(dtype)
    source, shape = SHAPES[-1]
    if dtype == np.bool_:
        volume = random_volume((1, *source), dtype)
    else:  # any bits, so that some are NaN with a payload
        rng = np.random.default_rng(3)
        raw = rng.integers(0, 256, (1, *source[:2], source[2] * dtype.itemsize), np.uint8)
        volume = raw.view(dtype)
    bits = f"u{dtype.itemsize}"
    for order, signs in MAPS:
        shifts = centered(order, signs, source, shape)
        result = copied(volume, order, signs, shifts, shape, "mirror")
        expected = padded(volume.view(bits), order, signs, shifts, shape, "mirror", None)
        np.testing.assert_array_equal(result.view(bits), expected, err_msg=f"{order} {signs}")


def test_bits_of_a_fill_survive():
    fill = np.array([0x7FC12345], np.uint32).view(np.float32)
    volume = random_volume((1, 2, 3, 4))
    result = copied(volume, (0, 1, 2), (1, 1, 1), (9, 0, 0), (2, 2, 2), "constant", fill)
    np.testing.assert_array_equal(result.view(np.uint32), 0x7FC12345)


def in_memory(order, signs):
    """Make a copy whose axes lie in memory in another order and direction."""

    def make(array):
        forward = (slice(None), *(slice(None, None, sign) for sign in signs))
        axes = (0, *(1 + axis for axis in order))
        ordered = np.ascontiguousarray(array[forward].transpose(axes))
        return ordered.transpose(np.argsort(axes))[forward]

    return make


def amid(array):
    """The same voxels as a slot of a larger array."""
    larger = np.zeros((len(array) + 2, *(n + 5 for n in array.shape[1:])), array.dtype)
    place = larger[1:-1, 2:-3, 3:-2, 1:-4]
    place[...] = array
    return place


def unaligned(array):
    raw = np.empty(array.nbytes + 1, np.uint8)[1:]
    place = raw.view(array.dtype).reshape(array.shape)
    place[...] = array
    return place


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "each channel in Fortran order": in_memory((2, 1, 0), (1, 1, 1)),
    "turned": in_memory((1, 2, 0), (1, -1, 1)),
    "reversed": in_memory((0, 1, 2), (-1, -1, -1)),
    "reversed rows": in_memory((0, 1, 2), (1, 1, -1)),
    "turned and reversed": in_memory((2, 0, 1), (-1, 1, -1)),
    "every second voxel": lambda v: np.repeat(v, 2, 3)[..., ::2],
    "channels last": lambda v: np.moveaxis(np.ascontiguousarray(np.moveaxis(v, 0, -1)), -1, 0),
    "channels reversed": lambda v: v[::-1].copy()[::-1],
    "amid others": amid,
    "unaligned": unaligned,
}


@pytest.mark.parametrize("target", LAYOUTS)
@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.slow
def test_any_layout_to_any_layout(source, target):
    volume = random_volume((2, 34, 21, 39), np.int16)
    given = LAYOUTS[source](volume)
    given.flags.writeable = False
    for order, signs, mode in (
        ((0, 1, 2), (1, 1, 1), "constant"),
        ((0, 1, 2), (1, -1, -1), "nearest"),
        ((2, 1, 0), (1, 1, 1), "constant"),
        ((1, 2, 0), (-1, 1, -1), "mirror"),
    ):
        shape = (24, 37, 25)
        shifts = centered(order, signs, volume.shape[1:], shape)
        fills = np.array([5, 6], np.int16)
        out = LAYOUTS[target](nan_filled((2, *shape), np.int16))
        copied(given, order, signs, shifts, shape, mode, fills, out=out)
        expected = padded(volume, order, signs, shifts, shape, mode, fills)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(("order", "signs"), MAPS[::3])
def test_only_the_slot_is_written(order, signs):
    volume = random_volume((3, 34, 37, 40))
    larger = nan_filled((5, 45, 46, 47), np.float32)
    out = larger[1:4, 2:43, 3:42, 4:42]
    expected = copied(volume, order, signs, (2, 35, 3), out.shape[1:], "reflect")
    copied(volume, order, signs, (2, 35, 3), out.shape[1:], "reflect", out=out)
    np.testing.assert_array_equal(out, expected)
    assert np.isnan(larger).sum() == larger.size - out.size


@pytest.mark.parametrize("mode", ["constant", "mirror"])
@pytest.mark.parametrize(("order", "signs"), MAPS[::3])
def test_same_bits_in_any_pieces_for_any_threads(order, signs, mode, monkeypatch):
    monkeypatch.setattr(copies, "PIECE", 5000)
    source, shape = SHAPES[-1]
    volume = random_volume((2, *source))
    shifts = centered(order, signs, source, shape)
    fills = np.array([1, 2], np.float32)
    expected = padded(volume, order, signs, shifts, shape, mode, fills)
    for threads in (1, 2, 3, 7):
        result = copied(volume, order, signs, shifts, shape, mode, fills, threads)
        np.testing.assert_array_equal(result, expected)


def test_a_volume_of_many_pieces():
    volume = random_volume((2, 70, 80, 90))
    for order, signs in MAPS[::7]:
        shape = tuple(volume.shape[1 + order.index(axis)] for axis in range(3))
        shifts = [n - 1 if sign < 0 else 0 for n, sign in zip((70, 80, 90), signs, strict=True)]
        forward = (slice(None), *(slice(None, None, sign) for sign in signs))
        expected = volume[forward].transpose(0, *(1 + order.index(axis) for axis in range(3)))
        result = copied(volume, order, signs, shifts, shape, threads=2)
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("shift", [100, -100, 2**52, -(2**52)])
@pytest.mark.parametrize("mode", PADS)
def test_wholly_outside(shift, mode):
    """A shift by a multiple of every period is one by a few voxels."""
    volume = random_volume((2, 5, 5, 5))
    fills = np.array([8, 9], np.float32)
    result = copied(volume, (1, 0, 2), (1, 1, -1), (1, shift, 4), (6, 5, 5), mode, fills)
    if PADS[mode] == "constant":
        expected = np.broadcast_to(fills[:, None, None, None], result.shape)
    else:
        near = shift % 40  # the periods of 5 voxels are 5, 8, 10
        if mode == "nearest":
            near = 100 if shift > 0 else -100
        expected = padded(volume, (1, 0, 2), (1, 1, -1), (1, near, 4), (6, 5, 5), mode, fills)
    np.testing.assert_array_equal(result, expected)


def test_a_short_source_repeated_often_is_few_boxes(monkeypatch):
    volume = random_volume((1, 2, 3, 2))
    box_copy, calls = copies._box_copy, []

    def counted(*arguments):
        calls.append(arguments)
        return box_copy(*arguments)

    monkeypatch.setattr(copies, "_box_copy", counted)
    result = copied(volume, (0, 1, 2), (1, 1, 1), (5, -6, 8), (60, 70, 80), "grid-wrap")
    expected = np.tile(volume, (1, 40, 40, 50))[:, 5:65, 6:76, 8:88]
    np.testing.assert_array_equal(result, expected)
    assert len(calls) < 10


def test_a_source_that_is_one_plane_repeated():
    plane = random_volume((1, 64, 1, 70))
    volume = np.broadcast_to(plane, (1, 64, 5, 70))
    for order, signs in MAPS:
        for width in (1, 4):
            lengths = (64, width, 70)
            shape = tuple(lengths[order.index(axis)] for axis in range(3))
            shifts = [n - 1 if sign < 0 else 0 for n, sign in zip(lengths, signs, strict=True)]
            result = copied(volume, order, signs, shifts, shape)
            expected = padded(volume, order, signs, shifts, shape, "constant", [0])
            np.testing.assert_array_equal(result, expected)


def test_kernels_are_compiled_once_an_item_size():
    """Layout, mutability, direction, border and dtype are arguments, not compilations."""
    for dtype in (np.float32, np.int32, np.uint32):
        volume = random_volume((2, 40, 41, 42), dtype)
        frozen = volume.copy()
        frozen.flags.writeable = False
        for given in (volume, frozen, np.asfortranarray(volume), volume[:, ::-1, :, 1:]):
            for order, signs in MAPS[::5]:
                copied(given, order, signs, (5, 6, 7), (40, 39, 38), "mirror")
    for kernel in (reverse_planes, transpose_planes):
        items = [signature[0].dtype for signature in kernel.signatures]
        assert len(items) == len(set(items))
        assert len(items) <= len(BLOCK_WIDTH)
