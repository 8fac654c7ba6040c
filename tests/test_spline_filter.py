import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from reference import spline_at
from support.layouts import OTHERS, WALKABLE
from support.volumes import SHAPES, nan_filled, random_volume
from volaug import spline_filter
from volaug.threads.parts import VOXELS_WORTH_A_THREAD
from volaug.warping.engine import memory_layout as layout
from volaug.warping.engine.prefilter import MODES, padded_coefficients

EXTENSIONS = (*MODES, "nearest", "grid-constant")
NUMPY_PAD = {
    "mirror": "reflect",
    "reflect": "symmetric",
    "grid-wrap": "wrap",
    "nearest": "edge",
    "grid-constant": "constant",
}
FLOAT32 = ("bool", "int8", "uint8", "int16", "uint16", "float16", "float32")
FLOAT64 = ("int32", "uint32", "int64", "uint64", "float64")
FILL = 1.75


@pytest.fixture(autouse=True)
def _unwritten_is_nan(monkeypatch):
    """A coefficient that nobody wrote shows, and a sample that is read before it is there."""

    def empty_in_order(order, channels, shape, dtype):
        ordered = nan_filled((channels, *(shape[axis] for axis in order)), dtype)
        return ordered.transpose(0, *(1 + order.index(axis) for axis in range(3)))

    monkeypatch.setattr(layout, "empty_in_order", empty_in_order)


def extended(volume, mode, count):
    """`volume` with `count` voxels of its extension at each end."""
    options = {"constant_values": FILL} if mode == "grid-constant" else {}
    return np.pad(volume.astype(float), count, mode=NUMPY_PAD[mode], **options)


def infinite(volume, mode, padding=0):
    """Coefficients by scipy, from so long an extension that its own end is not felt."""
    count = 30 + padding
    coefficients = ndimage.spline_filter(extended(volume, mode, count), output=np.float64)
    return coefficients[(slice(30, -30),) * 3]


def padded(volume, extension, fill=FILL):
    coefficients, padding = padded_coefficients(volume[np.newaxis], extension, np.array([fill]), 1)
    return coefficients[0], padding


def assert_near(result, expected):
    """To 3e-7 of the largest coefficient, and to 1e-14 of it in float64."""
    relative = 3e-7 if result.dtype == np.float32 else 1e-14
    np.testing.assert_allclose(result, expected, rtol=0, atol=relative * np.abs(expected).max())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", FLOAT32 + FLOAT64)
def test_as_scipy(mode, dtype):
    volume = random_volume((19, 18, 33), dtype)
    result = spline_filter(volume, mode=mode)
    assert result.dtype == (np.float32 if dtype in FLOAT32 else np.float64)
    assert_near(result, ndimage.spline_filter(volume.astype(float), 3, mode=mode))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [*SHAPES, (2, 3, 4), (3, 2, 1), (2, 2, 2)])
@pytest.mark.slow
def test_axes_shorter_than_the_margin(shape, mode, dtype):
    volume = random_volume(shape, dtype)
    result = spline_filter(volume, mode=mode)
    assert_near(result, infinite(volume, mode))
    if mode != "reflect":  # on short axes scipy's own start of it is inexact, 6e-4 at (2, 3, 4)
        assert_near(result, ndimage.spline_filter(volume.astype(float), 3, mode=mode))


def test_mirror_is_the_default():
    volume = random_volume((5, 6, 7))
    np.testing.assert_array_equal(spline_filter(volume), spline_filter(volume, mode="mirror"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 9), (5, 7, 1), (2, 3, 4), (19, 18, 33)])
@pytest.mark.slow
def test_padded_coefficients_are_those_of_the_infinite_extension(shape, extension, dtype):
    volume = random_volume(shape, dtype)
    result, padding = padded(volume, extension)
    assert padding == (2 if extension in MODES else 12 if dtype == "float32" else 20)
    assert result.shape == tuple(n + 2 * padding for n in shape)
    assert_near(result, infinite(volume, extension, padding))


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.slow
def test_the_spline_goes_through_the_voxels(extension, dtype):
    volume = random_volume((1, 3, 5), dtype)
    coefficients, padding = padded(volume, extension)
    outside = padding - 2
    expected = extended(volume, extension, outside)
    for voxel in np.ndindex(*expected.shape):
        value = spline_at(coefficients, voxel, padding - outside)
        assert abs(value - expected[voxel]) < (1e-5 if dtype == "float32" else 1e-13), voxel


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("shape", [(12, 13, 17), (1, 14, 12)])
def test_the_spline_between_voxels_is_scipys(shape, extension):
    volume = random_volume(shape, np.float64)
    coefficients, padding = padded(volume, extension)
    outside = 10 if extension in ("nearest", "grid-constant") else 0
    rng = np.random.default_rng(1)
    last = np.subtract(shape, 1.0)
    places = rng.uniform(-outside, last + outside, (400, 3))
    places[:4] = np.zeros(3), last, [-outside] * 3, last + outside
    expected = ndimage.map_coordinates(volume, places.T, order=3, mode=extension, cval=FILL)
    values = [spline_at(coefficients, place, padding) for place in places]
    relative = 2e-6 if outside else 1e-10  # scipy cuts the extension off after 12 voxels
    np.testing.assert_allclose(values, expected, rtol=0, atol=relative * np.ptp(volume))


def test_each_channel_has_its_fill():
    volume, fill = random_volume((3, 4, 5, 6), np.float64), np.array([-2.0, 0.0, 40.0])
    result, _ = padded_coefficients(volume, "grid-constant", fill, 1)
    for channel in range(3):
        expected, _ = padded(volume[channel], "grid-constant", fill[channel])
        np.testing.assert_array_equal(result[channel], expected)
        np.testing.assert_allclose(result[channel, 0, 0, 0], fill[channel], atol=1e-5)


def test_channels_are_filtered_one_by_one():
    volume = random_volume((4, 9, 10, 21))
    for channels in (volume, volume[::2], volume[::-1], np.asfortranarray(volume), volume[:1]):
        result = spline_filter(channels)
        assert result.shape == channels.shape
        for one, expected in zip(result, channels, strict=True):
            assert_near(one, spline_filter(expected.copy()))


@pytest.mark.parametrize("name", [*WALKABLE, *OTHERS])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_a_volume_in_any_layout(name, dtype):
    volume = random_volume((9, 10, 21), dtype)
    with np.errstate(invalid="ignore"):  # what lies around "cropped" is no integer
        given = (WALKABLE | OTHERS)[name](volume)
    given.flags.writeable = False
    result = spline_filter(given, mode="reflect")
    assert_near(result, infinite(volume, "reflect"))
    np.testing.assert_array_equal(given, volume)
    if name in WALKABLE:
        order = np.argsort(np.abs(given.strides))
        assert np.argsort(result.strides).tolist() == order.tolist()
        larger, _ = padded(given, "nearest")
        assert np.argsort(larger.strides).tolist() == order.tolist()


def test_a_list_is_a_volume():
    volume = random_volume((3, 4, 5), np.float64)
    np.testing.assert_array_equal(spline_filter(volume.tolist()), spline_filter(volume))


@pytest.mark.parametrize("dtype", ["float32", "int16", "float64"])
def test_threads_do_not_change_a_bit(sixteen_processors, dtype):
    volume = random_volume((2, 37, 41, 45), dtype)  # no multiple of a slab, a block, eight lanes
    assert volume.size > VOXELS_WORTH_A_THREAD
    fill = np.array([1.0, -3.0])
    one = spline_filter(volume, threads=1)
    one_padded, _ = padded_coefficients(volume, "grid-constant", fill, 1)
    for n in (2, 3, 7, 16):
        np.testing.assert_array_equal(spline_filter(volume, threads=n), one)
        result, _ = padded_coefficients(volume, "grid-constant", fill, n)
        np.testing.assert_array_equal(result, one_padded)


@pytest.mark.parametrize(("dtype", "reach"), [("float32", 15), ("float64", 31)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_how_far_a_nan_spreads(dtype, reach, value):
    volume = random_volume((6, 7, 80), dtype)
    plain = spline_filter(volume)
    volume[2, 3, 40] = value
    for order in "CF":
        axes = (0, 1, 2) if order == "C" else (2, 1, 0)
        given = np.asarray(volume.transpose(axes), order=order)
        with np.errstate(invalid="ignore"):  # inf - inf, where kernels are not compiled
            result = spline_filter(given).transpose(axes)
        near = np.abs(np.arange(80) - 40) <= reach
        assert not np.isfinite(result[..., near]).any()
        assert_near(result[..., ~near], plain[..., ~near])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_constant_stays_to_the_bit(extension, dtype):
    volume = np.full((4, 5, 6), -1234.56, dtype)
    result, _ = padded(volume, extension, fill=-1234.56)
    np.testing.assert_array_equal(result, volume[0, 0, 0])


@pytest.mark.parametrize(
    ("volume", "options", "error", "message"),
    [
        (np.zeros((4, 5)), {}, ValueError, r"\(n0, n1, n2\).*got shape \(4, 5\)"),
        (np.zeros((4, 0, 6)), {}, ValueError, r"no axis of length 0.*\(4, 0, 6\)"),
        (np.zeros((4, 5, 6), complex), {}, TypeError, "complex128"),
        (None, {}, TypeError, "got None"),
        (
            np.zeros((4, 5, 6)),
            {"mode": "wrap"},
            ValueError,
            "mode must be one of 'mirror', 'reflect', 'grid-wrap', got 'wrap'",
        ),
        (np.zeros((4, 5, 6)), {"mode": None}, ValueError, "mode must be one of .*got None"),
        (np.zeros((4, 5, 6)), {"threads": 0}, ValueError, "threads must be .*got 0"),
    ],
)
def test_bad_input(volume, options, error, message):
    with pytest.raises(error, match=message):
        spline_filter(volume, **options)


@pytest.mark.slow
def test_kernels_are_compiled_for_the_coefficients_alone():
    """Not for the volume's dtype or layout, nor for an extension or a padding."""
    code = """
import numpy as np
from volaug.kernels.spline.prefilter import filter_columns, filter_planes
from volaug import spline_filter
from volaug.warping.engine.prefilter import padded_coefficients
for dtype in ("bool", "uint8", "int16", "float16", "float32", "int32", "float64"):
    volume = np.zeros((2, 4, 5, 6), dtype)
    for given in (volume, volume[:, ::-1], np.asfortranarray(volume), volume[..., ::2]):
        spline_filter(given)
        padded_coefficients(given, "grid-constant", np.ones(2), 2)
print(len(filter_planes.signatures), len(filter_columns.signatures))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2 2", done.stderr
