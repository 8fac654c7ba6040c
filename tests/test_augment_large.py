"""`volaug augment --memory`: volumes that stay in their files, to the same bytes."""

import os
import tracemalloc

import nibabel
import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from benchmarks import large
from support.datasets import TILTED, files_in, label_of, manifest_of, pipeline_file, voxels, write
from test_augment_command import augment, succeeds

ALL = """
format = "volaug.pipeline"
version = 1
swap = []
transforms = [
  {{ type = "RandomFlip", axes = "LR" }},
  {{ type = "RandomElastic", max_displacement = 2.0, num_control_points = 5, p = 1.0 }},
  {steps}
]
"""
INTENSITY = (
    "Blur", "Gamma", "Noise", "Contrast", "Brightness", "BiasField", "HistogramShift",
    "LowResolution",
)  # fmt: skip


def pipeline_of(folder, *steps):
    lines = [f'{{ type = "{step}", p = 1.0 }},' for step in steps]
    return pipeline_file(folder, ALL.format(steps="\n  ".join(lines)))


def scans_of(folder, suffix, count=1):
    """Scans with labels and landmarks; the axes of the labels run otherwise than the images'."""
    for number in range(count):
        scan = voxels(number)
        path = folder / f"scan{number}{suffix}"
        if suffix == ".npy":
            folder.mkdir(exist_ok=True)
            np.save(path, np.asfortranarray(scan))
            np.save(folder / f"scan{number}_seg.npy", label_of(scan))
            continue
        write(path, scan)
        turned = np.ascontiguousarray(label_of(scan)[:, ::-1])
        flip = np.diag((1.0, -1.0, 1.0, 1.0))
        flip[1, 3] = scan.shape[1] - 1
        write(folder / f"scan{number}_seg{suffix}", turned, TILTED @ flip)
        rows = "name,x,y,z\ntip,10,-20,5\n"
        (folder / f"scan{number}_landmarks.csv").write_text(rows)
    return folder


def same_files(first, second):
    found, expected = files_in(first), files_in(second)
    assert found.keys() == expected.keys()
    assert found == expected


@pytest.mark.parametrize("suffix", [".nii", ".npy"])
@pytest.mark.parametrize("steps", [(), (*INTENSITY, "Scaling")])
def test_the_files_are_those_of_a_run_in_memory(tmp_path, suffix, steps):
    scans = scans_of(tmp_path / "scans", suffix, 2)
    text = [f"Random{step}" for step in steps]
    pipeline = pipeline_of(tmp_path, *text)
    if suffix == ".npy":  # which has no anatomy
        pipeline.write_text(pipeline.read_text().replace('"LR"', "0"))
    options = ("--pipeline", pipeline, "--copies", 2, "--threads", 2)
    succeeds(scans, tmp_path / "a", *options)
    succeeds(scans, tmp_path / "b", *options, "--memory", "1K")
    same_files(tmp_path / "b", tmp_path / "a")
    assert not [p for p in os.listdir(tmp_path / "b") if p.startswith(".")]


def test_channels_in_several_files_are_warped_together(tmp_path):
    raw = tmp_path / "raw"
    for channel in range(2):
        write(raw / f"imagesTr/case_0_000{channel}.nii", voxels(channel))
    write(raw / "labelsTr/case_0.nii", label_of(voxels(0)))
    (raw / "dataset.json").write_text(
        '{"channel_names": {"0": "a", "1": "b"}, "labels": {"background": 0, "edge": 1, "core": 2},'
        ' "numTraining": 1, "file_ending": ".nii"}'
    )
    pipeline = pipeline_of(tmp_path, "RandomGamma")
    succeeds(raw, tmp_path / "a", "--pipeline", pipeline)
    succeeds(raw, tmp_path / "b", "--pipeline", pipeline, "--memory", "1K")
    same_files(tmp_path / "b", tmp_path / "a")


def test_a_case_that_fits_is_done_in_memory(tmp_path, monkeypatch):
    scans = scans_of(tmp_path / "scans", ".nii.gz")  # which could not be mapped
    pipeline = pipeline_of(tmp_path)
    succeeds(scans, tmp_path / "out", "--pipeline", pipeline, "--memory", "1G")
    assert len(manifest_of(tmp_path / "out")) == 3


def test_steps_that_need_memory_are_named(tmp_path):
    scans = scans_of(tmp_path / "scans", ".nii")
    pipeline = pipeline_of(tmp_path)
    masked = '{ type = "RandomGamma", mask = 10.0, p = 1.0 },\n]'
    pipeline.write_text(pipeline.read_text().rstrip().removesuffix("]") + masked)
    succeeds(scans, tmp_path / "a", "--pipeline", pipeline)
    result = augment(scans, tmp_path / "b", "--pipeline", pipeline, "--memory", "1K")
    assert result.exit_code == 1
    assert "the step RandomGamma needs the whole volume in memory: raise --memory" in result.stderr
    assert files_in(tmp_path / "b") == {}


def scaled(path):
    image = nibabel.Nifti1Image(voxels(0), TILTED)
    image.header.set_slope_inter(0.5, 3.0)
    nibabel.save(image, path)


def swapped(path):
    image = nibabel.Nifti1Image(voxels(0), TILTED)
    nibabel.Nifti1Image(voxels(0), TILTED, image.header.as_byteswapped()).to_filename(path)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.nii.gz", lambda path: write(path, voxels(0)), "only .nii, .npy and .zarr are read in"),
        ("a.nii", scaled, "its voxels are scaled, so that they cannot be read in parts"),
        ("a.nii", swapped, "in the byte order of other processors"),
    ],
)
def test_files_that_have_no_parts_are_named(tmp_path, name, make, message):
    (tmp_path / "scans").mkdir()
    make(tmp_path / "scans" / name)
    options = ("--pipeline", pipeline_of(tmp_path))
    result = augment(tmp_path / "scans", tmp_path / "out", *options, "--memory", "1K")
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 3
    assert files_in(tmp_path / "out") == {}
    succeeds(tmp_path / "scans", tmp_path / "other", *options)


@pytest.mark.parametrize("size", ["1", "1X", "0G", "-1G", "4 parsecs"])
def test_a_size_without_meaning_is_said(tmp_path, size):
    scans = scans_of(tmp_path / "scans", ".nii")
    result = augment(scans, tmp_path / "out", "--memory", size)
    assert result.exit_code == 2
    assert "must be such as 800M or 4GiB" in " ".join(result.stderr.replace("│", "").split())


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(number, start, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    scans = scans_of(tmp_path / "scans", ".nii")
    options = ("--pipeline", pipeline_of(tmp_path), "--memory", "1K")
    result = augment(scans, tmp_path / "out", *options)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert files_in(tmp_path / "out") == {}


@pytest.mark.parametrize("step", INTENSITY)
def test_little_memory_is_allocated(tmp_path, step):
    """NumPy tells `tracemalloc` of its arrays, but not of those that lie in files."""
    (tmp_path / "scans").mkdir()
    size = 96
    write(tmp_path / "scans/a.nii", voxels(0, (size,) * 3))
    options = ("--pipeline", pipeline_of(tmp_path, f"Random{step}"), "--threads", 1)
    succeeds(tmp_path / "scans", tmp_path / "warm", *options)
    tracemalloc.start()
    try:
        succeeds(tmp_path / "scans", tmp_path / "out", *options, "--memory", "1K")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # a volume has 1.8 MB; the file is read and hashed by parts of 4 MB
    assert peak < 2**22 + 2**21


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
def test_a_volume_of_512_cubed_is_not_held_in_memory(tmp_path):
    (tmp_path / "pipeline.toml").write_text(large.PIPELINE)
    scan = tmp_path / "scan.npy"
    large.make_volume(scan, 512)
    whole = large.augmented(scan, tmp_path / "whole", None)
    parts = large.augmented(scan, tmp_path / "parts", "128MiB")
    assert parts.sha256 == whole.sha256
    # the volume has 256 MiB, and so has its result
    assert whole.memory > 2**29
    assert parts.memory < 2**27
