import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.transform import Rotation

from support.volumes import SHAPES, mild_affine, random_affine, random_volume
from volaug import Warp, affine_transform, elastic_deform


def random_warp(rng, source, target, elastic=True):
    matrix, offset = random_affine(rng, source, target, 3.0)
    points = rng.normal(0, 1.5, (3, *rng.integers(4, 8, 3))) if elastic else None
    return Warp(target, matrix, offset, points)


def test_apply_is_the_function():
    volume = random_volume((2, 12, 13, 30))
    matrix, offset = mild_affine((12, 13, 30))
    points = np.random.default_rng(0).normal(0, 2, (3, 4, 5, 6))
    options = {"cval": 2.0, "interpolation": "nearest", "mode": "constant", "threads": 2}
    shape = (9, 14, 31)
    np.testing.assert_array_equal(
        Warp(shape, matrix, offset).apply(volume, **options),
        affine_transform(volume, matrix, offset, output_shape=shape, **options),
    )
    out = np.full((2, *shape), np.nan, np.float32)
    Warp(shape, matrix, offset, points).apply(volume, out=out)
    expected = elastic_deform(volume, points, matrix=matrix, offset=offset, output_shape=shape)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(Warp((12, 13, 30)).apply(volume), volume)


def test_it_is_frozen_and_keeps_copies():
    matrix, offset = mild_affine((9, 9, 9))
    points = np.zeros((3, 4, 4, 4))
    warp = Warp((9, 9, 9), matrix, offset, points)
    kept = warp.to_dict()
    matrix[:], offset[:], points[:] = 7, 7, 7
    assert warp.to_dict() == kept
    with pytest.raises(dataclasses.FrozenInstanceError):
        warp.matrix = np.eye(3)
    for array in (warp.matrix, warp.offset, warp.control_points):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_it_survives_json_to_the_last_bit():
    rng = np.random.default_rng(3)
    for elastic in (False, True):
        warp = random_warp(rng, (9, 10, 11), (8, 9, 10), elastic)
        again = Warp.from_dict(json.loads(json.dumps(warp.to_dict())))
        assert again == warp
        assert again.matrix.tobytes() == warp.matrix.tobytes()
        volume = random_volume((9, 10, 11))
        np.testing.assert_array_equal(again.apply(volume), warp.apply(volume))
    assert warp != Warp((8, 9, 10))
    assert warp != "a warp"


def test_it_goes_to_a_worker_and_back():
    warp = random_warp(np.random.default_rng(4), (9, 10, 11), (8, 9, 10))
    again = pickle.loads(pickle.dumps(warp))
    assert again == warp
    assert not again.matrix.flags.writeable


@pytest.mark.parametrize("elastic", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_source_box_holds_all_that_is_read(shape, elastic):
    rng = np.random.default_rng(sum(shape) + elastic)
    for _ in range(5):
        warp = random_warp(rng, shape, tuple(rng.integers(1, 15, 3).tolist()), elastic)
        volume = random_volume(shape)
        box = tuple(slice(*bounds) for bounds in warp.source_box(shape))
        outside = np.full(shape, np.nan, np.float32)
        outside[box] = volume[box]
        np.testing.assert_array_equal(warp.apply(outside), warp.apply(volume))
        nearest = warp.apply(volume, interpolation="nearest")
        np.testing.assert_array_equal(warp.apply(outside, interpolation="nearest"), nearest)


def test_source_box_of_an_affine_warp_is_tight():
    """Each face of the box is read: NaN there shows in the result."""
    rng = np.random.default_rng(8)
    shape = (40, 45, 50)
    for _ in range(20):
        matrix = np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3))
        warp = Warp((6, 7, 8), matrix, rng.uniform(12, 20, 3))
        box = warp.source_box(shape)
        for axis, (start, stop) in enumerate(box):
            for plane in (start, stop - 1):
                volume = np.zeros(shape)
                volume[(slice(None),) * axis + (plane,)] = np.nan
                assert np.isnan(warp.apply(volume)).any(), (axis, plane, box)


@pytest.mark.parametrize("size", [0.0, 0.5, 3.0, 20.0])
@pytest.mark.parametrize(
    ("shape", "lattice"),
    [
        ((9, 11, 10), (4, 5, 6)),
        ((1, 13, 12), (5, 6, 7)),
        ((7, 1, 1), (4, 8, 4)),
        ((5, 4, 6), (9,) * 3),
    ],
)
@pytest.mark.slow
def test_source_box_of_a_spline_is_tight(shape, lattice, size):
    """Against the map at and between the voxels: never narrower, and at most a voxel wider."""
    rng = np.random.default_rng(int(10 * size) + sum(shape))
    volume = (300, 300, 300)
    axes = [np.linspace(0, n - 1, 8 * (n - 1) + 1) for n in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    exact = 0
    for _ in range(10):
        matrix, _ = random_affine(rng, volume, shape)
        points = rng.normal(0, size, (3, *lattice))
        warp = Warp(shape, matrix, (140.0, 150.0, 160.0), points)
        read = warp.points_to_input(places)
        low, high = np.floor(read.min(axis=0)), np.ceil(read.max(axis=0))
        start, stop = np.transpose(warp.source_box(volume))
        assert ((low - 1 <= start) & (start <= low)).all()
        assert ((high <= stop - 1) & (stop - 1 <= high + 1)).all()
        exact += (start == low).sum() + (stop - 1 == high).sum()
    assert exact > 50  # of 60


def test_source_box_of_a_spline_that_touches_a_whole_number():
    """The least coordinate is 20 all along a line of a face, but for rounding."""
    shape, points = (33, 33, 33), np.zeros((3, 7, 7, 7))
    points[0] = 5 * np.square(np.arange(7.0) - 2.6)[:, None]
    line = np.stack(np.broadcast_arrays(0.0, np.linspace(0, 32, 100_001), 16.0), axis=1)
    least = Warp(shape, control_points=points).points_to_input(line)[:, 0].min()
    assert least > 1
    warp = Warp(shape, offset=(20.0 - least, 0.0, 0.0), control_points=points)
    assert warp.source_box((200, 200, 200))[0][0] in (19, 20)
    for shift, start in ((-1e-3, 19), (1e-3, 20)):
        moved = Warp(shape, offset=(20.0 - least + shift, 0.0, 0.0), control_points=points)
        assert moved.source_box((200, 200, 200))[0][0] == start


def test_source_box_of_a_whole_shift_and_of_nothing():
    assert Warp((4, 5, 6), offset=(1, 2, 3)).source_box((20, 20, 20)) == ((1, 5), (2, 7), (3, 9))
    assert Warp((4, 5, 6), offset=(1, 2, 30)).source_box((20, 20, 20)) == ((0, 0),) * 3
    assert Warp((4, 5, 6), offset=0.5).source_box((3, 5, 9)) == ((0, 3), (0, 5), (0, 7))


@pytest.mark.parametrize("points", [None, np.zeros((3, 4, 5, 6))])
@pytest.mark.parametrize("axis", range(3))
def test_source_box_has_the_edge_until_a_voxel_beyond_it(axis, points):
    """A border may blend the voxel on the edge with the fill, or repeat it."""
    for place, expected in ((-0.75, (0, 1)), (-1.0, None), (19.75, (19, 20)), (20.0, None)):
        offset = np.insert([7.0, 8.0], axis, place)
        box = Warp((1, 1, 1), offset=offset, control_points=points).source_box((20, 20, 20))
        if expected is None:
            assert box == ((0, 0),) * 3
        else:
            assert box == (*((7, 8), (8, 9))[:axis], expected, *((7, 8), (8, 9))[axis:])


@given(
    turns=st.lists(st.floats(-180, 180), min_size=6, max_size=6),
    sizes=st.lists(st.floats(-5, 5), min_size=3, max_size=3),
    units=st.lists(st.floats(-3, 3), min_size=6, max_size=6),
)
@settings(max_examples=300, deadline=None)
@pytest.mark.slow
def test_what_a_warp_accepts_has_an_inverse(turns, sizes, units):
    """However unlike its stretches are, and whatever the units of both grids' axes."""
    first, second = (Rotation.from_euler("xyz", t, degrees=True) for t in (turns[:3], turns[3:]))
    matrix = first.as_matrix() @ np.diag(10.0 ** np.array(sizes)) @ second.as_matrix()
    rows, columns = 10.0 ** np.array(units[:3]), 10.0 ** np.array(units[3:])
    matrix = rows[:, np.newaxis] * matrix * columns
    try:
        warp = Warp((4, 5, 6), matrix, (1, 2, 3))
    except ValueError as error:
        assert "matrix must be invertible" in str(error)  # noqa: PT017
        assert np.ptp(sizes) > 7
        return
    inverse = warp.inverse((7, 8, 9))
    again = inverse.inverse((4, 5, 6))
    scale = np.abs(rows[:, np.newaxis] * columns) * 10.0 ** max(sizes)
    assert (np.abs(again.matrix - matrix) <= 1e-2 * scale).all()


def test_an_inverse_of_a_stretch_of_many_sizes():
    turn = Rotation.from_euler("xyz", (20, 30, 40), degrees=True).as_matrix()
    matrix = turn @ np.diag((1.0, 1.0, 1 / 9e7)) @ turn
    inverse = Warp((4, 5, 6), matrix).inverse((4, 5, 6))
    np.testing.assert_allclose(inverse.matrix @ matrix, np.eye(3), atol=1e-6)
