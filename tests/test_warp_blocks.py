"""A warp block by block: pieces of its output, and a lazy array of Dask."""

import numpy as np
import pytest

from support.volumes import random_volume
from volaug import Compose, RandomAffine, RandomElastic, Warp
from volaug.warping.output_blocks import block_of, warp_block

SHAPE, OUTPUT = (37, 30, 41), (33, 28, 45)
MODES = ("constant", "grid-constant", "edge-constant", "nearest")


def elastic(seed, shape=OUTPUT, lattice=(5, 4, 8)):
    rng = np.random.default_rng(seed)
    matrix = np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))
    return Warp(shape, matrix, rng.uniform(-5, 5, 3), rng.uniform(-3, 3, (3, *lattice)))


def far(distance):
    return Warp(OUTPUT, np.eye(3), (0.3, distance, 0.1))


WARPS = {
    "elastic": elastic(1),
    "fine": elastic(2, lattice=(12, 40, 9)),
    "flat": elastic(3, (1, 28, 45)),
    "affine": Warp(OUTPUT, elastic(4).matrix, (2.2, -3.0, 1.0)),
    "flip": Warp(OUTPUT, np.diag((-1.0, 1.0, 1.0)), (36, 0, 0)),
    "beyond": far(100.0),
    "before": far(-100.0),
}


def by_blocks(volume, warp, size, **options):
    result = np.empty((*volume.shape[:-3], *warp.shape), volume.dtype)
    read = []
    for start in np.ndindex(*(-(-n // s) for n, s in zip(warp.shape, size, strict=True))):
        first = [i * s for i, s in zip(start, size, strict=True)]
        shape = [min(s, n - a) for a, s, n in zip(first, size, warp.shape, strict=True)]
        block = block_of(warp, tuple(first), tuple(shape), volume.shape[-3:])
        part = volume[(..., *(slice(*ends) for ends in block.box))]
        read.append(part.size)
        window = (..., *(slice(a, a + n) for a, n in zip(first, shape, strict=True)))
        result[window] = warp_block(block, part, 1, **options)
    return result, read


@pytest.mark.parametrize("name", WARPS)
@pytest.mark.parametrize("mode", MODES)
def test_blocks_are_the_parts_of_the_whole(name, mode):
    warp, volume = WARPS[name], random_volume(SHAPE, np.float32)
    expected = warp.apply(volume, mode=mode, cval=7.0)
    found, _ = by_blocks(volume, warp, (13, 11, 16), mode=mode, cval=7.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.ptp(volume))


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "label"])
def test_integers_of_several_channels_are_the_same(interpolation):
    volume = np.random.default_rng(5).integers(0, 5, (2, *SHAPE)).astype(np.int16)
    expected = WARPS["elastic"].apply(volume, interpolation=interpolation)
    found, _ = by_blocks(volume, WARPS["elastic"], (13, 28, 16), interpolation=interpolation)
    np.testing.assert_array_equal(found, expected)


def test_little_is_read():
    pipeline = Compose([RandomAffine(10.0, p=1), RandomElastic(2.0, p=1)], seed=3)
    warp = pipeline.draw((64, 64, 64), index=0).warp
    volume = np.zeros((64, 64, 64), np.uint8)
    _, read = by_blocks(volume, warp, (16, 16, 16))
    assert max(read) < 0.15 * volume.size


@pytest.mark.oracle("dask")
class TestDask:
    @pytest.mark.parametrize("channels", [(), (2,)])
    @pytest.mark.parametrize("chunks", [None, (33, 10, 20), "auto"])
    def test_it_has_the_values_of_the_warp(self, channels, chunks):
        import dask.array

        from volaug.integrations.dask import warp

        volume = random_volume((*channels, *SHAPE), np.float32)
        array = dask.array.from_array(volume, chunks=(*channels, 16, 16, 16))
        lazy = warp(array, WARPS["elastic"], mode="nearest", chunks=chunks)
        assert (lazy.shape, lazy.dtype) == ((*channels, *OUTPUT), np.float32)
        expected = WARPS["elastic"].apply(volume, mode="nearest")
        found = lazy.compute(scheduler="threads")
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.ptp(volume))

    def test_a_part_of_it_reads_a_part(self):
        import dask.array

        from volaug.integrations.dask import warp

        read = []

        def chunk(block_info=None):
            read.append(block_info[None]["chunk-location"])
            return np.ones((8, 8, 8), np.uint8)

        array = dask.array.map_blocks(
            chunk, chunks=((8,) * 8,) * 3, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8)
        )
        lazy = warp(array, Warp((64, 64, 64), offset=(0.5, 0, 0)))
        assert not read
        assert (lazy[:8, :8, :8].compute(scheduler="synchronous") == 1).all()
        assert 0 < len(read) <= 8

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"interpolation": "cubic"}, "interpolation must not be 'cubic' here"),
            ({"mode": "reflect"}, "mode must be constant, .*got 'reflect', which needs the whole"),
            ({"mode": "unknown"}, "mode must be"),
            ({"cval": 1000}, "cval"),
        ],
    )
    def test_what_needs_the_whole_volume_is_said(self, options, message):
        import dask.array

        from volaug.integrations.dask import warp

        array = dask.array.zeros(SHAPE, dtype=np.uint8)
        with pytest.raises((TypeError, ValueError), match=message):
            warp(array, WARPS["affine"], **options)

    def test_another_array_is_said(self):
        from volaug.integrations.dask import warp

        with pytest.raises(TypeError, match="array must be a dask array, got ndarray"):
            warp(np.zeros(SHAPE), WARPS["affine"])
