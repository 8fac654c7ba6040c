"""No kernel that changes values meets or makes a denormal number over zeros."""

import numpy as np
import pytest
from scipy import ndimage

from support.denormals import DTYPES, assert_clean, needs_flags, on_zeros
from volaug.transforms.bias_field import multiply_field
from volaug.transforms.channels import apply_linear, statistics
from volaug.transforms.gamma import apply_power
from volaug.transforms.histogram_shift import apply_cubics
from volaug.transforms.low_resolution import lower_resolution
from volaug.transforms.noise import add_noise
from volaug.warping.engine.gaussian import blur


def _gamma(exponent):
    def change(channel):
        found = statistics(channel, 1)
        width = found.max - found.min
        apply_power(channel, found.min, 1 / width, exponent, width, found.min, channel.size, 1)

    return change


CUBICS = np.array([[0, 1.1, -0.1, 0.02], [1.02, 0.8, 0.1, 0.1]])
LATTICE = np.random.default_rng(0).normal(0, 0.3, (6, 7, 8))
CHANGES = {
    "blur": lambda c: blur(c, (0.7, 1.3, 3.0), (3, 5, 12), 1),
    "blur, cut off late": lambda c: blur(c, (2.0, 1.0, 0.5), (18, 9, 4), 1),
    "blur, hardly cut off": lambda c: blur(c, (2.0, 1.0, 0.5), (80, 40, 20), 1),
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
@pytest.mark.slow
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
    blur(volume, (1.5, 1.5, 1.5), (60, 60, 60), 1)
    np.testing.assert_allclose(volume, expected, rtol=0, atol=5e-7 if dtype == "float32" else 1e-14)
