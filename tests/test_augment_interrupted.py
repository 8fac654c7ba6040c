"""`volaug augment` that is interrupted, killed, or has no room: nothing is half, and it goes on."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from support import campaigns
from support.datasets import (
    bids,
    files_in,
    folder_of_scans,
    manifest_of,
    nnunet_raw,
    pipeline_file,
)
from test_augment_command import augment, refused, succeeds
from volaug.data.augmenting import copying
from volaug.data.files import atomic, scans as scan_files
from volaug.data.files.atomic import PREFIX, partial_path, replacing, write_text

KILLS = campaigns.size(short=5, run=5, full=50)


@pytest.fixture
def scans(tmp_path):
    return folder_of_scans(tmp_path / "scans")


@pytest.fixture
def pipeline(tmp_path):
    return pipeline_file(tmp_path)


def started(*arguments):
    command = [sys.executable, "-m", "volaug", "augment", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_whole(out):
    """See that every file under its name is whole, and in the manifest unless it was the last."""
    for manifest in out.glob("manifest*"):
        for text in manifest.read_text().splitlines(keepends=True):
            if text.endswith("\n"):
                line = json.loads(text)
                assert scan_files.sha256_of(out / line["file"]) == line["sha256"]


@pytest.mark.slow
@pytest.mark.timeout(60 + 60 * KILLS)
def test_a_killed_run_goes_on(tmp_path, pipeline):
    """SIGINT, SIGTERM and SIGKILL at random moments, then the same files as undisturbed."""
    raw, whole = nnunet_raw(tmp_path / "raw", 8), tmp_path / "whole"
    options = ("--pipeline", pipeline, "--copies", 3, "--originals", "--seed", 5)
    succeeds(raw, whole, *options)
    expected, lines = files_in(whole), manifest_of(whole)
    rng = np.random.default_rng(0)
    interrupted = 0
    for number in range(KILLS):
        out = tmp_path / f"out{number}"
        kinds = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
        for kind in (kinds[number % 3], kinds[(number + 1) % 3]):
            run = started(raw, out, *options, "--resume")
            run.stdout.readline()  # it has begun
            time.sleep(rng.uniform(0.0, 0.6))
            run.send_signal(kind)
            _, stderr = run.communicate()
            codes = {-signal.SIGKILL} if kind == signal.SIGKILL else {130}
            if run.returncode == -kind != -signal.SIGKILL:
                assert manifest_of(out) == lines  # Python was ending, after all was written
            else:
                assert run.returncode in codes | {0}, stderr
            interrupted += run.returncode != 0
            assert "Traceback" not in stderr
            check_whole(out)
            if kind != signal.SIGKILL:
                assert not [*out.rglob(f"{PREFIX}*")]
        succeeds(raw, out, *options, "--resume")
        assert files_in(out) == expected
        assert manifest_of(out) == lines
        assert not [*out.rglob(f"{PREFIX}*")]
    assert interrupted > 0


@pytest.mark.slow
def test_says_that_it_was_interrupted(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    run = started(scans, out, "--pipeline", pipeline, "--copies", 500)
    while not (out / "manifest.jsonl").exists() or not (out / "manifest.jsonl").stat().st_size:
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    stdout, stderr = run.communicate()
    assert run.returncode == 130
    assert "Wrote " in stdout
    assert stderr.startswith("volaug: interrupted, ")
    assert "left; the same with --resume goes on" in stderr


def test_a_last_line_that_was_cut_is_made_anew(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans, out, "--pipeline", pipeline)
    expected, lines = files_in(out), manifest_of(out)
    manifest = out / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-100])
    succeeds(scans, out, "--pipeline", pipeline, "--resume")
    assert files_in(out) == expected
    assert manifest_of(out) == lines


def test_what_a_killed_process_left_is_removed(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans, out, "--pipeline", pipeline)
    left = partial_path(out / "site 0/scan0_aug001.nii.gz")
    left.write_bytes(b"half")
    other = out / "site 0/.volaug-of-somebody-else"
    other.write_bytes(b"theirs")
    succeeds(scans, out, "--pipeline", pipeline, "--resume")
    assert not left.exists()
    assert other.exists()


@pytest.mark.parametrize("make", [nnunet_raw, bids])
def test_what_a_killed_process_left_of_the_summaries_is_removed(make, pipeline, tmp_path):
    """Where no other shard may be writing them at the same time."""
    raw, out = make(tmp_path / "raw"), tmp_path / "out"
    options = ("--pipeline", pipeline, "--resume")
    succeeds(raw, out, *options)
    summaries = [path for path in out.iterdir() if path.suffix in (".json", ".jsonl", ".tsv")]
    assert len(summaries) > 1  # the manifest is one of them
    for path in summaries:
        partial_path(path).write_bytes(b"half")
    succeeds(raw, out, *options)
    assert not [*out.rglob(f"{PREFIX}*")]


def test_a_shard_leaves_the_summaries_of_others_alone(pipeline, tmp_path):
    raw, out = nnunet_raw(tmp_path / "raw"), tmp_path / "out"
    out.mkdir()
    being_written = partial_path(out / "dataset.json")
    being_written.write_bytes(b"half")
    own = partial_path(out / "manifest-1-of-2.jsonl")
    own.write_bytes(b"half")
    succeeds(raw, out, "--pipeline", pipeline, "--resume", "--shard", "1/2")
    assert being_written.exists()
    assert not own.exists()


def full_after(monkeypatch, count):
    """Let the disk be full after some files."""
    write, written = scan_files.write_new, []

    def write_new(path, content):
        written.append(path)
        if len(written) > count:
            path.write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(scan_files, "write_new", write_new)


def test_a_full_disk_ends_the_run(scans, pipeline, tmp_path, monkeypatch):
    out, whole = tmp_path / "out", tmp_path / "whole"
    options = ("--pipeline", pipeline, "--copies", 4)
    succeeds(scans, whole, *options)
    with monkeypatch.context() as patch:
        full_after(patch, 7)
        result = augment(scans, out, *options)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "the same with --resume goes on" in result.stderr
    assert not [*out.rglob(f"{PREFIX}*")]
    check_whole(out)
    assert len(files_in(out)) <= 7
    succeeds(scans, out, *options, "--resume")
    assert files_in(out) == files_in(whole)


@pytest.mark.slow
def test_a_small_file_system_that_is_full(scans, pipeline, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    options = ["-t", "tmpfs", "-o", "size=192k", "tmpfs", str(small)]
    if subprocess.run(["mount", *options], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        result = augment(scans, small / "out", "--pipeline", pipeline, "--copies", 20)
        assert result.exit_code == 1
        assert "No space left on device" in result.stderr
        assert not [*small.rglob(f"{PREFIX}*")]
        check_whole(small / "out")
        subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
        succeeds(scans, small / "out", "--pipeline", pipeline, "--copies", 20, "--resume")
        succeeds(scans, tmp_path / "whole", "--pipeline", pipeline, "--copies", 20)
        assert files_in(small / "out") == files_in(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_two_runs_do_not_write_to_one_folder(scans, pipeline, tmp_path):
    out = tmp_path / "out"
    succeeds(scans, out, "--pipeline", pipeline)
    fcntl = pytest.importorskip("fcntl")
    with open(out / "manifest.jsonl", "ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        message = refused(scans, out, "--pipeline", pipeline, "--resume", code=1)
    assert "another process writes to this folder" in message


def test_a_file_that_the_disk_changes_is_not_kept(scans, pipeline, tmp_path, monkeypatch):
    def write_new(path, content):
        damaged = bytearray(content)
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)

    monkeypatch.setattr(scan_files, "write_new", write_new)
    result = augment(scans, tmp_path / "out", "--pipeline", pipeline)
    assert result.exit_code == 1
    assert "the disk returns other bytes than were written" in result.stderr
    assert files_in(tmp_path / "out") == {}


def test_no_thread_is_left_after_an_error(scans, pipeline, tmp_path, monkeypatch):
    import threading

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(copying, "drawn", fail)
    before = threading.active_count()
    result = augment(scans, tmp_path / "out", "--pipeline", pipeline, "--copies", 3)
    assert result.exit_code == 1
    assert "MemoryError" in result.stderr
    assert threading.active_count() == before
    assert files_in(tmp_path / "out") == {}


def test_replacing_leaves_the_old_file_after_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    path.write_text("old")

    def write():
        with replacing(path) as partial:
            assert partial.name.endswith(".nii.gz")
            partial.write_text("half")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.nii.gz"]
    write_text(path, "new")
    assert path.read_text() == "new"
    monkeypatch.setattr(atomic.os, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_text(path, "newer")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.nii.gz"]


def test_nothing_is_written_through_a_link(tmp_path):
    path, victim = tmp_path / "a.txt", tmp_path / "victim"
    victim.write_text("theirs")
    path.symlink_to(victim)
    with pytest.raises(FileExistsError):
        atomic.write_new(path, b"mine")
    write_text(path, "mine")
    assert (victim.read_text(), path.read_text()) == ("theirs", "mine")
