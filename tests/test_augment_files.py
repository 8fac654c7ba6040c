"""Files that `volaug augment` writes: read back by nibabel and SimpleITK, with all they carry."""

# ruff: noqa: E402 - what the command needs may be missing

import gzip
import io
import json
import locale
import re
import struct

import nibabel
import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")
SimpleITK = pytest.importorskip("SimpleITK")

from support.datasets import SHAPE, TILTED, files_in, label_of, manifest_of, pipeline_file, voxels
from test_augment_command import augment, succeeds
from volaug import Record
from volaug.data.files.encoding import stored_voxels
from volaug.data.files.opening import open_volume
from volaug.data.files.scans import SUFFIXES, read_scan, suffix_of_copy, write_scan

CROPPING = """
format = "volaug.pipeline"
version = 1
swap = []

[[transforms]]
type = "RandomAffine"
p = 1.0

[[transforms]]
type = "CenterCrop"
shape = [12, 17, 30]
"""
LPS = np.diag((-1.0, -1.0, 1.0, 1.0))


def world_of(path):
    """Voxels and the affine of a file, by SimpleITK."""
    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3))
    affine[:3, :3], affine[:3, 3] = direction * image.GetSpacing(), image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).T, LPS @ affine


def nifti(path, scan, affine=TILTED, kind=nibabel.Nifti1Image, **fields):
    image = kind(scan, affine, dtype=scan.dtype)
    for name, value in fields.items():
        image.header[name] = value
    path.parent.mkdir(exist_ok=True, parents=True)
    nibabel.save(image, path)
    return path


def itk(path, scan, affine=TILTED, compressed=True):
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(scan.T))
    world = LPS @ affine
    sizes = np.linalg.norm(world[:3, :3], axis=0)
    image.SetSpacing(sizes.tolist())
    image.SetDirection((world[:3, :3] / sizes).ravel().tolist())
    image.SetOrigin(world[:3, 3].tolist())
    image.SetMetaData("Scanner", "number 5")
    path.parent.mkdir(exist_ok=True)
    SimpleITK.WriteImage(image, str(path), compressed)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_both_libraries_read_the_same_place(tmp_path, suffix, dtype):
    write = itk if suffix in (".nrrd", ".mha") else nifti
    given = write(tmp_path / f"in/scan{suffix}", voxels(1).astype(dtype))
    write(tmp_path / f"in/scan_seg{suffix}", label_of(voxels(1)))
    out = tmp_path / "out"
    succeeds(tmp_path / "in", out, "--pipeline", pipeline_file(tmp_path, CROPPING))
    original = open_volume(given)
    for ending in ("", "_seg"):
        path = out / f"scan_aug001{ending}{suffix}"
        record = Record.from_dict(manifest_of(out)[path.name]["record"])
        expected = original.affine.copy()
        expected[:3, 3] += expected[:3, :3] @ record.crop_start
        scan, world = world_of(path)
        volume = open_volume(path)  # by nibabel, or by SimpleITK
        assert volume.shape == scan.shape == (12, 17, 30)
        np.testing.assert_array_equal(volume[...], scan)
        np.testing.assert_allclose(world, expected, atol=1e-3)
        np.testing.assert_allclose(volume.affine, expected, atol=1e-3)
        assert scan.dtype == (dtype if not ending else "uint8")
        source = voxels(1).astype(dtype) if not ending else label_of(voxels(1))
        target = {"label" if ending else "image": np.asfortranarray(source)}  # as files have it
        (name,) = target
        np.testing.assert_array_equal(scan, record.apply(**target)[name])


def header_of(path):
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content)[:352]


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_header_is_kept_to_the_last_byte(tmp_path, kind):
    fields = {"descrip": b"a scanner", "cal_max": 900.0, "intent_code": 1002, "qform_code": 1,
              "sform_code": 4, "xyzt_units": 10, "aux_file": b"other", "slice_code": 2}  # fmt: skip
    image = kind(voxels(0), TILTED, dtype=np.int16)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"of a scan"))
    for name, value in fields.items():
        image.header[name] = value
    (tmp_path / "in").mkdir()
    nibabel.save(image, tmp_path / "in/a.nii")
    succeeds(tmp_path / "in", tmp_path / "out", "--pipeline", "mild_mri")
    given, made = (tmp_path / "in/a.nii").read_bytes(), tmp_path / "out/a_aug001.nii"
    offset = int(nibabel.load(made).dataobj.offset)
    assert made.read_bytes()[:offset] == given[:offset]
    assert made.stat().st_size == len(given)


def test_big_endian_and_scaled_files_stay_so(tmp_path):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    header.set_data_shape(SHAPE)
    header.set_sform(TILTED, 1)
    header.set_slope_inter(0.25, -100.0)
    stream = io.BytesIO()
    header["vox_offset"] = 352
    header.write_to(stream)
    (tmp_path / "in").mkdir()
    raw = voxels(0).astype(">i2").tobytes(order="F")
    (tmp_path / "in/a.nii").write_bytes(stream.getvalue() + raw)
    pipeline = pipeline_file(tmp_path, CROPPING.replace("12, 17, 30", "18, 20, 22"))
    succeeds(tmp_path / "in", tmp_path / "out", "--pipeline", pipeline)
    made = tmp_path / "out/a_aug001.nii"
    assert header_of(made) == header_of(tmp_path / "in/a.nii")
    values = 0.25 * voxels(0).astype(np.float32) - 100
    record = Record.from_dict(manifest_of(tmp_path / "out")[made.name]["record"])
    expected = record.apply(image=values)["image"]
    found = np.asarray(nibabel.load(made).dataobj)
    np.testing.assert_allclose(found, expected, atol=0.126)


def test_a_scale_that_is_too_small_is_widened():
    values = np.array([[[-10.0, 0.0, 7.5e4]]])
    stored = stored_voxels(values, np.dtype("int16"), 0.5, 0.0)
    np.testing.assert_allclose(stored.slope * stored.voxels + stored.intercept, values, atol=1.2)
    kept = stored_voxels(values / 10, np.dtype("int16"), 0.5, 0.0)
    assert (kept.slope, kept.intercept) == (0.5, 0.0)
    assert kept.voxels.tolist() == [[[-2, 0, 15000]]]


def test_values_without_a_scale_are_rounded_and_saturate():
    values = np.array([[[-1.0, 2.5, 3.4, 300.0, np.nan, np.inf]]])
    assert stored_voxels(values, np.dtype("uint8")).voxels.tolist() == [[[0, 2, 3, 255, 0, 255]]]
    wide = np.array([[[2.0**70, -(2.0**70)]]])
    limits = np.iinfo(np.int64)
    assert stored_voxels(wide, np.dtype("int64")).voxels.tolist() == [[[limits.max, limits.min]]]
    whole = np.array([[[-5, 70_000]]])
    assert stored_voxels(whole, np.dtype("uint16")).voxels.tolist() == [[[0, 65535]]]


@pytest.mark.parametrize("suffix", [".nii.gz", ".mgz", ".mgh", ".img", ".npy", ".nii.bz2"])
def test_other_formats_are_copied(tmp_path, suffix):
    path, scan = tmp_path / f"a{suffix}", voxels(2)
    if suffix == ".npy":
        np.save(path, scan)
    elif suffix.startswith(".mg"):
        nibabel.save(nibabel.MGHImage(scan, TILTED), path)
    else:
        nibabel.save(nibabel.Nifti1Image(scan, TILTED), path)
    found, target = read_scan(path), tmp_path / f"b{suffix_of_copy(path)}"
    write_scan(found, scan[2:, 1:, 3:], (2, 1, 3), target)
    again = open_volume(target)
    np.testing.assert_array_equal(again[...], scan[2:, 1:, 3:])
    if suffix != ".npy":
        expected = TILTED.copy()
        expected[:3, 3] += expected[:3, :3] @ (2, 1, 3)
        np.testing.assert_allclose(again.affine, expected, atol=1e-5)
    assert target.name == f"b{SUFFIXES[suffix]}"


def test_a_dicom_series_becomes_nifti(tmp_path):
    folder, before = tmp_path / "in/series", locale.setlocale(locale.LC_ALL)
    folder.mkdir(parents=True)
    scan = voxels(0)
    for number in range(scan.shape[2]):
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(scan[..., number].T[None]))
        image.SetSpacing((1.0, 1.5, 2.0))
        image.SetOrigin((3.0, 4.0, 2.0 * number))
        writer = SimpleITK.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        for tag, value in {
            "0008|0060": "MR", "0020|000e": "1.2.826.0.1.3680043.2.1125.1",
            "0020|0013": str(number), "0020|0032": f"3\\4\\{2.0 * number}",
            "0020|0037": "1\\0\\0\\0\\1\\0", "0018|0050": "2",
        }.items():  # fmt: skip
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{number:03}.dcm"))
        writer.Execute(image)
    locale.setlocale(locale.LC_ALL, before)  # ITK's writer resets it, and with it the encoding
    out = tmp_path / "out"
    succeeds(tmp_path / "in", out, "--pipeline", pipeline_file(tmp_path, CROPPING), "--originals")
    made, world = world_of(out / "series_aug001.nii.gz")
    assert made.shape == (12, 17, 30)
    original = open_volume(folder)
    np.testing.assert_allclose(world[:3, :3], original.affine[:3, :3], atol=1e-5)
    assert len([*out.glob("series/*.dcm")]) == scan.shape[2]
    succeeds(folder, tmp_path / "one", "--pipeline", "mild_mri")
    assert files_in(tmp_path / "one").keys() == {"series_aug001.nii.gz"}


def test_metadata_of_nrrd_and_compression_are_kept(tmp_path):
    itk(tmp_path / "in/a.nrrd", voxels(0))
    itk(tmp_path / "in/b.nrrd", voxels(0), compressed=False)
    succeeds(tmp_path / "in", tmp_path / "out", "--pipeline", "mild_mri")
    for name, encoding in (("a", b"encoding: gzip"), ("b", b"encoding: raw")):
        content = (tmp_path / f"out/{name}_aug001.nrrd").read_bytes()
        assert encoding in content[:1000]
        assert b"Scanner:=number 5" in content[:1000]


def test_a_label_keeps_its_own_axes(tmp_path):
    """An image of one orientation and its label of another stay where they are."""
    scan, order = voxels(1), (2, 0, 1)
    nifti(tmp_path / "in/a.nii.gz", scan)
    turned = label_of(scan).transpose(order)[::-1]
    affine = np.eye(4)
    affine[:3, :3] = TILTED[:3, :3][:, order] * (-1, 1, 1)
    affine[:3, 3] = TILTED[:3, 3] + TILTED[:3, 2] * (SHAPE[2] - 1)
    nifti(tmp_path / "in/a_seg.nii.gz", turned, affine)
    out = tmp_path / "out"
    succeeds(tmp_path / "in", out, "--pipeline", pipeline_file(tmp_path, CROPPING))
    made = nibabel.load(out / "a_aug001_seg.nii.gz")
    np.testing.assert_allclose(made.affine[:3, :3], affine[:3, :3], atol=1e-5)
    record = Record.from_dict(manifest_of(out)["a_aug001.nii.gz"]["record"])
    expected = record.apply(label=label_of(scan))["label"]
    np.testing.assert_array_equal(np.asarray(made.dataobj), expected.transpose(order)[::-1])
    image = nibabel.load(out / "a_aug001.nii.gz")
    first = image.affine @ (0, 0, image.shape[2] - 1, 1)
    np.testing.assert_allclose(made.affine[:3, 3], first[:3], atol=1e-4)


def test_landmarks_follow_in_every_form(tmp_path):
    scan, places = voxels(0), np.array([(5.0, 9.5, 7.0), (10.0, 11.0, 12.0)])
    world = places @ TILTED[:3, :3].T + TILTED[:3, 3]
    source = tmp_path / "in"
    for name in "abc":
        nifti(source / f"{name}.nii.gz", scan)
    rows = [
        dict(zip("xyz", row, strict=True), name=f"p{n}") for n, row in enumerate(world.tolist())
    ]
    text = "name,x,y,z\n" + "".join(f"p{n},{x},{y},{z}\n" for n, (x, y, z) in enumerate(world))
    (source / "a_landmarks.csv").write_text(text)
    (source / "b_landmarks.json").write_text(json.dumps(rows))
    points = [{"label": "tip", "position": (row * (-1, -1, 1)).tolist()} for row in world]
    markups = {"@schema": "s", "markups": [{"coordinateSystem": "LPS", "controlPoints": points}]}
    (source / "c.mrk.json").write_text(json.dumps(markups))
    out = tmp_path / "out"
    succeeds(source, out, "--pipeline", pipeline_file(tmp_path, CROPPING))
    lines = manifest_of(out)

    def expected(name):
        record = Record.from_dict(lines[name]["record"])
        moved = record.apply(points=places)["points"]
        affine = record.cropped_affine
        return moved @ affine[:3, :3].T + affine[:3, 3]

    _, *made = (out / "a_aug001_landmarks.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in made] == ["p0", "p1"]
    found = [[float(x) for x in row.split(",")[1:]] for row in made]
    np.testing.assert_allclose(found, expected("a_aug001_landmarks.csv"), atol=2e-6)
    made = json.loads((out / "b_aug001_landmarks.json").read_text())
    found = [[row[axis] for axis in "xyz"] for row in made]
    np.testing.assert_allclose(found, expected("b_aug001_landmarks.json"), atol=2e-6)
    made = json.loads((out / "c_aug001.mrk.json").read_text())
    assert made["@schema"] == "s"
    found = [point["position"] for point in made["markups"][0]["controlPoints"]]
    np.testing.assert_allclose(found * np.array((-1, -1, 1)), expected("c_aug001.mrk.json"),
                               atol=2e-6)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "must have x, y, z"),
        ("x,y,z\n1,2\n", "must have a field for each column"),
        ("x,y,z\n1,2,tip\n", "must have numbers for its landmarks, got 'tip'"),
        ("x,y,z\n1,2,nan\n", "must have finite numbers"),
    ],
)
def test_what_is_wrong_with_landmarks(tmp_path, text, message):
    nifti(tmp_path / "in/a.nii.gz", voxels(0))
    (tmp_path / "in/a_landmarks.csv").write_text(text)
    result = augment(tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 1
    assert message in result.stderr


def declared(shape):
    """A header of NIfTI that declares voxels which are not there."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape(shape)
    header["vox_offset"] = 352
    stream = io.BytesIO()
    header.write_to(stream)
    return stream.getvalue()


HEADER = declared((20, 20, 20))
FULL = HEADER + bytes(64_000)


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".nii.gz", b"", "cut short|empty"),
        (".nii", b"", "[Ee]mpty"),
        (".nii.gz", b"these are words", "is damaged"),
        (".nii", b"these are words", "must be a NIfTI or MGH file"),
        (".nii.gz", gzip.compress(FULL, mtime=0)[:-30], "cut short"),
        (".nii.gz", gzip.compress(FULL, mtime=0)[:-8] + b"12345678", "is damaged"),
        (".nii.gz", FULL, "is damaged"),
        (".nii", gzip.compress(FULL, mtime=0), "must be a NIfTI or MGH file"),
        (".nii", HEADER, "is cut short: its header declares 64352 bytes, got 352"),
        (".nii", declared((32767, 32767, 32767)), "cut short"),
        (".nii.gz", gzip.compress(declared((32767, 32767, 32767)), mtime=0), "cut short"),
        (".nii.gz", gzip.compress(HEADER + bytes(2**26), mtime=0), "holds more than"),
        (".nii", FULL[:40] + struct.pack("<h", 0) + FULL[42:], ""),
        (".nii", FULL[:40] + struct.pack("<h", 9) + FULL[42:], ""),
        (".nii", FULL[:42] + struct.pack("<h", -5) + FULL[44:], ""),
        (".nii", FULL[:108] + struct.pack("<f", np.nan) + FULL[112:], ""),
        (".nii", FULL[:108] + struct.pack("<f", 1e9) + FULL[112:], ""),
        (".nii", FULL[:70] + struct.pack("<h", 128) + FULL[72:], ""),
        (".nii", FULL[:70] + struct.pack("<h", 32) + FULL[72:], ""),
        (".npy", b"\x93NUMPY\x01\x00", ""),
        (".nrrd", b"NRRD0004\ntype: short\n", ""),
        (".mha", b"ObjectType = Image\n", ""),
    ],
)
def test_damaged_files_are_one_line_each(tmp_path, suffix, content, message):
    (tmp_path / "in").mkdir()
    (tmp_path / f"in/bad{suffix}").write_bytes(content)
    nifti(tmp_path / "in/good.nii.gz", voxels(0))
    result = augment(tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 1, result.output
    first, *others = result.stderr.splitlines()
    assert len(others) == 2
    assert first.startswith(f"volaug: bad{suffix}: {tmp_path}/in/bad{suffix}: ")
    assert re.search(message, first), first
    assert files_in(tmp_path / "out").keys() == {"good_aug001.nii.gz"}
