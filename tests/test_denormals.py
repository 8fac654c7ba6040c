"""No kernel stores or sums a denormal number over a background of zeros.

A denormal number is so near to zero that it has lost digits: below 1.2e-38 in float32. On an Intel
processor each one that an instruction meets or makes takes some 150 cycles. It cannot be seen in a
time on other processors, nor in a result where it is an intermediate one. But every x86 processor
keeps a flag for each of the two; so these are cleared before a kernel runs, and read after it.
"""

import contextlib
import functools
import platform
import sys

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic
from scipy import ndimage

from support.volumes import blob, mild_affine, random_affine
from volaug import Warp, affine_transform, elastic_deform, spline_filter
from volaug.transforms.bias_field import multiply_field
from volaug.transforms.blur import blur
from volaug.transforms.channels import apply_linear, statistics
from volaug.transforms.gamma import apply_power
from volaug.transforms.histogram_shift import apply_cubics
from volaug.transforms.low_resolution import lower_resolution
from volaug.transforms.noise import add_noise
from volaug.warping.engine.prefilter import MODES, padded_coefficients

needs_flags = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or numba.config.DISABLE_JIT,
    reason="reads the flags of an x86 processor around compiled kernels",
)

# Bits of the register MXCSR: an operand was denormal; a result was too small, and rounded.
OPERAND, UNDERFLOW, ALL_FLAGS = 2, 16, 63

DTYPES = ["uint8", "int16", "float16", "float32", "float64"]
EXTENSIONS = [*MODES, "nearest", "grid-constant"]


def _of_register(b, name, place):
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte])
    function = cgutils.get_or_insert_function(b.module, kind, f"llvm.x86.sse.{name}")
    b.call(function, [b.bitcast(place, byte)])


@intrinsic
def _register(typingctx):
    def codegen(context, b, signature, arguments):
        place = cgutils.alloca_once(b, ir.IntType(32))
        _of_register(b, "stmxcsr", place)
        return b.load(place)

    return types.int32(), codegen


@intrinsic
def _set_register(typingctx, value):
    def codegen(context, b, signature, arguments):
        place = cgutils.alloca_once_value(b, arguments[0])
        _of_register(b, "ldmxcsr", place)
        return context.get_dummy_value()

    return types.void(types.int32), codegen


@njit
def clear_flags():
    _set_register(np.int32(_register() & ~ALL_FLAGS))


@njit
def flags():
    return _register() & (OPERAND | UNDERFLOW)


@contextlib.contextmanager
def watched():
    """What each kernel that is called, in this thread, did: its name, and the flags it set."""
    found = {}

    def watching(kernel):
        name = kernel.py_func.__name__

        def call(*arguments):
            clear_flags()
            result = kernel(*arguments)
            found[name] = found.get(name, 0) | flags()
            return result

        return call

    clear_flags(), flags()  # compiles them
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("volaug.") and not name.startswith("volaug.kernels"):
                for attribute, value in list(vars(module).items()):
                    if isinstance(value, CPUDispatcher):
                        patch.setattr(module, attribute, watching(value))
        yield found


def assert_no_denormals(array):
    """float16 apart, whose subnormal numbers are normal ones of float32."""
    if array.dtype in (np.float32, np.float64):
        size = np.abs(array)
        assert not ((size > 0) & (size < np.finfo(array.dtype).tiny)).any()


def assert_clean(change, *kernels):
    """That a call's kernels meet and make no denormal number, and that it returns none."""
    with watched() as found:
        result = change()
    assert set(kernels) <= set(found)
    assert not any(found.values()), found
    assert_no_denormals(result)
    return result


def on_zeros(dtype, shape=(90, 84, 99)):
    """A head, two spikes and a smooth spot in a wide background of zeros."""
    volume = _on_zeros(shape)
    return volume.astype(dtype) if np.dtype(dtype).kind == "f" else (volume * 200).astype(dtype)


@functools.cache
def _on_zeros(shape):
    place = [0.3 * n for n in shape]
    inside = sum(((x - p) / 9) ** 2 for x, p in zip(np.indices(shape), place, strict=True)) < 1
    volume = np.random.default_rng(0).uniform(0.3, 1.0, shape) * inside
    volume += np.where(blob(shape, [0.35 * n for n in shape], 2) > 1e-5, 0.5, 0.0)
    volume[shape[0] - 2, shape[1] // 2, shape[2] // 2] = 0.25
    volume[0, 0, shape[2] - 1] = 1.0
    return volume


def spikes(rng, dtype):
    """A few voxels somewhere in zeros, in a random shape of which one axis is long."""
    shape = rng.integers(1, 20, 3)
    shape[rng.integers(3)] = rng.integers(90, 200)
    volume = np.zeros(shape)
    for _ in range(rng.integers(1, 5)):
        volume[tuple(rng.integers(shape))] = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 4)
    return volume.astype(dtype)


# the tool


@needs_flags
def test_the_flags_show_what_is_denormal():
    @njit
    def product(a, b):
        return a * b

    for a, b, expected in [
        (1e-30, 1e-30, UNDERFLOW),
        (1e-40, 1.0, OPERAND),
        (1e-30, 0.1, 0),
        (0.0, np.inf, 0),
    ]:
        a, b = np.float32(a), np.float32(b)
        product(a, b)
        clear_flags()
        product(a, b)
        assert flags() & expected == expected
        assert expected or not flags()


@needs_flags
def test_kernels_are_watched():
    volume = np.full((20, 21, 22), 1e-40, np.float32)
    with watched() as found:
        affine_transform(volume, np.diag((0.9, 0.8, 0.7)), 0.3, interpolation="cubic", threads=1)
    assert set(found) == {"filter_planes", "filter_columns", "warp_tiles"}
    assert all(found.values())


# coefficients


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_no_coefficient_is_denormal(mode, dtype):
    assert_no_denormals(spline_filter(on_zeros(dtype), mode=mode))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_no_coefficient_of_float64_is_denormal(axis, mode):
    shape = [3, 4, 5]
    shape[axis] = 1300
    volume = np.zeros(shape)
    volume[1, 1, 1] = 1.0
    assert_no_denormals(spline_filter(volume, mode=mode))


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_no_padded_coefficient_is_denormal(extension):
    volume = on_zeros("float32")[np.newaxis]
    coefficients, _ = padded_coefficients(volume, extension, np.zeros(1), 1)
    assert_no_denormals(coefficients)


@needs_flags
@pytest.mark.parametrize("seed", range(12))
def test_filters_of_random_spikes(seed):
    rng = np.random.default_rng(seed)
    dtype = rng.choice(["float32", "float64", "int16"])
    volume, mode = spikes(rng, dtype), rng.choice(MODES)
    result = assert_clean(lambda: spline_filter(volume, mode=mode, threads=1), "filter_columns")
    if mode != "reflect":  # on short axes scipy's own start of it is inexact
        expected = ndimage.spline_filter(volume.astype(float), 3, mode=mode)
        np.testing.assert_allclose(result, expected, rtol=0, atol=3e-7 * np.abs(expected).max())


def test_a_tail_ends_in_zeros():
    volume = np.zeros((3, 4, 200), np.float32)
    volume[:, :, 0] = 1.0
    for axes in [(0, 1, 2), (2, 0, 1), (1, 2, 0)]:
        given = np.ascontiguousarray(volume.transpose(axes))
        line = spline_filter(given).transpose(np.argsort(axes))[0, 0]
        assert (line[:15] != 0).all()
        assert (line[40:] == 0).all()


# warps


WARPS = {
    "affine": lambda v, **o: affine_transform(v, *mild_affine(v.shape), **o),
    "scaled": lambda v, **o: affine_transform(v, np.diag((0.9, 0.8, 1.1)), 1.3, **o),
    "shifted by very little": lambda v, **o: affine_transform(v, np.eye(3), 3e-9, **o),
    "elastic": lambda v, **o: elastic_deform(
        v, np.random.default_rng(0).normal(0, 2, (3, 6, 7, 8)), **o
    ),
}


@needs_flags
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("warp", WARPS)
def test_warps(warp, dtype, interpolation):
    volume, options = on_zeros(dtype), {"interpolation": interpolation, "threads": 1}
    assert_clean(lambda: WARPS[warp](volume, **options), "warp_tiles")


@needs_flags
@pytest.mark.parametrize("mode", ["nearest", "reflect", "grid-wrap", "grid-constant"])
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_borders(mode, interpolation):
    volume, options = on_zeros("float32"), {"interpolation": interpolation, "threads": 1}
    matrix, offset = 1.3 * np.eye(3), np.full(3, -9.7)
    assert_clean(lambda: affine_transform(volume, matrix, offset, mode=mode, **options))


@needs_flags
def test_votes():
    labels = (4 * on_zeros("float32")).astype(np.uint8)
    for warp in WARPS.values():
        assert_clean(lambda warp=warp: warp(labels, interpolation="label", threads=1), "warp_tiles")


@needs_flags
@pytest.mark.parametrize("seed", range(12))
def test_cubic_warps_of_random_spikes(seed):
    rng = np.random.default_rng(seed)
    volume = spikes(rng, rng.choice(["float32", "float64", "int16"]))
    matrix, offset = random_affine(rng, volume.shape, volume.shape)
    options = {"interpolation": "cubic", "threads": 1}
    assert_clean(lambda: affine_transform(volume, matrix, offset, **options), "warp_tiles")


@needs_flags
def test_determinants():
    points = np.random.default_rng(0).normal(0, 0.5, (3, 6, 7, 8))
    points[:, 2:] = 0
    warp = Warp((30, 31, 32), control_points=points)
    assert_clean(lambda: warp.jacobian_determinant(), "jacobian_planes")


# values


def _gamma(exponent):
    def change(channel):
        found = statistics(channel, 1)
        width = found.max - found.min
        apply_power(channel, found.min, 1 / width, exponent, width, found.min, channel.size, 1)

    return change


CUBICS = np.array([[0, 1.1, -0.1, 0.02], [1.02, 0.8, 0.1, 0.1]])
LATTICE = np.random.default_rng(0).normal(0, 0.3, (6, 7, 8))
CHANGES = {
    "blur": lambda c: blur(c, (0.7, 1.3, 3.0), 4.0, 1),
    "blur, cut off late": lambda c: blur(c, (2.0, 1.0, 0.5), 9.0, 1),
    "blur, hardly cut off": lambda c: blur(c, (2.0, 1.0, 0.5), 40.0, 1),
    "low resolution": lambda c: lower_resolution(c, (40, 50, 51), 1),
    "bias field": lambda c: multiply_field(c, LATTICE, 1),
    "strong bias field": lambda c: multiply_field(c, 20 * LATTICE, 1),
    **{f"gamma {exponent}": _gamma(exponent) for exponent in (0.05, 0.7, 1.5, 4.0, 40.0)},
    "histogram shift": lambda c: apply_cubics(c, 0.0, float(c.max()), CUBICS, 1),
    "line": lambda c: apply_linear(c, 0.1, 1.3, 0.05, (-np.inf, np.inf), 1),
    "noise": lambda c: add_noise(c, 0.1, False, 3, 5, 1),
    "Rician noise": lambda c: add_noise(c, 0.1, True, 3, 5, 1),
}


@needs_flags
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_values(change, dtype):
    volume = on_zeros(dtype)
    if np.dtype(dtype).kind == "f":
        volume[volume > 0.9] *= np.asarray(1e-4, dtype)  # float16 holds some of these by few digits

    def changed():
        CHANGES[change](volume)
        return volume

    assert_clean(changed)


@needs_flags
@pytest.mark.parametrize("exponent", [0.3, 1.0, 1.5, 4.0, 40.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_of_all_sizes(exponent, dtype):
    """What is raised may be much less than the greatest value, and its power far less."""
    rng = np.random.default_rng(0)
    volume = (10.0 ** rng.uniform(-36, 0, (20, 21, 22))).astype(dtype)
    volume[0, 0, 0], volume[0, 0, 1] = 0, 1
    expected = volume.astype(float) ** exponent

    def changed():
        apply_power(volume, 0.0, 1.0, exponent, 1.0, 0.0, volume.size, 1)
        return volume

    result = assert_clean(changed, "power_law").astype(float)
    seen = result != 0
    np.testing.assert_allclose(result[seen], expected[seen], rtol=1e-5)
    assert expected[~seen].max() < 1e-10


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_blur_ends_where_nothing_is_seen(dtype):
    """A Gaussian that is hardly cut off is that of scipy."""
    volume = on_zeros(dtype, (50, 40, 45))
    expected = ndimage.gaussian_filter(volume.astype(float), 1.5, truncate=40.0, mode="mirror")
    blur(volume, (1.5, 1.5, 1.5), 40.0, 1)
    np.testing.assert_allclose(volume, expected, rtol=0, atol=5e-7 if dtype == "float32" else 1e-14)


# volumes of tiny values


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize(
    ("dtype", "power"),
    [("float32", power) for power in (-20, -26, -27, -50, -90, -110, -126, -130)]
    + [("float64", power) for power in (-30, -800, -1000, -1030)],
)
def test_the_picture_of_tiny_values_is_the_same(dtype, power, interpolation):
    """By the rounding of the greatest value, or by that of denormal numbers."""
    size = np.ldexp(1.0, power)
    volume = on_zeros(dtype, (30, 31, 32))
    scaled = volume * np.asarray(size, dtype)
    options = {"interpolation": interpolation, "mode": "nearest"}
    expected = affine_transform(volume, *mild_affine(volume.shape), **options).astype(float)
    result = affine_transform(scaled, *mild_affine(volume.shape), **options).astype(float) / size
    rounding = 8 * float(np.finfo(dtype).eps)
    spacing = 40 * float(np.finfo(dtype).smallest_subnormal) / size
    np.testing.assert_allclose(result, expected, rtol=0, atol=rounding + spacing)


def test_fills_count_where_they_are_read():
    """Only where `cval` is a part of the signal is it the greatest value of one."""
    volume = on_zeros("float32", (12, 13, 14)) * np.float32(1e-30)
    given = volume[np.newaxis]
    alone, _ = padded_coefficients(given, "nearest", np.zeros(1), 1)
    beside, _ = padded_coefficients(given, "nearest", np.array([1e3]), 1)
    np.testing.assert_array_equal(alone, beside)
    assert (alone != 0).any()
    around, _ = padded_coefficients(given, "grid-constant", np.array([1e3]), 1)
    assert np.isfinite(around).all()
    np.testing.assert_allclose(around[0, 0, 0, 0], 1e3, rtol=1e-6)


def test_one_huge_or_infinite_voxel_leaves_the_others():
    volume = np.zeros((200, 5, 40), np.float32)
    volume[150:, 2, 20] = 1.0
    expected = spline_filter(volume)
    for value in (1e37, np.inf, np.nan):
        given = volume.copy()
        given[0, 0, 0] = value
        with np.errstate(invalid="ignore"):
            result = spline_filter(given)
        if np.isfinite(value):
            np.testing.assert_allclose(result[150:], expected[150:], rtol=0, atol=3e-7)
        else:
            np.testing.assert_array_equal(result[..., 20:], expected[..., 20:])


def test_each_channel_by_its_own_values():
    volume = np.stack([on_zeros("float32", (20, 21, 22))] * 3)
    volume[1] *= np.float32(2.0**-100)
    volume[2] = 0
    result = spline_filter(volume)
    np.testing.assert_allclose(result[1] * 2.0**100, result[0], rtol=0, atol=1e-6)
    assert not result[2].any()
