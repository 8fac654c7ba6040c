"""What holds for any volume and any warp, sought by hypothesis with a fixed budget."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from volaug import Warp, affine_transform, elastic_deform
from volaug.checks import INTERPOLATIONS
from volaug.warping.engine.borders import MODES

BUDGET = settings(max_examples=60, deadline=None, derandomize=True)

shapes = st.tuples(*[st.integers(1, 20)] * 3)
small = st.floats(-0.4, 0.4)
modes, interpolations = st.sampled_from(MODES), st.sampled_from(INTERPOLATIONS)


@st.composite
def warps(draw, shape=None, elastic=True):
    shape = shape or draw(shapes)
    matrix = np.eye(3) + draw(arrays(float, (3, 3), elements=st.floats(-0.3, 0.3)))
    offset = draw(arrays(float, 3, elements=st.floats(-6, 6)))
    points = None
    if elastic and draw(st.booleans()):
        lattice = draw(st.tuples(*[st.integers(4, 7)] * 3))
        seed = draw(st.integers(0, 2**16))
        points = np.random.default_rng(seed).normal(0, draw(st.floats(0, 3)), (3, *lattice))
    return Warp(shape, matrix + np.diag([1e-3, 2e-3, 3e-3]), offset, points)


@st.composite
def volumes(draw, shape=None):
    shape = shape or draw(shapes)
    return np.random.default_rng(draw(st.integers(0, 2**16))).normal(size=shape).astype(np.float32)


@BUDGET
@given(warps(), shapes, st.floats(-1e6, 1e6, width=32))
def test_a_constant_stays_constant(warp, shape, value):
    volume = np.full(shape, value, np.float32)
    assert (warp.apply(volume, cval=value) == np.float32(value)).all()


@BUDGET
@given(warps(), volumes())
def test_nothing_exceeds_the_range_of_the_volume(warp, volume):
    result = warp.apply(volume, cval=float(volume[0, 0, 0]))
    slack = 2e-6 * max(1.0, np.abs(volume).max())
    assert result.min() >= volume.min() - slack
    assert result.max() <= volume.max() + slack


@BUDGET
@given(warps(), shapes, st.integers(0, 2**16))
def test_it_is_linear_in_the_volume(warp, shape, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, *shape))
    mixed = warp.apply(2.0 * a - 3.0 * b, cval=2.0 * 5.0 - 3.0 * 7.0)
    apart = 2.0 * warp.apply(a, cval=5.0) - 3.0 * warp.apply(b, cval=7.0)
    np.testing.assert_allclose(mixed, apart, atol=1e-12)


@BUDGET
@given(warps(elastic=False), shapes)
def test_a_ramp_is_exact_under_an_affine_map(warp, shape):
    slope = np.array((0.3, -0.7, 1.1))
    ramp = np.einsum("i,i...->...", slope, np.indices(shape, dtype=float))
    result = warp.apply(ramp, cval=np.nan)
    places = np.einsum("ij,j...->i...", warp.matrix, np.indices(warp.shape, dtype=float))
    places += warp.offset[:, None, None, None]
    inside = ~np.isnan(result)
    np.testing.assert_allclose(
        result[inside], np.einsum("i,i...->...", slope, places)[inside], atol=1e-8
    )


@BUDGET
@given(warps(), volumes(), st.permutations(range(3)))
def test_axes_have_no_order(warp, volume, order):
    order = list(order)
    points = warp.control_points
    if points is not None:
        points = points[order].transpose(0, *(1 + axis for axis in order))
    permuted = Warp(
        tuple(warp.shape[axis] for axis in order),
        warp.matrix[np.ix_(order, order)],
        warp.offset[order],
        points,
    )
    expected = warp.apply(volume, cval=9.0).transpose(order)
    contiguous = np.ascontiguousarray(volume.transpose(order))
    np.testing.assert_allclose(permuted.apply(contiguous, cval=9.0), expected, atol=3e-6)


@BUDGET
@given(warps(elastic=False), volumes(), st.data())
def test_a_window_of_the_output_is_a_crop_of_the_whole(warp, volume, data):
    start = np.array([data.draw(st.integers(0, n - 1)) for n in warp.shape])
    window = Warp(
        tuple((warp.shape - start).tolist()), warp.matrix, warp.matrix @ start + warp.offset
    )
    whole = warp.apply(volume, cval=9.0)[tuple(slice(s, None) for s in start)]
    np.testing.assert_allclose(window.apply(volume, cval=9.0), whole, atol=1e-5)


@BUDGET
@given(volumes(), st.tuples(*[st.integers(-8, 8)] * 3))
def test_a_whole_shift_copies_bits(volume, shift):
    result = affine_transform(volume, np.eye(3), shift, cval=7.0)
    padded = np.pad(volume, 8, constant_values=7.0)
    window = tuple(slice(8 + s, 8 + s + n) for s, n in zip(shift, volume.shape, strict=True))
    np.testing.assert_array_equal(result, padded[window])


@BUDGET
@given(volumes(), st.tuples(*[small] * 3))
def test_a_lattice_of_equal_points_is_a_shift(volume, shift):
    points = np.broadcast_to(np.reshape(shift, (3, 1, 1, 1)), (3, 4, 5, 6))
    result = elastic_deform(volume, points)
    np.testing.assert_allclose(result, affine_transform(volume, np.eye(3), shift), atol=3e-6)


@BUDGET
@given(warps(elastic=False), volumes())
def test_nearest_of_every_voxel_is_one_of_the_volume(warp, volume):
    result = warp.apply(volume, interpolation="nearest", cval=volume[0, 0, 0])
    assert np.isin(result, volume).all()


@BUDGET
@given(warps(), shapes, modes, interpolations, st.integers(-120, 120))
def test_a_constant_stays_constant_in_every_way(warp, shape, mode, interpolation, value):
    for dtype in (np.int8, np.float32):
        volume = np.full(shape, value, dtype)
        result = warp.apply(volume, mode=mode, interpolation=interpolation, cval=value)
        np.testing.assert_allclose(result, value, rtol=2e-6 if dtype == np.float32 else 0)


@BUDGET
@given(warps(), shapes, modes, st.integers(0, 2**16))
def test_an_order_of_labels_is_all_that_counts(warp, shape, mode, seed):
    """Other identifiers, in the same order and of another dtype: the same picture."""
    rng = np.random.default_rng(seed)
    volume = rng.integers(0, 4, shape).astype(np.uint8)
    ids = np.sort(rng.choice(2**40, 4, replace=False))
    result = warp.apply(volume, mode=mode, interpolation="label", cval=2)
    others = warp.apply(ids[volume], mode=mode, interpolation="label", cval=ids[2])
    np.testing.assert_array_equal(ids[result], others)
    assert np.isin(result, np.append(volume, 2)).all()


@BUDGET
@given(warps(), volumes(), modes, interpolations)
@pytest.mark.slow
def test_layouts_have_no_part_in_it(warp, volume, mode, interpolation):
    options = {"mode": mode, "interpolation": interpolation, "cval": 0.5}
    expected = warp.apply(volume, **options)
    for other in (np.asfortranarray(volume), volume[::-1, :, ::-1].copy()[::-1, :, ::-1]):
        np.testing.assert_allclose(warp.apply(other, **options), expected, atol=2e-5)
    joint = warp.apply_all({"a": volume, "b": volume}, **options)
    np.testing.assert_array_equal(joint["a"], expected)
    np.testing.assert_array_equal(joint["b"], expected)


@BUDGET
@given(warps(), shapes, st.integers(0, 2**16))
@pytest.mark.slow
def test_places_of_the_source_box_are_all_that_is_read(warp, shape, seed):
    """Where a border fills; what is not in the box may be anything."""
    volume = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    box = tuple(slice(start, stop) for start, stop in warp.source_box(shape))
    other = np.full(shape, np.nan, np.float32)
    other[box] = volume[box]
    for mode in ("constant", "grid-constant", "edge-constant"):
        for interpolation in ("linear", "nearest"):
            options = {"mode": mode, "interpolation": interpolation, "cval": 0.5}
            np.testing.assert_array_equal(
                warp.apply(other, **options), warp.apply(volume, **options)
            )


@BUDGET
@given(warps(elastic=False), warps(elastic=False), st.integers(0, 2**16))
def test_affine_warps_compose(first, second, seed):
    both = Warp(
        second.shape,
        first.matrix @ second.matrix,
        first.matrix @ second.offset + first.offset,
    )
    points = np.random.default_rng(seed).uniform(-30, 30, (20, 3))
    one_by_one = first.points_to_input(second.points_to_input(points))
    np.testing.assert_allclose(both.points_to_input(points), one_by_one, atol=1e-9)
    back = second.points_to_output(first.points_to_output(one_by_one))
    np.testing.assert_allclose(back, points, atol=1e-6)


@BUDGET
@given(warps(), st.integers(0, 2**16))
def test_points_go_forth_and_back_where_nothing_folds(warp, seed):
    places = np.random.default_rng(seed).uniform(0, 1, (20, 3)) * np.subtract(warp.shape, 1)
    steps = 0.0
    if warp.control_points is not None:  # the certificate: no fold below 1
        for axis, (n, k) in enumerate(
            zip(warp.shape, warp.control_points.shape[1:], strict=True), start=1
        ):
            if n > 1:
                spacing = (n - 1) / (k - 3)
                steps += np.abs(np.diff(warp.control_points, axis=axis)).max() / spacing
    if steps < 1:
        found = warp.points_to_output(warp.points_to_input(places))
        np.testing.assert_allclose(found, places, atol=1e-6)
        if np.linalg.det(warp.matrix) > 0:
            assert warp.min_jacobian_determinant() > 0
    least = warp.jacobian_determinant().min()
    assert warp.min_jacobian_determinant() == least
