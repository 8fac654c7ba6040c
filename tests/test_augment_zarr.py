"""`volaug augment` on arrays of Zarr and images of OME-Zarr."""

import shutil

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")
from support.datasets import files_in, label_of, pipeline_file, voxels
from test_augment_command import succeeds
from volaug import Record
from volaug.data.augmenting.manifest import Manifest
from volaug.data.files.zarr_folder import ZarrFolder

zarr = pytest.importorskip("zarr")

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")

PIPELINE = """
format = "volaug.pipeline"
version = 1
swap = []
transforms = [
  { type = "RandomAffine", p = 1.0 },
  { type = "RandomElastic", max_displacement = 2.0, num_control_points = 5, p = 1.0 },
  { type = "RandomGamma", p = 1.0 },
  { type = "RandomCrop", shape = [16, 16, 16] },
]
"""
AXES = [
    {"name": "c", "type": "channel"},
    *({"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"),
]


def ome_zarr(path, array, version=3):
    """An image with a channel and two levels."""
    steps = [
        [{"type": "scale", "scale": [1, 2000 * f, 500 * f, 500 * f]},
         {"type": "translation", "translation": [0, 10, 20, 30]}]
        for f in (1, 2)
    ]  # fmt: skip
    levels = [
        {"path": str(number), "coordinateTransformations": step}
        for number, step in enumerate(steps)
    ]
    image = {"axes": AXES, "datasets": levels, "name": "scan"}
    values = {"version": "0.5", "multiscales": [image]}
    attributes = {"ome": values} if version == 3 else {"multiscales": [{**image, "version": "0.4"}]}
    group = zarr.open_group(str(path), mode="w", zarr_format=version, attributes=attributes)
    for number, step in enumerate((1, 2)):
        data = array[None, ::step, ::step, ::step]
        level = group.create_array(str(number), shape=data.shape, chunks=(1, 8, 8, 8), dtype="i2")
        level[...] = data
    return path


def plain(path, array):
    target = zarr.create_array(str(path), shape=array.shape, chunks=(8, 8, 8), dtype=array.dtype)
    target[...] = array
    target.attrs["site"] = "A"
    return path


@pytest.fixture(params=["plain", "ome", "ome of Zarr 2"])
def scans(request, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(2):
        scan = voxels(number)
        path = folder / f"scan{number}.zarr"
        if request.param == "plain":
            plain(path, scan)
            plain(folder / f"scan{number}_seg.zarr", label_of(scan))
        else:
            ome_zarr(path, scan, 3 if request.param == "ome" else 2)
    return folder


def test_copies_are_whole_and_the_same_within_any_memory(tmp_path, scans):
    options = ("--pipeline", pipeline_file(tmp_path, PIPELINE), "--copies", 2)
    succeeds(scans, tmp_path / "a", *options)
    succeeds(scans, tmp_path / "b", *options, "--memory", "1K")
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")
    manifest = Manifest(tmp_path / "a/manifest.jsonl")
    manifest.close()
    line = next(line for line in manifest.lines if line["file"] == "scan1_aug002.zarr")
    record = Record.from_dict(line["record"])
    found, source = ZarrFolder(tmp_path / "a/scan1_aug002.zarr"), ZarrFolder(scans / "scan1.zarr")
    np.testing.assert_array_equal(found[...], record.apply(image=voxels(1))["image"])
    if source.level is None:
        assert zarr.open(str(tmp_path / "a/scan1_aug002.zarr")).attrs["site"] == "A"
        return
    np.testing.assert_allclose(np.diag(source.affine[[2, 1, 0]]), (2.0, 0.5, 0.5))
    np.testing.assert_allclose(found.affine, record.cropped_affine)
    values = zarr.open_group(str(tmp_path / "a/scan1_aug002.zarr"), mode="r").attrs["ome"]
    assert values["version"] == "0.5"
    assert len(values["multiscales"][0]["datasets"]) == 1


def test_a_run_goes_on(tmp_path, scans):
    options = ("--pipeline", pipeline_file(tmp_path, PIPELINE), "--copies", 2, "--originals")
    out = tmp_path / "out"
    succeeds(scans, out, *options)
    expected = files_in(out)
    shutil.rmtree(out / "scan0_aug001.zarr")
    mark = next((out / "scan1_aug002.zarr").rglob("zarr.json"))
    mark.write_text(mark.read_text() + " ")  # changed after it was written
    succeeds(scans, out, *options, "--resume")
    assert files_in(out) == expected


def test_one_image_is_a_case(tmp_path):
    source = ome_zarr(tmp_path / "one.ome.zarr", voxels(0))
    succeeds(source, tmp_path / "out", "--pipeline", pipeline_file(tmp_path, PIPELINE))
    assert (tmp_path / "out/one.ome_aug001.zarr/zarr.json").is_file()
