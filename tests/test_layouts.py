"""Whatever the order of voxels in memory, and whoever holds them: the same results, in place."""

import itertools
import tracemalloc

import numpy as np
import pytest

from support.layouts import OTHERS, WALKABLE, transposed
from support.volumes import mild_affine, nan_filled, random_volume
from volaug import Warp, affine_transform, checks, elastic_deform
from volaug.checks import INTERPOLATIONS
from volaug.warping.engine import memory_layout as layout
from volaug.warping.engine.borders import MODES, UNFOLDED

SHAPE = (9, 10, 21)
SHIFTS = list(itertools.product((0, 0.5), repeat=3))[1:]
TOLERANCE = {"nearest": 0, "label": 0, "linear": 2e-6, "cubic": 2e-5}


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


@pytest.mark.parametrize("name", [*WALKABLE, *OTHERS])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.slow
def test_a_layout_does_not_matter(interpolation, name):
    """To any interpolation, with any border; to what is picked, to the bit."""
    picks = interpolation in ("nearest", "label")
    volume = random_volume(SHAPE, np.uint8) % 7 if picks else random_volume(SHAPE)
    given = (WALKABLE | OTHERS)[name](volume)
    for mode in MODES:
        options = {"interpolation": interpolation, "mode": mode, "cval": 5}
        np.testing.assert_allclose(
            warped(given, **options),
            warped(volume, **options),
            atol=TOLERANCE[interpolation],
            rtol=0,
            err_msg=mode,
        )


@pytest.mark.parametrize("name", WALKABLE)
@pytest.mark.parametrize("interpolation", ["nearest", "label"])
@pytest.mark.slow
def test_halves_round_up_in_any_layout(interpolation, name):
    """Half way between voxels there is a choice, which is one of the array's axes."""
    volume = np.random.default_rng(3).integers(0, 9, (6, 7, 20)).astype(np.uint8)
    given, out = WALKABLE[name](volume), WALKABLE[name](nan_filled(volume.shape, np.uint8))
    for mode, shift, sign in itertools.product(MODES, SHIFTS, (1, -1)):
        options = {"interpolation": interpolation, "mode": mode, "cval": 99}
        start = np.add(shift, (0, 3 - 3 * sign, 0))  # axis 1 is walked either way
        warp = Warp(volume.shape, np.diag((1, sign, 1)), start)
        expected = warp.apply(volume, **options)
        for result in (warp.apply(given, **options), warp.apply(volume, out=out, **options)):
            np.testing.assert_array_equal(result, expected, str((mode, shift, sign)))


@pytest.mark.parametrize("shift", [(0.3, 0.3, 0.3), (0.5, 0.3, 0.2), (0.5, 0.5, 0.3), 0.25])
def test_labels_that_tie_do_so_in_any_layout(shift):
    volume = np.random.default_rng(4).integers(0, 9, (12, 13, 22)).astype(np.uint8)
    options = {"interpolation": "label", "mode": "reflect"}
    expected = affine_transform(volume, np.eye(3), shift, **options)
    for name, change in WALKABLE.items():
        result = affine_transform(change(volume), np.eye(3), shift, **options)
        np.testing.assert_array_equal(result, expected, name)


class WithInterface:
    """What shows its memory by NumPy's protocol, and no more."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__


class WithDLPack:
    """What shows its memory by DLPack, and no more."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


# NumPy 2.0 and 2.1 take all that comes by DLPack for read-only.
WRITES_BY_DLPACK = np.from_dlpack(WithDLPack(np.zeros(1))).flags.writeable


@pytest.mark.parametrize("kind", [WithInterface, WithDLPack])
@pytest.mark.parametrize("name", ["C", "Fortran", "transposed", "cropped"])
def test_memory_that_is_shown_by_a_protocol(name, kind):
    volume = random_volume(SHAPE)
    given = kind(WALKABLE[name](volume))
    seen = checks.as_volume(given)
    assert np.shares_memory(seen, given.array)
    np.testing.assert_allclose(warped(given), warped(volume), atol=2e-6)
    out = kind(WALKABLE[name](nan_filled(SHAPE, np.float32)))
    if kind is WithDLPack and not WRITES_BY_DLPACK:
        with pytest.raises(ValueError, match="out must be writeable, got a read-only array"):
            warped(volume, out=out)
        assert np.isnan(out.array).all()
        return
    assert warped(volume, out=out) is out
    np.testing.assert_allclose(out.array, warped(volume), atol=2e-6)


@pytest.mark.skipif(not WRITES_BY_DLPACK, reason="this NumPy takes DLPack for read-only")
def test_an_out_whose_array_is_a_copy_is_written_all_the_same():
    class Device(WithDLPack):
        def __array__(self, dtype=None, copy=None):
            return self.array.copy()

    volume = random_volume(SHAPE)
    out = Device(nan_filled(SHAPE, np.float32))
    assert warped(volume, out=out) is out
    np.testing.assert_array_equal(out.array, warped(volume))


@pytest.mark.parametrize(
    "dtype",
    ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"],
)
@pytest.mark.oracle("torch")
def test_torch_tensors(dtype):
    import torch

    volume = random_volume((2, *SHAPE), dtype)
    tensor = torch.from_numpy(volume)
    options = {"interpolation": "nearest", "mode": "reflect"}
    np.testing.assert_array_equal(warped(tensor, **options), warped(volume, **options))
    batch = torch.zeros((3, 2, *SHAPE), dtype=tensor.dtype)
    slot = batch[1]
    assert warped(tensor, out=slot, **options) is slot
    np.testing.assert_array_equal(batch[1].numpy(), warped(volume, **options))
    assert not batch[[0, 2]].any()


@pytest.mark.oracle("torch")
def test_torch_tensors_in_any_layout():
    import torch

    volume = random_volume((2, *SHAPE))
    for tensor in (
        torch.from_numpy(np.moveaxis(volume, 1, 3).copy()).permute(0, 3, 1, 2),
        torch.from_numpy(np.pad(volume, 2))[2:-2, 2:-2, 2:-2, 2:-2],
        torch.from_numpy(volume.repeat(2, 1))[:, ::2],
        torch.from_numpy(volume[0].copy()).expand(2, *SHAPE),
    ):
        np.testing.assert_allclose(warped(tensor), warped(tensor.numpy().copy()), atol=2e-6)
        memory = layout.source_memory(checks.as_volume(tensor))
        assert np.shares_memory(memory.flat, tensor.numpy())
    target = torch.full((21, 9, 10), np.nan).permute(1, 2, 0)
    assert warped(volume[0], out=target) is target
    np.testing.assert_allclose(target.numpy(), warped(volume[0]), atol=2e-6)


@pytest.mark.oracle("torch")
def test_torch_tensors_without_their_memory():
    import torch

    plain, out = torch.zeros(SHAPE), nan_filled(SHAPE, np.float32)
    for tensor, reason in (
        (torch.zeros(SHAPE, requires_grad=True), "requires? grad"),
        (plain.to("meta"), "meta"),
        (plain.to(torch.bfloat16), "(BFloat16|dtype)"),
        (plain.to_sparse(), "([Ss]parse|strided)"),
    ):
        with pytest.raises(TypeError, match=f"volume must be an array.*Tensor.*{reason}"):
            warped(tensor, out=out)
        with pytest.raises(TypeError, match=f"out must be an array.*Tensor.*{reason}"):
            warped(plain, out=tensor)
    assert np.isnan(out).all()
    with pytest.raises(ValueError, match="must not overlap"):
        warped(plain, out=plain)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_memory_mapped_out_and_swapped_bytes(tmp_path, interpolation):
    volume = random_volume(SHAPE)
    expected = warped(volume, interpolation=interpolation)
    mapped = np.memmap(tmp_path / "out", np.float32, "w+", shape=SHAPE)
    mapped[...] = np.nan
    swapped = volume.astype(volume.dtype.newbyteorder())
    assert warped(swapped, interpolation=interpolation, out=mapped) is mapped
    np.testing.assert_array_equal(mapped, expected)
    result = warped(swapped, interpolation=interpolation)
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, expected)


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


COPIED = {
    "reversed along 2": lambda v: v[:, :, ::-1],
    "every second voxel": lambda v: np.repeat(v, 2, 2)[..., ::2],
    "unaligned": OTHERS["unaligned"],
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", ["nearest", "label", "linear"])
@pytest.mark.parametrize("name", COPIED)
@pytest.mark.slow
def test_a_patch_copies_no_more_of_a_volume_than_it_reads(name, interpolation, mode):
    volume = COPIED[name]((random_volume((50, 60, 70)) * 4).astype(np.int16))
    shape = (7, 8, 9)
    points = np.random.default_rng(0).normal(0, 1.0, (3, 4, 5, 6))
    options = {"output_shape": shape, "interpolation": interpolation, "mode": mode, "cval": 7}
    for offset in ((20.3, 30.6, 40.1), (-4.4, 30.6, 66.2), (46.2, -3.7, -5.5), (300.0, 3.0, 4.0)):
        matrix = mild_affine((50, 60, 70))[0]
        expected = elastic_deform(
            np.ascontiguousarray(volume), points, matrix=matrix, offset=offset, **options
        )
        tracemalloc.start()
        found = elastic_deform(volume, points, matrix=matrix, offset=offset, **options)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        np.testing.assert_array_equal(found, expected)
        if mode in UNFOLDED and offset[0] < 300.0 and interpolation != "linear":
            assert most < volume.nbytes / 2
