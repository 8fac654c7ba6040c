"""`volaug augment`: a folder of scans, its options, and what it refuses."""

import hashlib
import json
import os
import re
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from typer.testing import CliRunner

from support.datasets import (
    PIPELINE,
    TILTED,
    files_in,
    folder_of_scans,
    label_of,
    manifest_of,
    pipeline_file,
    voxels,
    write,
)
from volaug import Compose, Record
from volaug.cli.app import app
from volaug.cli.warning_lines import warnings_in_lines


def augment(*arguments):
    return CliRunner().invoke(app, ["augment", *map(str, arguments)])


def succeeds(*arguments):
    result = augment(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def scans(tmp_path):
    return folder_of_scans(tmp_path / "scans")


@pytest.fixture
def pipeline(tmp_path):
    return pipeline_file(tmp_path)


def test_three_scans_and_two_copies_of_each_are_nine(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    options = ("--pipeline", pipeline, "--copies", 2, "--originals", "--seed", 7)
    result = succeeds(scans, out, *options)
    assert result.stderr == ""
    first, last = result.stdout.splitlines()
    assert first == f"folder: 3 cases, 9 copies, 18 files, by {pipeline}, seed 7"
    assert re.fullmatch(rf"Wrote 9 copies, 18 files, to {out} in [\d.]+ s", last)
    found, given = files_in(out), files_in(scans)
    assert len(found) == 18
    assert given.items() <= found.items()  # the originals, as they are
    assert found.keys() - given.keys() == {
        f"site {number % 2}/scan{number}_aug00{copy}{ending}.nii.gz"
        for number in range(3) for copy in (1, 2) for ending in ("", "_seg")
    }  # fmt: skip


def test_a_copy_is_what_the_key_says(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans, out, "--pipeline", pipeline, "--copies", 2, "--seed", 7)
    names = sorted(p.relative_to(scans).as_posix() for p in scans.rglob("scan?.nii.gz"))
    for place, name in enumerate(names):
        image = nibabel.load(scans / name)
        label = nibabel.load(scans / name.replace(".nii", "_seg.nii"))
        for copy in (1, 2):
            sample = Compose.from_toml(f"seed = 7\n{PIPELINE}")(
                image=np.asarray(image.dataobj), label=np.asarray(label.dataobj),
                affine=image.affine, epoch=copy, index=place,
            )  # fmt: skip
            made = out / name.replace(".nii", f"_aug00{copy}.nii")
            np.testing.assert_array_equal(nibabel.load(made).dataobj, sample["image"])
            made = out / name.replace(".nii", f"_aug00{copy}_seg.nii")
            np.testing.assert_array_equal(nibabel.load(made).dataobj, sample["label"])


def test_the_manifest_says_how_each_file_was_made(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans, out, "--pipeline", pipeline, "--originals", "--seed", 7)
    lines = manifest_of(out)
    assert lines.keys() == files_in(out).keys()
    for name, line in lines.items():
        assert line["sha256"] == hashlib.sha256((out / name).read_bytes()).hexdigest()
        source = Path(line["source"]).read_bytes()
        assert line["source_sha256"] == hashlib.sha256(source).hexdigest()
        assert {"volaug", "numpy", "numba", "nibabel", "deflate"} <= line["versions"].keys()
    copy = lines["site 0/scan2_aug001.nii.gz"]
    assert copy["key"] == {"seed": 7, "epoch": 1, "index": 1}
    record = Record.from_dict(copy["record"])
    image = np.asarray(nibabel.load(scans / "site 0/scan2.nii.gz").dataobj)
    made = nibabel.load(out / "site 0/scan2_aug001.nii.gz").dataobj
    np.testing.assert_array_equal(record.apply(image=image)["image"], made)
    assert lines["site 0/scan2.nii.gz"]["record"] is None


@pytest.mark.slow
def test_shards_and_threads_make_the_same_bytes(scans, pipeline, tmp_path, processors):
    processors(3)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = ("--pipeline", pipeline, "--copies", 2, "--seed", 7)
    succeeds(scans, whole, *options, "--threads", 1)
    for shard in ("2/2", "1/2"):
        succeeds(scans, parts, *options, "--shard", shard, "--threads", 3)
    assert files_in(parts) == files_in(whole)
    assert manifest_of(parts) == manifest_of(whole)
    assert sorted(p.name for p in parts.glob("manifest*")) == [
        "manifest-1-of-2.jsonl", "manifest-2-of-2.jsonl",
    ]  # fmt: skip


def test_resume_writes_what_is_missing_or_changed(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    options = (scans, out, "--pipeline", pipeline, "--copies", 2)
    succeeds(*options)
    before, lines = files_in(out), manifest_of(out)
    kept = out / "site 0/scan0_aug001.nii.gz"
    state = kept.stat()
    (out / "site 0/scan0_aug002.nii.gz").unlink()
    damaged = bytearray((out / "site 1/scan1_aug001_seg.nii.gz").read_bytes())
    damaged[-9] ^= 1
    (out / "site 1/scan1_aug001_seg.nii.gz").write_bytes(damaged)
    result = succeeds(*options, "--resume")
    assert "2 copies, 4 files" in result.stdout
    assert "4 copies before that" in result.stdout
    assert files_in(out) == before
    assert kept.stat().st_mtime_ns == state.st_mtime_ns
    succeeds(*options, "--resume")
    assert {name: line["sha256"] for name, line in lines.items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files_in(out).items()
    }


def test_more_copies_are_added_by_resume(scans, pipeline, tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    succeeds(scans, few, "--pipeline", pipeline)
    succeeds(scans, few, "--pipeline", pipeline, "--copies", 2, "--resume")
    succeeds(scans, many, "--pipeline", pipeline, "--copies", 2)
    assert files_in(few) == files_in(many)
    assert manifest_of(few) == manifest_of(many)


def test_a_changed_source_is_augmented_anew(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans, out, "--pipeline", pipeline)
    before = files_in(out)
    write(scans / "site 0/scan0.nii.gz", voxels(5))
    result = succeeds(scans, out, "--pipeline", pipeline, "--resume")
    assert "1 copy, 2 files" in result.stdout
    changed = {name for name, content in files_in(out).items() if before[name] != content}
    assert changed == {"site 0/scan0_aug001.nii.gz"}


def test_a_dry_run_writes_nothing(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    result = succeeds(scans, out, "--pipeline", pipeline, "--dry-run")
    assert len(result.stdout.splitlines()) == 7
    assert f"  label: {scans}/site 1/scan1_seg.nii.gz -> site 1/scan1_aug001_seg.nii.gz" in (
        result.stdout
    )
    assert not out.exists()


def test_the_seed_is_that_of_the_pipeline_unless_one_is_given(scans, tmp_path):
    pipeline = pipeline_file(tmp_path, f"seed = 5\n{PIPELINE}")
    succeeds(scans, tmp_path / "a", "--pipeline", pipeline)
    succeeds(scans, tmp_path / "b", "--pipeline", pipeline, "--seed", 5)
    succeeds(scans, tmp_path / "c", "--pipeline", pipeline, "--seed", 6)
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")
    assert files_in(tmp_path / "a") != files_in(tmp_path / "c")


def test_one_file_and_its_label(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans / "site 0" / "scan0.nii.gz", out, "--pipeline", pipeline)
    assert files_in(out).keys() == {"scan0_aug001.nii.gz", "scan0_aug001_seg.nii.gz"}


def test_labels_in_a_folder_beside_the_images(tmp_path, pipeline):
    scan = voxels(0)
    write(tmp_path / "in/images/a.nii.gz", scan)
    write(tmp_path / "in/labels/a.nii.gz", label_of(scan))
    succeeds(tmp_path / "in", tmp_path / "out", "--pipeline", pipeline)
    assert {line["target"] for line in manifest_of(tmp_path / "out").values()} == {"image", "label"}
    assert files_in(tmp_path / "out").keys() == {
        "images/a_aug001.nii.gz", "labels/a_aug001.nii.gz",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["a b", "ǘ 脳", "-leading", "new\nline", "a.b.c", "x" * 230, "tab\t'\"$`"]
)
def test_names_survive(tmp_path, pipeline, name):
    write(tmp_path / "in" / f"{name}.nii.gz", voxels(0))
    result = succeeds(tmp_path / "in", tmp_path / "out", "--pipeline", pipeline)
    assert files_in(tmp_path / "out").keys() == {f"{name}_aug001.nii.gz"}
    result = succeeds(tmp_path / "in", tmp_path / "o", "--pipeline", pipeline, "--dry-run")
    assert len(result.stdout.splitlines()) == 2


def test_names_that_are_no_text_survive(tmp_path, pipeline):
    source = tmp_path / "in"
    write(source / "a.nii.gz", voxels(0))
    os.rename(source / "a.nii.gz", os.fsencode(source) + b"/\xff\xfe.nii.gz")
    succeeds(source, tmp_path / "out", "--pipeline", pipeline)
    assert b"\xff\xfe_aug001.nii.gz" in os.listdir(os.fsencode(tmp_path / "out"))
    succeeds(source, tmp_path / "out", "--pipeline", pipeline, "--resume")


def refused(*arguments, code=2):
    """What is said, in one line, of arguments that are refused."""
    result = augment(*arguments)
    assert result.exit_code == code, result.output
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    return result.stderr.removeprefix("volaug: ").rstrip("\n")


def test_refuses_what_would_replace_files(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    file = write(out / "site 0" / "scan0_aug001.nii.gz", voxels(0))
    before = file.read_bytes()
    for more in ((), ("--resume",)):
        message = refused(scans, out, "--pipeline", pipeline, *more)
        assert message.startswith(f"{file} is there already")
    assert file.read_bytes() == before
    assert files_in(out).keys() == {"site 0/scan0_aug001.nii.gz"}


def test_refuses_a_second_run_in_one_folder(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans, out, "--pipeline", pipeline)
    assert "there was a run in this folder" in refused(scans, out, "--pipeline", pipeline)
    resume = (scans, out, "--resume", "--pipeline")
    assert "another pipeline or another seed" in refused(*resume, pipeline, "--seed", 3)
    assert "another pipeline or another seed" in refused(*resume, "strong_mri")
    assert "another number of shards" in refused(*resume, pipeline, "--shard", "1/2")


def test_refuses_names_that_would_be_one(tmp_path, pipeline):
    write(tmp_path / "in/a.nii.gz", voxels(0))
    write(tmp_path / "in/a_aug001.nii.gz", voxels(1))
    message = refused(tmp_path / "in", tmp_path / "out", "--pipeline", pipeline, "--originals")
    assert "would both be written to a_aug001.nii.gz; nothing was written" in message
    assert not (tmp_path / "out").exists()


def test_no_file_leaves_the_destination(scans, pipeline, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "site 0").symlink_to(elsewhere)
    assert "by a symbolic link" in refused(scans, out, "--pipeline", pipeline)
    assert not any(elsewhere.iterdir())


def test_linked_scans_are_read(scans, pipeline, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "a.nii.gz").symlink_to(scans / "site 0/scan0.nii.gz")
    succeeds(linked, tmp_path / "out", "--pipeline", pipeline, "--originals")
    assert not (tmp_path / "out/a.nii.gz").is_symlink()
    assert files_in(tmp_path / "out").keys() == {"a.nii.gz", "a_aug001.nii.gz"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing", "out"], "missing: there is no such file or folder"),
        (["empty", "out"], "empty: there are no scans in it"),
        (["scans", "file"], "file is a file, a folder is wanted"),
        (["scans", "scans/out"], "scans/out must not lie in scans"),
        (["scans", "scans"], "scans must not lie in scans"),
        (["scans", "out", "--pipeline", "mild"], "unknown preset 'mild'; did you mean 'mild_mri'"),
        (["scans", "out", "--pipeline", "none.toml"], "none.toml: No such file or directory"),
        (["scans", "out", "--pipeline", "nnunet"], "cuts patches"),
        (["scans", "out", "--pipeline", "pyramid.toml"], "must have no LabelPyramid"),
        (["file", "out"], "file: must be a scan"),
    ],
)
def test_says_what_is_wrong(scans, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    pyramid = '[[transforms]]\ntype = "LabelPyramid"\nscales = [1.0, 0.5]\n'
    pipeline = f'format = "volaug.pipeline"\nversion = 1\n{pyramid}'
    (tmp_path / "pyramid.toml").write_text(pipeline)
    assert message in refused(*arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [["--copies", "0"], ["--shard", "3/2"], ["--shard", "0/2"], ["--shard", "half"],
     ["--seed", "-1"], ["--threads", "0"], ["--on-error", "maybe"], ["--sedd", "1"]],
)  # fmt: skip
def test_refuses_wrong_options(scans, tmp_path, options):
    result = augment(scans, tmp_path / "out", *options)
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_label_without_its_image_is_refused(scans, tmp_path):
    (scans / "site 0/scan0.nii.gz").unlink()
    assert "scan0_seg.nii.gz: its name is that of a label" in refused(scans, tmp_path / "out")


def test_one_bad_case_does_not_end_the_run(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    bad = scans / "site 1/scan1.nii.gz"
    bad.write_bytes(bad.read_bytes()[:-20])
    result = augment(scans, out, "--pipeline", pipeline, "--copies", 2)
    assert result.exit_code == 1
    first, second, last = result.stderr.splitlines()
    assert first.startswith(f"volaug: site 1/scan1.nii.gz: {bad}: is cut short")
    assert second == "volaug: 1 of 3 cases failed"
    assert last.startswith("volaug: 2 copies left")
    assert len(files_in(out)) == 8
    write(bad, voxels(1))
    succeeds(scans, out, "--pipeline", pipeline, "--copies", 2, "--resume")
    assert len(files_in(out)) == 12


def test_stops_at_the_first_error_if_asked(scans, pipeline, tmp_path):
    for number in range(3):
        (scans / f"site {number % 2}/scan{number}.nii.gz").write_bytes(b"no scan")
    result = augment(scans, tmp_path / "out", "--pipeline", pipeline, "--on-error", "stop")
    assert result.exit_code == 1
    assert "1 of 3 cases failed" in result.stderr
    result = augment(scans, tmp_path / "other", "--pipeline", pipeline, "--debug")
    assert "Traceback" in result.stderr


def test_an_affine_that_differs_is_named(scans, pipeline, tmp_path):
    moved = TILTED.copy()
    moved[0, 3] += 10.0
    write(scans / "site 0/scan0_seg.nii.gz", label_of(voxels(0)), moved)
    result = augment(scans, tmp_path / "out", "--pipeline", pipeline)
    assert result.exit_code == 1
    assert "must lie in the grid of" in result.stderr
    assert "10 mm apart" in result.stderr


def test_warns_of_labels_that_have_sides(scans, tmp_path):
    text = PIPELINE.replace("swap = []", "")
    result = succeeds(scans, tmp_path / "out", "--pipeline", pipeline_file(tmp_path, text))
    (line,) = result.stderr.splitlines()
    assert line.startswith("volaug: this pipeline mirrors left and right")


def test_a_manifest_that_is_none_is_refused(scans, pipeline, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.jsonl").write_text("mine\n")
    message = refused(scans, tmp_path / "out", "--pipeline", pipeline, "--resume")
    assert "line 1 is not one of a manifest" in message
    (tmp_path / "out/manifest.jsonl").write_text(json.dumps({"file": 1}) + "\n")
    assert "line 1" in refused(scans, tmp_path / "out", "--pipeline", pipeline, "--resume")


def test_scans_among_dicom_files_are_named(tmp_path):
    for name in ("0.dcm", "brain.nii.gz", "head.nii"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "in/scans").mkdir()
    result = succeeds(tmp_path / "in", tmp_path / "out", "--dry-run")
    assert (
        "is read as one DICOM series; brain.nii.gz in it is left out, and 1 more" in result.stderr
    )


def test_a_cluster_needs_distributed(scans, pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr("volaug.cli.augment_command.find_spec", lambda name: None)
    result = augment(scans, tmp_path / "out", "--pipeline", pipeline, "--scheduler", "local")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "volaug: augment --scheduler needs distributed, which is not installed: "
        'pip install "volaug[dask]"\n'
    )
    assert not (tmp_path / "out").exists()


def test_a_wrong_shard_names_the_option(scans, tmp_path):
    result = augment(scans, tmp_path / "out", "--shard", "3/2")
    assert result.exit_code == 2
    assert "--shard must be such as 2/8" in " ".join(result.stderr.split())


def test_warnings_for_developers_are_not_shown(capsys):
    with warnings_in_lines():
        warnings.warn("a file is open", ResourceWarning, stacklevel=1)
        warnings.warn("an old name", DeprecationWarning, stacklevel=1)
        warnings.warn("a label is lost", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "volaug: a label is lost\n"
