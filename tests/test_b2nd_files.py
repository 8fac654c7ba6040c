"""Files of Blosc2, as nnU-Net writes its preprocessed cases, in a stream."""

import os

import numpy as np
import pytest

from support.loaders import marks_of
from support.streams import CASES, batches, same
from volaug import CaseError
from volaug.data.files import b2nd
from volaug.data.files.opening import open_volume
from volaug.data.files.safety import FileError

blosc2 = pytest.importorskip("blosc2")

pytestmark = marks_of("blosc2")


def write(path, voxels, **options):
    blosc2.asarray(np.ascontiguousarray(voxels), urlpath=str(path), mode="w", **options)
    return path


@pytest.fixture
def files(tmp_path):
    """Cases as nnU-Net stores them: an axis of channels, image and label in files of their own."""
    return [
        {
            "image": write(
                tmp_path / f"{number}.b2nd", case["image"][None], chunks=(1, 16, 16, 16)
            ),
            "label": write(tmp_path / f"{number}_seg.b2nd", case["label"][None]),
        }
        for number, case in enumerate(CASES)
    ]


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("cache_bytes", [0, 2**30])
def test_the_same_batches_as_of_arrays(files, threads, cache_bytes):
    arrays = [{name: volume[None] for name, volume in case.items()} for case in CASES]
    options = {"threads": threads, "cache_bytes": cache_bytes}
    for one, other in zip(
        batches(6, cases=files, **options), batches(6, cases=arrays), strict=True
    ):
        same(one, other)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "float32", "float64"])
def test_every_part_and_dtype(dtype, tmp_path):
    voxels = (np.arange(2 * 7 * 9 * 11) % 100).reshape(2, 7, 9, 11).astype(dtype)
    volume = open_volume(write(tmp_path / "a.b2nd", voxels, chunks=(1, 3, 4, 5)))
    assert (volume.shape, volume.dtype) == (voxels.shape, voxels.dtype)
    np.testing.assert_array_equal(volume[...], voxels)
    np.testing.assert_array_equal(volume[..., 2:6, 0:9, 3:4], voxels[..., 2:6, 0:9, 3:4])


@pytest.mark.parametrize("box", [(0, 7, 0, 9, 0, 11), (2, 6, 0, 9, 3, 4), (6, 7, 8, 9, 10, 11)])
def test_the_c_library_reads_what_the_python_one_does(box, tmp_path, monkeypatch):
    """Where an installation has no C library of its own, Python's blosc2 reads the parts."""
    path = write(tmp_path / "a.b2nd", CASES[0]["image"][None, :7, :9, :11], chunks=(1, 3, 4, 5))
    volume = open_volume(path)
    window = (..., *(slice(*ends) for ends in zip(box[::2], box[1::2], strict=True)))
    part = volume[window]
    monkeypatch.setattr(b2nd, "c_library", lambda: None)
    np.testing.assert_array_equal(part, volume[window])


def test_an_error_of_the_c_library_names_the_file(tmp_path):
    path = write(tmp_path / "a.b2nd", CASES[0]["image"])
    volume = open_volume(path)
    assert b2nd.c_library() is not None
    state = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes(len(content) - 200))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # as a disk does that loses bits
    with pytest.raises(FileError, match="cannot be read by Blosc2"):
        volume[..., 0:4, 0:4, 0:4]


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "missing", "a folder"])
def test_a_damaged_file_is_named(damage, tmp_path):
    path = write(tmp_path / "a.b2nd", CASES[0]["image"])
    content = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {"text": b"text", "empty": b"", "cut": content[: len(content) // 2]}[damage]
        )
    with pytest.raises(FileError) as error:
        open_volume(path)[...]
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_array(tmp_path):
    path = tmp_path / "a.b2nd"
    blosc2.SChunk(chunksize=100, data=b"x" * 200, urlpath=str(path), mode="w")
    with pytest.raises(FileError, match="must be an array, got a SChunk"):
        open_volume(path)


def test_a_file_that_is_changed_in_use(files):
    volume = open_volume(files[0]["image"])
    write(files[0]["image"], CASES[1]["image"][None])
    with pytest.raises(FileError, match="was changed while it was in use"):
        volume[...]


def test_a_case_whose_file_is_damaged(files):
    files[1]["image"].write_bytes(b"damaged")
    with pytest.raises(CaseError, match=r"case 1.*1\.b2nd"):
        batches(4, cases=files)
