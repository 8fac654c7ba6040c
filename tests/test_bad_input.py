"""Wrong arguments of a warp are an error at once: what was wanted, and what was given."""

import numpy as np
import pytest

from volaug import Warp, affine_transform, elastic_deform, set_num_threads, warmup

VOLUME = np.zeros((4, 5, 6), np.float32)
EYE = np.eye(3)
POINTS = np.zeros((3, 4, 4, 4))


@pytest.mark.parametrize(
    ("volume", "error", "message"),
    [
        (np.zeros((4, 5), np.float32), ValueError, r"\(n0, n1, n2\).*got shape \(4, 5\)"),
        (np.zeros((1, 1, 4, 5, 6), np.float32), ValueError, r"got shape \(1, 1, 4, 5, 6\)"),
        (np.zeros((4, 0, 6), np.float32), ValueError, r"no axis of length 0.*\(4, 0, 6\)"),
        (np.zeros((0, 4, 5, 6), np.float32), ValueError, r"no axis of length 0"),
        (np.float32(3), ValueError, r"got shape \(\)"),
        (np.zeros((1, 1, 2**19 + 1), np.float32), ValueError, "at most 524288 voxels"),
        (np.zeros((4, 5, 6), complex), TypeError, "int64.*float32.*got complex128"),
        (np.zeros((4, 5, 6), np.longdouble), TypeError, "float64, got (float128|float96)"),
        (np.zeros((4, 5, 6), object), TypeError, "object"),
        (np.array("no volume"), TypeError, "volume must be of dtype bool.*float64, got <U9"),
        ([object()], TypeError, "got object of list"),
        (None, TypeError, "volume must be an array, got None"),
    ],
)
def test_volume(volume, error, message):
    with pytest.raises(error, match=message):
        affine_transform(volume, EYE)
    with pytest.raises(error, match=message):
        elastic_deform(volume, POINTS)


@pytest.mark.parametrize(
    ("matrix", "offset", "error", "message"),
    [
        (np.eye(2), 0, ValueError, r"\(3, 3\), \(3, 4\) or \(4, 4\).*got shape \(2, 2\)"),
        (np.ones(3), 0, ValueError, r"got shape \(3,\)"),
        (np.zeros((3, 3)), 0, ValueError, "invertible"),
        (np.ones((3, 3)), 0, ValueError, "invertible"),
        (np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), 0, ValueError, "invertible"),
        (np.diag((1, np.nan, 1)), 0, ValueError, "matrix must be finite, got 1"),
        (np.diag((1, np.inf, 1)), 0, ValueError, "matrix must be finite"),
        (EYE * 1j, 0, TypeError, "complex128"),
        (EYE.astype(object), 0, TypeError, "object"),
        ("rotate", 0, TypeError, "dtype <U6"),
        (EYE, (1, 2), ValueError, r"a number or three, got shape \(2,\)"),
        (EYE, (1, 2, np.nan), ValueError, "offset must be finite"),
        (EYE, "up", TypeError, "offset must be a number or three"),
        (np.eye(4), 1.0, ValueError, "offset must be left out, got 1.0"),
        (np.eye(4)[::-1], 0, ValueError, "last row"),
    ],
)
def test_matrix_and_offset(matrix, offset, error, message):
    with pytest.raises(error, match=message):
        affine_transform(VOLUME, matrix, offset)
    with pytest.raises(error, match=message):
        elastic_deform(VOLUME, POINTS, matrix=matrix, offset=offset)
    with pytest.raises(error, match=message):
        Warp((4, 5, 6), matrix, offset)


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        (np.zeros((3, 4, 4, 3)), ValueError, r"at least 4.*got shape \(3, 4, 4, 3\)"),
        (np.zeros((2, 4, 4, 4)), ValueError, r"\(3, k0, k1, k2\).*\(2, 4, 4, 4\)"),
        (np.zeros((4, 4, 4)), ValueError, r"got shape \(4, 4, 4\)"),
        (np.full((3, 4, 4, 4), np.nan), ValueError, "finite, got 192"),
        (np.full((3, 4, 4, 4), np.inf), ValueError, "finite"),
        (np.zeros((3, 4, 4, 4), complex), TypeError, "complex128"),
        (None, TypeError, "control_points must be coefficients"),
    ],
)
def test_control_points(points, error, message):
    with pytest.raises(error, match=message):
        elastic_deform(VOLUME, points)
    if points is not None:
        with pytest.raises(error, match=message):
            Warp((4, 5, 6), control_points=points)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((4, 5, 7), np.float32), ValueError, r"shape \(4, 5, 6\), got.*\(4, 5, 7\)"),
        (np.zeros((4, 5, 6)), ValueError, "must be float32.*got float64"),
        (np.zeros((1, 4, 5, 6), np.float32), ValueError, r"got float32 of shape \(1, 4, 5, 6\)"),
        (VOLUME, ValueError, "must not overlap"),
        (VOLUME[::-1], ValueError, "must not overlap"),
        (
            np.zeros((4, 5, 6), np.float32).tolist(),
            TypeError,
            "an array that can be written to, got list",
        ),
        (np.broadcast_to(np.zeros(6, np.float32), (4, 5, 6)), ValueError, "writeable"),
        (
            np.lib.stride_tricks.as_strided(np.zeros(6, np.float32), (4, 5, 6), (0, 0, 4)),
            ValueError,
            "a place for each voxel",
        ),
    ],
)
def test_out(out, error, message):
    with pytest.raises(error, match=message):
        affine_transform(VOLUME, EYE, out=out)


def test_out_beside_the_volume_in_one_array_is_taken():
    both = np.zeros((4, 5, 6, 2), np.float32)
    both[..., 0] = 1
    affine_transform(both[..., 0], EYE, out=both[..., 1])
    assert (both == 1).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"threads": 0}, ValueError, "threads must be .* at least 1, got 0"),
        ({"threads": -2}, ValueError, "got -2"),
        ({"threads": 1.5}, TypeError, "got 1.5"),
        ({"threads": "many"}, TypeError, "got 'many'"),
        ({"threads": True}, TypeError, "got True"),
        (
            {"interpolation": "cubical"},
            ValueError,
            "interpolation must be one of 'nearest', 'linear', 'cubic', 'label', got 'cubical'",
        ),
        ({"interpolation": None}, ValueError, "'label', got None"),
        ({"interpolation": ["linear"]}, ValueError, "one of 'nearest'.*got .'linear'"),
        ({"interpolation": np.array(["linear", "cubic"])}, ValueError, "one of 'nearest'.*got arr"),
        ({"interpolation": 1}, ValueError, "got 1"),
        (
            {"mode": "edges"},
            ValueError,
            "mode must be one of 'constant', 'grid-constant'.*'grid-wrap', got 'edges'",
        ),
        ({"mode": None}, ValueError, "'grid-wrap', got None"),
        ({"mode": {"image": "wrap"}}, ValueError, "'grid-wrap', got .'image'"),
        ({"cval": "black"}, TypeError, "cval must be a number or one for each.*got 'black'"),
        ({"cval": None}, TypeError, "cval must be a number.*got None"),
        ({"cval": 1j}, TypeError, "cval must be a number.*got 1j"),
        ({"cval": {"image": 1}}, TypeError, "cval must be a number.*got .'image'"),
        ({"cval": (1, 2)}, ValueError, r"one for each of 1 channels, got \(1, 2\)"),
        ({"cval": [[0]]}, ValueError, r"one for each of 1 channels, got \[\[0\]\]"),
        ({"cval": ()}, ValueError, r"one for each of 1 channels, got \(\)"),
        (
            {"cval": [[1], [1, 2]]},
            (TypeError, ValueError),
            r"cval must be.*got \[\[1\], \[1, 2\]\]",
        ),
        ({"cval": 1e300}, ValueError, "cval must.*float32.*got 1e.300"),
        ({"output_shape": (4, 5)}, ValueError, r"three lengths.*got \(4, 5\)"),
        ({"output_shape": (4, 5, 0)}, ValueError, r"got \(4, 5, 0\)"),
        ({"output_shape": (4, 5, 2**20)}, ValueError, "524288"),
        ({"output_shape": (4, 5, 6.5)}, TypeError, "three whole numbers"),
        ({"output_shape": 7}, TypeError, "three whole numbers, got 7"),
    ],
)
def test_options(options, error, message):
    with pytest.raises(error, match=message):
        affine_transform(VOLUME, EYE, **options)


@pytest.mark.parametrize("cval", [-1, 256, 0.5, np.nan, np.inf, 2**70])
def test_cval_must_fit_the_dtype(cval):
    message = f"cval must be a whole number that fits into uint8, 0 to 255, got {cval}"
    with pytest.raises(ValueError, match=message):
        affine_transform(VOLUME.astype(np.uint8), EYE, cval=cval)


@pytest.mark.parametrize(
    ("dtype", "cval", "wanted"),
    [
        ("bool", 2, "bool, 0 to 1"),
        ("int8", -129, "int8, -128 to 127"),
        ("int64", 2**63, "int64, -9223372036854775808 to 9223372036854775807"),
        ("int64", 2.0**63, "int64, -9223372036854775808 to 9223372036854775807"),
        ("uint64", -1, "uint64, 0 to 18446744073709551615"),
    ],
)
def test_cval_at_the_limits_of_a_dtype(dtype, cval, wanted):
    with pytest.raises(ValueError, match=f"fits into {wanted}, got"):
        affine_transform(VOLUME.astype(dtype), EYE, cval=cval)


@pytest.mark.parametrize("cval", [(1, 2), (1, 2, 3, 4), (), [[1, 2, 3]], np.zeros((3, 1))])
def test_cval_is_one_for_each_channel(cval):
    volume = np.zeros((3, 4, 5, 6), np.uint8)
    with pytest.raises(
        ValueError, match=r"cval must be a number or one for each of 3 channels, go"
    ):
        affine_transform(volume, EYE, cval=cval)
    with pytest.raises(ValueError, match=r"fits into uint8, 0 to 255, got \(1, 256, 3\)"):
        affine_transform(volume, EYE, cval=(1, 256, 3))


@pytest.mark.parametrize("volumes", [[VOLUME, VOLUME], VOLUME, None, "volume"])
def test_apply_all_takes_a_mapping(volumes):
    with pytest.raises(TypeError, match="volumes must be a mapping from names to arrays, got"):
        Warp((4, 5, 6)).apply_all(volumes)


def test_apply_all_takes_a_mapping_of_outs():
    """One array could not take several results."""
    out = np.full((4, 5, 6), 7, np.float32)
    with pytest.raises(TypeError, match="out must be a mapping from names to arrays, got ndarray"):
        Warp((4, 5, 6)).apply_all({"image": VOLUME}, out=out)
    assert (out == 7).all()


def test_others():
    with pytest.raises(ValueError, match=r"n must be .* got 0"):
        set_num_threads(0)
    with pytest.raises(ValueError, match="got 'complex64'"):
        warmup(["complex64"])
    with pytest.raises(ValueError, match="three lengths"):
        Warp((4, 5))
    with pytest.raises(ValueError, match="three lengths"):
        Warp((4, 5, 6)).source_box((1, 2))
    for values in ({}, {"shape": [1, 1, 1], "matrx": 1}, [1]):
        with pytest.raises(ValueError, match="a warp has the keys shape, matrix"):
            Warp.from_dict(values)


def test_an_error_leaves_out_untouched():
    out = np.full((4, 5, 6), 7, np.float32)
    for options in ({"threads": 0}, {"cval": "x"}, {"mode": "x"}, {"output_shape": (1, 1, 1)}):
        with pytest.raises((ValueError, TypeError)):
            affine_transform(VOLUME, EYE, out=out, **options)
    assert (out == 7).all()


def test_volume_and_matrix_swapped():
    with pytest.raises(ValueError, match=r"got shape \(4, 5, 6\); the volume comes first"):
        affine_transform(EYE, VOLUME)
