"""Image files that are damaged, cut short or of another kind: one error that names the file."""

import bz2
import gzip
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from support.volumes import random_volume
from volaug import CaseError, Compose, Stream
from volaug.data.files import safety
from volaug.data.files.opening import open_volume
from volaug.data.files.safety import FileError

SHAPE = (20, 22, 24)
IMAGE = (1000 * random_volume(SHAPE)).astype(np.int16)
AFFINE = np.diag((1.0, 2.0, 3.0, 1.0))
BOX = (..., slice(2, 9), slice(0, 22), slice(5, 6))
DATA = Path(nibabel.__file__).parent / "tests" / "data"
NIBABEL = (".nii", ".nii.gz", ".nii.bz2", ".mgz", ".mgh", ".img")
ITK = (".nrrd", ".mha")


def written(folder, suffix):
    """A whole file of a format, compressed if it can be."""
    file = folder / f"whole{suffix}"
    if suffix == ".npy":
        np.save(file, IMAGE)
    elif suffix in ITK:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(IMAGE.T), str(file), True)
    elif suffix.startswith(".mg"):
        nibabel.save(nibabel.MGHImage(IMAGE, AFFINE), file)
    else:
        nibabel.save(nibabel.Nifti1Image(IMAGE, AFFINE), file)
    return file


def refused(file, *words):
    """See that a case of this file is refused in one line, with the file and the words in it."""
    case = {"image": file}
    for cases, key in (([case], None), ([{"image": IMAGE}, case], 0), ([lambda: case], None)):
        with pytest.raises(CaseError) as caught:
            list(Stream(cases, Compose([]), patch_shape=8, batch_size=2, seed=1, epochs=1))
        error = caught.value
        assert (error.case, error.epoch) == (len(cases) - 1, key)
        assert str(error).startswith(f"case {error.case}")
        assert "\n" not in str(error)
        assert Path(error.file).stem == Path(file).stem  # or the other file of a pair
        for word in (error.file, *words):
            assert word in str(error)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("suffix", [".npy", *NIBABEL, *ITK])
def test_whole_files_are_read(tmp_path, suffix):
    volume = open_volume(written(tmp_path, suffix))
    assert (volume.shape, volume.dtype) == (SHAPE, np.int16)
    np.testing.assert_array_equal(volume[...], IMAGE)
    np.testing.assert_array_equal(volume[BOX], IMAGE[BOX])
    again = pickle.loads(pickle.dumps(volume))
    np.testing.assert_array_equal(again[BOX], IMAGE[BOX])


BOXES = [(0, 20, 3, 4, 0, 1), (2, 9, 0, 22, 5, 6), (1, 2, 3, 22, 4, 24), (0, 20, 0, 22, 0, 24)]


@pytest.mark.parametrize("kind", ["int16", "big-endian", "scaled", "channels", "vectors", "mgz"])
@pytest.mark.parametrize("box", BOXES)
def test_a_part_of_a_compressed_file(tmp_path, kind, box):
    """Only the planes that it needs are kept; the same as nibabel's own."""
    channels = kind in ("channels", "vectors")
    voxels = np.stack([IMAGE, -IMAGE, 2 * IMAGE], axis=3) if channels else IMAGE
    if kind == "vectors":
        voxels = voxels[:, :, :, None]
    image = (nibabel.MGHImage if kind == "mgz" else nibabel.Nifti1Image)(voxels, AFFINE)
    if kind == "big-endian":
        image = nibabel.Nifti1Image(voxels, AFFINE, nibabel.Nifti1Header(endianness=">"))
        image.set_data_dtype(">i2")
    if kind == "scaled":
        image.header.set_slope_inter(0.5, 3.0)
    file = tmp_path / ("part.mgz" if kind == "mgz" else "part.nii.gz")
    nibabel.save(image, file)
    expected = nibabel.load(file).get_fdata().squeeze()
    if channels:
        expected = np.moveaxis(expected, 3, 0)
    slices = tuple(slice(*ends) for ends in zip(box[::2], box[1::2], strict=True))
    part = open_volume(file)[(..., *slices)]
    np.testing.assert_array_equal(part, expected[(..., *slices)])
    np.testing.assert_array_equal(open_volume(file)[...], expected)


@pytest.mark.parametrize("suffix", [".npy", *NIBABEL, *ITK])
def test_files_that_are_cut_short(tmp_path, suffix):
    whole = written(tmp_path, suffix).read_bytes()
    footer = 20 if suffix == ".mgh" else 0  # of scanning parameters, which nobody needs
    for length in (0, 1, 60, 400, len(whole) // 2, len(whole) - 1 - footer):
        file = tmp_path / f"whole{suffix}"
        file.write_bytes(whole[:length])
        refused(file)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii.bz2", ".mgz", ".nrrd", ".mha"])
def test_compressed_files_that_are_damaged(tmp_path, suffix):
    """Where a checksum is, it is compared."""
    file = written(tmp_path, suffix)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for share in (0.4, 0.6, 0.9):
        place = int(share * len(whole))
        noise = rng.integers(0, 256, 8, np.uint8).tobytes()
        file.write_bytes(whole[:place] + noise + whole[place + 8 :])
        refused(file)


@pytest.mark.parametrize("suffix", [".npy", ".npz", *NIBABEL, *ITK, "", ".txt", ".dcm"])
@pytest.mark.slow
def test_files_of_something_else(tmp_path, suffix):
    file = tmp_path / f"text{suffix}"
    for content in (b"no image at all\n" * 100, bytes(2000), b"\x1f\x8b" + bytes(2000)):
        file.write_bytes(content)
        refused(file)
    refused(tmp_path / f"missing{suffix}")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suffix", [".npy", ".nii", ".nii.gz", ".nrrd"])
def test_special_files_are_not_opened(tmp_path, suffix):
    pipe = tmp_path / f"pipe{suffix}"
    os.mkfifo(pipe)
    refused(pipe, "must be a regular file, got a pipe")
    link = tmp_path / f"zero{suffix}"
    link.symlink_to("/dev/zero")
    refused(link, "must be a regular file, got a device")
    with socket.socket(socket.AF_UNIX) as server:
        name = tmp_path / f"socket{suffix}"
        server.bind(str(name))
        refused(name, "must be a regular file, got a socket")
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    refused(folder, "folder")


@pytest.mark.timeout(60)
def test_special_files_that_belong_to_another(tmp_path):
    """The second file of an image, or one in a folder of DICOM files."""
    (tmp_path / "image.hdr").write_bytes(nibabel.Nifti1Header().binaryblock)
    os.mkfifo(tmp_path / "image.img")
    refused(tmp_path / "image.hdr", "must be a regular file, got a pipe")
    (tmp_path / "scan.PAR").write_bytes((DATA / "T1.PAR").read_bytes())
    os.mkfifo(tmp_path / "scan.REC")
    refused(tmp_path / "scan.PAR", "must be a regular file, got a pipe")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "slice.dcm")
    with pytest.raises(FileError, match="must be a regular file, got a pipe"):
        open_volume(tmp_path / "folder")
    for suffix, field, place in ((".mhd", "ElementDataFile", "="), (".nhdr", "data file", ":")):
        SimpleITK.WriteImage(
            SimpleITK.GetImageFromArray(IMAGE), str(tmp_path / f"detached{suffix}")
        )
        os.mkfifo(tmp_path / f"pipe{suffix}")
        file = tmp_path / f"detached{suffix}"
        lines = [line for line in file.read_text().splitlines() if not line.startswith(field)]
        for data, message in (
            (f"pipe{suffix}", "must be a regular file, got a pipe"),
            ("/dev/zero", "must be a regular file, got a device"),
            ("missing", "No such file"),
            ("LIST", "must have its voxels in one file"),
            ("slice%03d.raw 1 10 1", "must have its voxels in one file"),
        ):
            file.write_text("\n".join([*lines, f"{field} {place} {data}"]) + "\n")
            with pytest.raises(FileError, match=message):
                open_volume(file)


@pytest.mark.slow
def test_headers_that_ask_for_more_than_there_is(tmp_path):
    """Nothing is allocated for them."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape((32767, 32767, 32767))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    plain = header.binaryblock + bytes(4)
    file = tmp_path / "huge.nii"
    file.write_bytes(plain)
    refused(file, "is cut short: its header declares 281449207693656 bytes, got 352")
    for suffix, compress in ((".gz", gzip.compress), (".bz2", bz2.compress)):
        file = tmp_path / f"huge.nii{suffix}"
        file.write_bytes(compress(plain + bytes(10**6)))
        refused(file, "cannot hold" if suffix == ".gz" else "is cut short")

    # and the reverse: a header of little, and very much after it
    header.set_data_shape((4, 4, 4))
    file = tmp_path / "bomb.nii.gz"
    file.write_bytes(gzip.compress(header.binaryblock + bytes(2**25), 9))
    refused(file, "holds more than the 864 bytes of its header")

    file = tmp_path / "huge.npy"
    with file.open("wb") as stream:
        huge = {"descr": "<f8", "fortran_order": False, "shape": (10**4, 10**4, 10**4)}
        np.lib.format.write_array_header_1_0(stream, huge)
    refused(file, "is cut short: its header declares 8000000000128 bytes, got 128")


def test_npy_files_of_objects_and_others(tmp_path):
    file = tmp_path / "objects.npy"
    np.save(file, np.full(SHAPE, None), allow_pickle=True)
    refused(file, "must hold numbers, got Python objects")
    for array in (
        IMAGE[0], IMAGE[None, None], IMAGE.astype(complex), IMAGE.astype("S3"), IMAGE[:0],
        np.zeros(SHAPE, [("a", np.int16), ("b", np.int16)]), np.array(3),
    ):  # fmt: skip
        np.save(file, array)
        refused(file, "it must ")
    np.savez(tmp_path / "several.npz", a=IMAGE)
    refused(tmp_path / "several.npz", "must be one array in a .npy file")


def nifti(folder, voxels):
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), folder / "image.nii")
    return folder / "image.nii"


@pytest.mark.slow
def test_images_that_are_no_volume_of_real_numbers(tmp_path):
    colors = np.zeros(SHAPE, [("R", np.uint8), ("G", np.uint8), ("B", np.uint8)])
    refused(nifti(tmp_path, colors), "must hold numbers, got colors of 3 parts")
    refused(nifti(tmp_path, IMAGE.astype(np.complex64)), "must hold real numbers, got complex ones")
    refused(nifti(tmp_path, IMAGE[..., None, None] + np.zeros((2, 3), np.int16)), "three axes")
    refused(nifti(tmp_path, IMAGE[0]), "must have three axes")
    refused(DATA / "row_major.dconn.nii", "must hold a volume, got another kind of data (CIFTI2)")
    refused(DATA / "minc1_4d.mnc", "must have three axes in a MINC file")
    refused(DATA / "phantom_truncated.PAR")
    refused(DATA / "T1.PAR", "T1.REC")


def test_an_affine_that_is_none(tmp_path):
    for bad in (np.nan, 0.0):
        file = nifti(tmp_path, IMAGE)
        with file.open("r+b") as stream:
            stream.seek(280)  # of srow_x
            stream.write(np.array((bad, 0, 0, 0), np.float32).tobytes())
        refused(file, "affine must be")
        # a case can say what the file does not know
        case = {"image": file, "spacing": (1, 2, 3)}
        with Stream([case], Compose([]), patch_shape=8, batch_size=1, seed=1) as made:
            assert next(made)["spacing"] == [(1.0, 2.0, 3.0)]


def test_vectors_of_nifti_are_channels(tmp_path):
    """They lie along the fifth axis there, and the fourth is time."""
    volume = open_volume(nifti(tmp_path, np.stack([IMAGE, -IMAGE], axis=3)[:, :, :, None]))
    np.testing.assert_array_equal(volume[...], [IMAGE, -IMAGE])
    np.testing.assert_array_equal(volume[BOX], np.stack([IMAGE, -IMAGE])[BOX])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_forked_child_reads_the_files_of_a_stream_that_is_in_use(tmp_path):
    """No lock that a thread held at that moment is needed in the child."""
    case = {"image": written(tmp_path, ".nii.gz"), "label": written(tmp_path, ".npy")}
    volumes = {name: open_volume(path) for name, path in case.items()}
    stop = threading.Event()

    def read():
        while not stop.is_set():
            volumes["image"][...]

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                same = all((volume[BOX] == IMAGE[BOX]).all() for volume in volumes.values())
                os._exit(0 if same else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for reader in readers:
            reader.join()


@pytest.mark.parametrize("suffix", [".npy", ".nii", ".nii.gz", ".nrrd"])
def test_files_that_change_or_vanish_while_they_are_in_use(tmp_path, suffix):
    file = written(tmp_path, suffix)
    volume = open_volume(file)
    content = file.read_bytes()
    os.truncate(file, len(content) // 2)
    with pytest.raises(FileError, match="was changed while it was in use"):
        volume[BOX]
    file.write_bytes(content)
    os.utime(file, (1, 1))
    with pytest.raises(FileError, match="was changed while it was in use"):
        volume[...]
    file.unlink()
    with pytest.raises(FileError, match="No such file"):
        volume[BOX]


@pytest.mark.parametrize("suffix", [".npy", ".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_file_that_is_written_to_while_a_part_is_read(tmp_path, monkeypatch, suffix, fails):
    """Whether the library that reads it notices or not."""
    file = written(tmp_path, suffix)
    volume = open_volume(file)
    check = safety.check_unchanged

    def check_and_write(states):
        check(states)
        monkeypatch.setattr(safety, "check_unchanged", check)
        content = file.read_bytes()
        file.write_bytes(content[:100] if fails else content)
        os.utime(file, (1, 1))

    monkeypatch.setattr(safety, "check_unchanged", check_and_write)
    with pytest.raises(FileError, match="was changed while it was in use") as caught:
        volume[BOX]
    assert (caught.value.__context__ is not None) is fails


@pytest.mark.parametrize("suffix", [".npy", ".nii"])
@pytest.mark.slow
def test_a_file_that_becomes_shorter_does_not_kill_the_process(tmp_path, suffix):
    """As a mapped one does, with SIGBUS."""
    script = f"""
        import os
        from volaug import CaseError, Compose, Stream
        file = {str(written(tmp_path, suffix))!r}
        case = {{"image": file}}
        with Stream([case], Compose([]), patch_shape=8, batch_size=1, seed=1, prefetch=1) as made:
            next(made)
            os.truncate(file, 400)
            try:
                while True:
                    next(made)
            except CaseError as error:
                print(error)
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "was changed while it was in use" in found.stdout


def test_a_library_that_a_format_needs_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    refused(DATA / "small.mnc", "needs h5py, which is not installed: pip install h5py")
