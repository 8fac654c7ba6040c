"""Arrays of Zarr and HDF5 as cases, by their paths."""

import multiprocessing
import pickle

import numpy as np
import pytest

from support.loaders import marks_of
from support.streams import CASES, batches, same
from volaug import CaseError
from volaug.data.files.opening import as_path, open_volume
from volaug.data.files.safety import FileError

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")

pytestmark = marks_of("zarr", "h5py")

CHUNKS = (16, 16, 16)


def as_zarr(folder, number, case, version=3):
    group = zarr.open_group(str(folder / f"{number}.zarr"), mode="w", zarr_format=version)
    for name, voxels in case.items():
        group.create_array(name, data=voxels, chunks=CHUNKS)
    return {name: folder / f"{number}.zarr" / name for name in case}


def as_zarr2(folder, number, case):
    return as_zarr(folder, number, case, version=2)


def as_hdf5(folder, number, case):
    with h5py.File(folder / f"{number}.h5", "w") as file:
        for name, voxels in case.items():
            file.create_dataset(f"scan/{name}", data=voxels, chunks=CHUNKS, compression="gzip")
    return {name: f"{folder / str(number)}.h5::scan/{name}" for name in case}


WAYS = [as_zarr, as_zarr2, as_hdf5]


def written(way, folder):
    return [way(folder, number, case) for number, case in enumerate(CASES)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cache_bytes", [0, 2**30])
@pytest.mark.slow
def test_the_same_batches_as_of_arrays(way, cache_bytes, tmp_path):
    cases = written(way, tmp_path)
    options = {"threads": 3, "cache_bytes": cache_bytes}
    for one, other in zip(batches(6, cases=cases, **options), batches(6), strict=True):
        same(one, other)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", ">i2", "float32", "float64"])
def test_every_part_and_dtype(way, dtype, tmp_path):
    voxels = (np.arange(17 * 19 * 21) % 100).reshape(17, 19, 21).astype(dtype)
    volume = open_volume(as_path(way(tmp_path, 0, {"image": voxels})["image"]))
    assert volume.shape == voxels.shape
    assert volume.dtype.newbyteorder("=") == voxels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(volume[...], voxels)
    np.testing.assert_array_equal(volume[..., 2:6, 0:19, 3:4], voxels[..., 2:6, 0:19, 3:4])


def test_the_only_dataset_of_a_file_needs_no_name(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["deep/inside"] = CASES[0]["image"]
    np.testing.assert_array_equal(open_volume(tmp_path / "a.hdf5")[...], CASES[0]["image"])


@pytest.mark.parametrize("way", WAYS)
def test_a_volume_can_be_pickled_and_used_by_a_child(way, tmp_path):
    volume = open_volume(as_path(way(tmp_path, 0, {"image": CASES[0]["image"]})["image"]))
    whole = volume[...]  # the libraries have been used before the fork
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(volume))[...], whole)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply_async(_whole, [volume]).get(60)
    np.testing.assert_array_equal(found, whole)


def _whole(volume):
    return volume[...]


def group_of_zarr(folder):
    as_zarr(folder, 0, CASES[0])
    return folder / "0.zarr"


def missing_zarr(folder):
    return folder / "missing.zarr"


def several_datasets(folder):
    as_hdf5(folder, 0, CASES[0])
    return folder / "0.h5"


def unknown_dataset(folder):
    as_hdf5(folder, 0, CASES[0])
    return as_path(f"{folder}/0.h5::scan/t2")


def group_of_hdf5(folder):
    as_hdf5(folder, 0, CASES[0])
    return as_path(f"{folder}/0.h5::scan")


def damaged_hdf5(folder):
    (folder / "0.h5").write_bytes(b"damaged")
    return folder / "0.h5"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (group_of_zarr, r"got a group: .* of its arrays \(image, label\)"),
        (missing_zarr, "does not exist"),
        (several_datasets, r"as 0\.h5::image; the file has scan/image, scan/label"),
        (unknown_dataset, "'scan/t2' is none; the file has scan/image"),
        (group_of_hdf5, "'scan' is none; the file has scan/image"),
        (damaged_hdf5, r"0\.h5: .*file signature not found"),
    ],
)
def test_what_is_no_array_is_said(made, message, tmp_path):
    path = made(tmp_path)
    with pytest.raises(FileError, match=message) as error:
        open_volume(path)
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("way", [as_zarr, as_hdf5])
def test_a_file_that_is_changed_in_use(way, tmp_path):
    path = as_path(way(tmp_path, 0, {"image": CASES[0]["image"]})["image"])
    volume = open_volume(path)
    way(tmp_path, 0, {"image": CASES[1]["image"]})
    with pytest.raises(FileError, match="was changed while it was in use"):
        volume[...]


def test_a_damaged_chunk_names_its_case(tmp_path):
    cases = written(as_zarr, tmp_path)
    for chunk in (tmp_path / "1.zarr" / "image" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    with pytest.raises(CaseError, match=r"case 1.*1\.zarr"):
        batches(4, cases=cases)
