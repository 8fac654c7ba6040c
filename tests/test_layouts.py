import numpy as np
import pytest
from cases import mild_affine, nan_filled, random_volume

from volaug import affine_transform, elastic_deform
from volaug.engine import layout

SHAPE = (9, 10, 21)


def transposed(volume, order):
    """The same voxels, with another order of axes in memory."""
    return np.ascontiguousarray(volume.transpose(order)).transpose(np.argsort(order))


def cropped(volume):
    """The same voxels, amid a larger array."""
    larger = np.full([n + 5 for n in volume.shape], 1e30, volume.dtype)
    place = larger[tuple(slice(2, 2 + n) for n in volume.shape)]
    place[...] = volume
    return place


WALKABLE = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "transposed": lambda v: transposed(v, (1, 2, 0)),
    "cropped": cropped,
    "reversed": lambda v: v[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "reversed in part": lambda v: np.asfortranarray(v[:, ::-1])[:, ::-1],
    "every second row": lambda v: np.repeat(np.repeat(v, 2, 0), 3, 1)[::2, ::3],
}
OTHERS = {
    "every second voxel": lambda v: np.repeat(v, 2, 2)[..., ::2],
    "channels last": lambda v: np.stack([v, v], -1)[..., 0],
    "unaligned": lambda v: (
        np.frombuffer(b"x" + v.tobytes(), np.uint8)[1:].view(v.dtype).reshape(v.shape)
    ),
    "swapped bytes": lambda v: v.astype(v.dtype.newbyteorder()),
}


def warped(volume, **options):
    matrix, offset = mild_affine(SHAPE)
    points = np.random.default_rng(0).normal(0, 1.5, (3, 4, 5, 6))
    return elastic_deform(volume, points, matrix=matrix, offset=offset, **options)


@pytest.mark.parametrize("name", [*WALKABLE, *OTHERS])
def test_a_volume_in_any_layout(name):
    volume = random_volume(SHAPE)
    given = (WALKABLE | OTHERS)[name](volume)
    np.testing.assert_array_equal(given, volume)
    np.testing.assert_allclose(warped(given), warped(volume), atol=2e-6)
    matrix, offset = mild_affine(SHAPE)
    np.testing.assert_allclose(
        affine_transform(given, matrix, offset), affine_transform(volume, matrix, offset), atol=2e-6
    )
    if name in WALKABLE:
        assert np.shares_memory(layout.source_memory(given[np.newaxis]).flat, given)


@pytest.mark.parametrize("name", [*WALKABLE, "every second voxel"])
def test_out_in_any_layout(name):
    volume = random_volume(SHAPE)
    out = (WALKABLE | OTHERS)[name](nan_filled(SHAPE, np.float32))
    assert warped(volume, out=out) is out
    np.testing.assert_allclose(out, warped(volume), atol=2e-6)


def test_out_in_a_batch_touches_its_slot_alone():
    volume = random_volume((2, *SHAPE))
    batch = nan_filled((3, 2, *SHAPE), np.float32)
    warped(volume, out=batch[1])
    np.testing.assert_array_equal(batch[1], warped(volume))
    assert np.isnan(batch[[0, 2]]).all()
    larger = nan_filled([n + 3 for n in SHAPE], np.float32)
    warped(volume[0], out=larger[1:-2, 1:-2, 1:-2])
    np.testing.assert_array_equal(larger[1:-2, 1:-2, 1:-2], warped(volume[0]))
    assert np.isnan(larger).sum() == larger.size - volume[0].size


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_result_has_the_order_of_the_volume(order):
    volume = transposed(random_volume(SHAPE), order)
    result = warped(volume)
    assert np.argsort(result.strides).tolist() == np.argsort(volume.strides).tolist()
    two = np.stack([volume, volume])
    assert warped(two).shape == two.shape


def test_channels_that_are_not_contiguous():
    volume = random_volume((5, *SHAPE))
    for channels in (
        volume[::2],
        volume[::-1],
        np.asfortranarray(volume),
        volume[:1],
        volume[:0:-2],
    ):
        np.testing.assert_allclose(
            warped(channels), np.stack([warped(c.copy()) for c in channels]), atol=2e-6
        )


def test_memory_mapped_and_read_only(tmp_path):
    volume = random_volume(SHAPE)
    np.save(tmp_path / "volume.npy", volume)
    mapped = np.load(tmp_path / "volume.npy", mmap_mode="r")
    np.testing.assert_array_equal(warped(mapped), warped(volume))


def test_what_can_become_an_array():
    class Tensor:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return np.asarray(self.array, dtype)

    volume = random_volume(SHAPE)
    np.testing.assert_array_equal(warped(Tensor(volume)), warped(volume))
    np.testing.assert_array_equal(
        warped(volume.astype(float).tolist()), warped(volume.astype(float))
    )
