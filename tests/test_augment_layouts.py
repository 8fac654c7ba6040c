"""`volaug augment` on datasets of nnU-Net, BIDS and the decathlon, and on lists of cases."""

import csv
import json
import os
import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from support.datasets import (
    TILTED,
    bids,
    decathlon,
    files_in,
    label_of,
    manifest_of,
    nnunet_raw,
    pipeline_file,
    voxels,
    write,
)
from test_augment_command import augment, refused, succeeds
from volaug import Record
from volaug.data.datasets.nnunet_raw import default_folds


@pytest.fixture
def pipeline(tmp_path):
    return pipeline_file(tmp_path)


def array(path):
    return np.asarray(nibabel.load(path).dataobj)


def test_channels_and_label_of_nnunet_move_by_one_warp(tmp_path, pipeline):
    raw, out = nnunet_raw(tmp_path / "raw"), tmp_path / "out"
    succeeds(raw, out, "--pipeline", pipeline, "--copies", 2, "--originals")
    names = {f"case_{n:03}{mark}" for n in range(6) for mark in ("", "_aug001", "_aug002")}
    expected = {f"imagesTr/{name}_000{channel}.nii.gz" for name in names for channel in (0, 1)}
    expected |= {f"labelsTr/{name}.nii.gz" for name in names}
    assert files_in(out).keys() == expected | {"dataset.json", "splits_final.json"}
    first = array(out / "imagesTr/case_003_aug002_0000.nii.gz").astype(int)
    second = array(out / "imagesTr/case_003_aug002_0001.nii.gz").astype(int)
    inside = first > 50  # away from what lies outside of the scan, which is 0 in both
    assert abs(second - first - 1)[inside].max() <= 1
    line = manifest_of(out)["imagesTr/case_003_aug002_0000.nii.gz"]
    label = Record.from_dict(line["record"]).apply(label=label_of(voxels(3)))["label"]
    np.testing.assert_array_equal(array(out / "labelsTr/case_003_aug002.nii.gz"), label)
    description = json.loads((out / "dataset.json").read_text())
    assert description["numTraining"] == 18
    assert description["channel_names"] == {"0": "MR0", "1": "MR1"}


@pytest.mark.parametrize("originals", [True, False])
def test_no_copy_of_a_validation_case_is_trained_on(tmp_path, pipeline, originals):
    raw, out = nnunet_raw(tmp_path / "raw", 7, 1), tmp_path / "out"
    options = ["--originals"] if originals else []
    succeeds(raw, out, "--pipeline", pipeline, "--copies", 2, *options)
    folds = json.loads((out / "splits_final.json").read_text())
    assert len(folds) == 5
    there = {path.name[:-7] for path in (out / "labelsTr").iterdir()}
    validated = set()
    for fold in folds:
        sources = {part: {name[:8] for name in fold[part]} for part in fold}
        assert not sources["train"] & sources["val"]
        assert sources["train"] | sources["val"] == {f"case_{n:03}" for n in range(7)}
        assert {*fold["train"], *fold["val"]} <= there
        assert len(fold["train"]) == len(sources["train"]) * (3 if originals else 2)
        assert any("aug" in name for name in fold["val"]) != originals
        validated |= sources["val"]
    assert len(validated) == 7


def test_the_splits_of_a_dataset_are_kept(tmp_path, pipeline):
    raw = nnunet_raw(tmp_path / "raw", 3, 1)
    given = [{"train": ["case_000", "case_002"], "val": ["case_001"]}]
    (raw / "splits_final.json").write_text(json.dumps(given))
    succeeds(raw, tmp_path / "out", "--pipeline", pipeline, "--originals")
    assert json.loads((tmp_path / "out/splits_final.json").read_text()) == [
        {
            "train": ["case_000", "case_000_aug001", "case_002", "case_002_aug001"],
            "val": ["case_001"],
        }
    ]


@pytest.mark.oracle("nnunetv2")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [5, 6, 11, 23])
def test_folds_are_those_of_nnunet(count):
    from nnunetv2.utilities.crossval_split import generate_crossval_split

    names = [f"case_{number:03}" for number in range(count)]
    expected = generate_crossval_split(names, seed=12345, n_splits=5)
    found = default_folds(names)
    assert found == [{part: [str(n) for n in fold[part]] for part in fold} for fold in expected]


@pytest.mark.slow
@pytest.mark.oracle("nnunetv2")
def test_nnunet_accepts_the_dataset(tmp_path, pipeline):
    raw = nnunet_raw(tmp_path / "raw", 5)
    out = tmp_path / "nnUNet_raw/Dataset007_Small"
    succeeds(raw, out, "--pipeline", pipeline, "--copies", 1, "--originals")
    folders = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    environment = {name: str(tmp_path / name) for name in folders}
    command = (
        "import sys; from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import "
        "plan_and_preprocess_entry; plan_and_preprocess_entry()"
    )
    options = [
        "-d",
        "7",
        "--verify_dataset_integrity",
        "-c",
        "3d_fullres",
        "-np",
        "1",
        "-npfp",
        "1",
    ]
    done = subprocess.run(
        [sys.executable, "-c", command, *options],
        env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stdout
    preprocessed = tmp_path / "nnUNet_preprocessed/Dataset007_Small/nnUNetPlans_3d_fullres"
    assert len([*preprocessed.glob("*.pkl")]) == 10


@pytest.mark.parametrize("path", ["raw/imagesTs", "raw/imagesTs/case_0_0000.nii.gz"])
def test_test_images_are_refused(tmp_path, path):
    write(tmp_path / "raw/imagesTs/case_0_0000.nii.gz", voxels(0))
    assert "test images are not augmented" in refused(tmp_path / path, tmp_path / "out")


def test_test_images_are_left_out(tmp_path, pipeline):
    raw = nnunet_raw(tmp_path / "raw", 2, 1)
    write(raw / "imagesTs/case_0_0000.nii.gz", voxels(0))
    result = succeeds(raw, tmp_path / "out", "--pipeline", pipeline)
    assert result.stderr == "volaug: imagesTs is left out: test images are not augmented\n"
    assert not (tmp_path / "out/imagesTs").exists()


def remove(path):
    path.unlink()


def add_channel(path):
    write(path.with_name("case_000_0007.nii.gz"), voxels(0))


def rename(path):
    path.rename(path.with_name("case_000.nii.gz"))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("labelsTr/case_001.nii.gz", remove, "case_001.nii.gz: there is no such file, which is"),
        ("imagesTr/case_001_0001.nii.gz", remove, r"must have the channels 0 to 1, got \[0\]"),
        ("imagesTr/case_000_0000.nii.gz", add_channel, "must have the channels 0 to 1"),
        ("imagesTr/case_000_0000.nii.gz", rename, "its name must end in _0000.nii.gz"),
        ("dataset.json", lambda p: p.write_text("{"), "dataset.json: must be JSON"),
        ("dataset.json", lambda p: p.write_text("[]"), "must be a JSON object, got list"),
        ("dataset.json", lambda p: p.write_text("{}"), "must have a file_ending and channel_names"),
        ("splits_final.json", lambda p: p.write_text("{}"), "must be a list of folds|2 cases"),
    ],
)
def test_what_is_wrong_with_a_raw_dataset(tmp_path, name, change, message):
    raw = nnunet_raw(tmp_path / "raw", 2)
    change(raw / name)
    if name == "splits_final.json":
        (raw / name).write_text('[{"train": 1}]')
    assert re.search(message, refused(raw, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_failed_case_is_not_in_the_dataset(tmp_path, pipeline):
    raw, out = nnunet_raw(tmp_path / "raw"), tmp_path / "out"
    (raw / "imagesTr/case_002_0000.nii.gz").write_bytes(b"no scan")
    assert augment(raw, out, "--pipeline", pipeline, "--copies", 2).exit_code == 1
    assert json.loads((out / "dataset.json").read_text())["numTraining"] == 10
    assert "case_002" not in (out / "splits_final.json").read_text()


BIDS_NAME = re.compile(
    r"sub-[a-zA-Z0-9]+(_ses-[a-zA-Z0-9]+)?(_acq-[a-zA-Z0-9]+)?(_desc-[a-zA-Z0-9]+)?"
    r"_(T1w|T2w|FLAIR|dseg|mask)\.nii\.gz"
)


def test_bids_becomes_a_derivative(tmp_path, pipeline):
    raw, out = bids(tmp_path / "raw"), tmp_path / "out"
    result = succeeds(raw, out, "--pipeline", pipeline, "--originals")
    assert "BIDS dataset: 4 cases, 8 copies" in result.stdout
    scans = [path.relative_to(out) for path in out.rglob("*.nii.gz")]
    assert all(BIDS_NAME.fullmatch(path.name) for path in scans)
    assert all(path.parent.as_posix().endswith("/ses-1/anat") for path in scans)
    assert {path.name for path in scans if path.name.startswith("sub-01")} == {
        "sub-01_ses-1_T1w.nii.gz", "sub-01_ses-1_desc-aug001_T1w.nii.gz",
        "sub-01_ses-1_FLAIR.nii.gz", "sub-01_ses-1_desc-aug001_FLAIR.nii.gz",
        "sub-01_ses-1_T2w.nii.gz", "sub-01_ses-1_desc-aug001_T2w.nii.gz",
        "sub-01_ses-1_dseg.nii.gz", "sub-01_ses-1_desc-aug001_dseg.nii.gz",
        "sub-01_ses-1_desc-brain_mask.nii.gz", "sub-01_ses-1_desc-brainaug001_mask.nii.gz",
    }  # fmt: skip
    description = json.loads((out / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["BIDSVersion"] == "1.10.0"
    assert [made["Name"] for made in description["GeneratedBy"]] == ["volaug"]
    assert (out / "participants.tsv").read_text() == (raw / "participants.tsv").read_text()


def test_scans_of_one_grid_and_their_labels_move_by_one_warp(tmp_path, pipeline):
    raw, out = bids(tmp_path / "raw"), tmp_path / "out"
    succeeds(raw, out, "--pipeline", pipeline)
    lines = manifest_of(out)
    stem = "sub-02/ses-1/anat/sub-02_ses-1_desc-"
    names = (f"{stem}aug001_T1w", f"{stem}aug001_FLAIR", f"{stem}aug001_dseg",
             f"{stem}brainaug001_mask")  # fmt: skip
    records = [lines[f"{name}.nii.gz"]["record"] for name in names]
    assert records == records[:1] * 4
    assert lines[f"{stem}aug001_T2w.nii.gz"]["record"] != records[0]
    record = Record.from_dict(records[0])
    for name, given in (("aug001_dseg", label_of(voxels(2))),
                        ("brainaug001_mask", (voxels(2) > 100).astype(np.uint8))):  # fmt: skip
        expected = record.apply(label=given)["label"]
        np.testing.assert_array_equal(array(out / f"{stem}{name}.nii.gz"), expected)


def test_a_segmentation_of_another_space_is_left_out(tmp_path, pipeline):
    raw = bids(tmp_path / "raw", 1)
    folder = raw / "derivatives/seg/sub-01/ses-1/anat"
    write(folder / "sub-01_ses-1_space-MNI_dseg.nii.gz", label_of(voxels(0)), np.eye(4))
    result = succeeds(raw, tmp_path / "out", "--pipeline", pipeline)
    assert result.stderr.startswith("volaug: 1 segmentations are left out")
    assert not [*(tmp_path / "out").rglob("*space-MNI*")]


def test_the_decathlon_keeps_its_list(tmp_path, pipeline):
    raw, out = decathlon(tmp_path / "raw"), tmp_path / "out"
    result = succeeds(raw, out, "--pipeline", pipeline, "--originals")
    assert "test images are left out" in result.stderr
    document = json.loads((out / "dataset.json").read_text())
    assert document["numTraining"] == 6
    assert document["test"] == []
    for row in document["training"]:
        image, label = nibabel.load(out / row["image"]), nibabel.load(out / row["label"])
        assert image.shape == (*label.shape, 2)
    assert len(files_in(out)) == 13


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json"])
def test_lists_of_cases(tmp_path, pipeline, suffix):
    rows = []
    for number in range(3):
        scan = voxels(number)
        write(tmp_path / f"in/scans/s{number}.nii.gz", scan)
        write(tmp_path / f"in/truth/t{number}.nii.gz", label_of(scan))
        (tmp_path / f"in/points{number}.csv").write_text("name,i,j,k\ntip,3,4,5\n")
        rows.append({"subject": f"é{number}", "image": f"scans/s{number}.nii.gz",
                     "label": f"truth/t{number}.nii.gz", "landmarks": f"points{number}.csv",
                     "age": str(40 + number)})  # fmt: skip
    rows[1]["landmarks"] = ""
    source, out = tmp_path / f"in/cases{suffix}", tmp_path / "out"
    if suffix == ".json":
        source.write_text(json.dumps(rows), "utf-8")
    else:
        with open(source, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0], delimiter=",\t"[suffix == ".tsv"])
            writer.writeheader()
            writer.writerows(rows)
    succeeds(source, out, "--pipeline", pipeline, "--copies", 2)
    written = (out / source.name).read_text("utf-8")
    found = (
        json.loads(written)
        if suffix == ".json"
        else [*csv.DictReader(written.splitlines(), delimiter=",\t"[suffix == ".tsv"])]
    )
    assert [row["subject"] for row in found] == [f"é{n}" for n in (0, 0, 1, 1, 2, 2)]
    assert found[3] == {"subject": "é1", "image": "scans/s1_aug002.nii.gz", "age": "41",
                        "label": "truth/t1_aug002.nii.gz", "landmarks": ""}  # fmt: skip
    for row in found:
        assert (out / row["image"]).exists()
        assert (out / row["label"]).exists()
    line = manifest_of(out)["points2_aug001.csv"]
    moved = Record.from_dict(line["record"]).apply(points=[(3, 4, 5)])["points"]
    (row,) = csv.DictReader((out / "points2_aug001.csv").read_text().splitlines())
    assert row["name"] == "tip"
    np.testing.assert_allclose([float(row[axis]) for axis in "ijk"], moved[0], atol=1e-6)


def test_channels_in_a_json_list(tmp_path, pipeline):
    for channel in (0, 1):
        write(tmp_path / f"in/c{channel}.nii.gz", voxels(channel))
    source = tmp_path / "in/list.json"
    source.write_text(json.dumps({"training": [{"image": ["c0.nii.gz", "c1.nii.gz"]}]}))
    out = tmp_path / "out"
    succeeds(source, out, "--pipeline", pipeline)
    lines = manifest_of(out)
    assert lines["c0_aug001.nii.gz"]["record"] == lines["c1_aug001.nii.gz"]["record"]
    (row,) = json.loads((out / "list.json").read_text())["training"]
    assert row == {"image": ["c0_aug001.nii.gz", "c1_aug001.nii.gz"]}


def test_a_pipelines_own_targets_are_columns(tmp_path):
    text = 'format = "volaug.pipeline"\nversion = 1\n[targets]\nflair = "image"\n'
    text += '[[transforms]]\ntype = "RandomRotation"\np = 1.0\n'
    for name in ("a", "b"):
        write(tmp_path / f"in/{name}.nii.gz", voxels(0))
    (tmp_path / "in/list.csv").write_text("image,flair\na.nii.gz,b.nii.gz\n")
    out = tmp_path / "out"
    succeeds(tmp_path / "in/list.csv", out, "--pipeline", pipeline_file(tmp_path, text))
    assert (out / "list.csv").read_text() == "image,flair\na_aug001.nii.gz,b_aug001.nii.gz\n"
    np.testing.assert_array_equal(array(out / "a_aug001.nii.gz"), array(out / "b_aug001.nii.gz"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no files in columns called"),
        ("picture\na.nii.gz\n", "names no files in columns called image, label"),
        ("picture;mask\na.nii.gz;b\n", "it has 'picture;mask'"),
        ("image\nnone.nii.gz\n", "none.nii.gz: there is no such file, in row 1"),
        ("image\na.nii.gz,b\n", "a row has more fields than the header"),
        ("image,landmarks\n,a.nii.gz\n", "row 1 must name an image or a label"),
        ("image\na.nii.gz\na.nii.gz\n", "a.nii.gz: is a file of several cases"),
    ],
)
def test_what_is_wrong_with_a_list(tmp_path, text, message):
    write(tmp_path / "a.nii.gz", voxels(0), TILTED)
    (tmp_path / "list.csv").write_text(text)
    assert message in refused(tmp_path / "list.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["{", '{"cases": []}', "[1]", '[{"image": 5}]', "[" * 100_000])
def test_what_is_wrong_with_a_json_list(tmp_path, text):
    (tmp_path / "list.json").write_text(text)
    message = refused(tmp_path / "list.json", tmp_path / "out")
    assert "must be" in message or "must name a file" in message
