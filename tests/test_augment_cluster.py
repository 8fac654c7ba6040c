"""`volaug augment --scheduler`: a real scheduler and workers of Dask on this machine."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import volaug
from support.datasets import PIPELINE, files_in, manifest_of, nnunet_raw, pipeline_file
from test_augment_command import augment, succeeds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.oracle("distributed"),
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),
]


def process(*arguments, folder):
    """A process of Dask, and where it says what it does."""
    log = folder / f"{arguments[0]}-{time.time_ns()}.log"
    with open(log, "w") as stream:
        command = [sys.executable, "-m", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(Path(volaug.__file__).parents[1])}
        run = subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=stream)
        return run, log


def said(log, pattern):
    """Wait until a process has said something."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text()):
            return found
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and two workers of one thread."""
    running = []
    try:
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        scheduler, log = process("distributed.cli.dask_scheduler", *options, folder=tmp_path)
        running.append(scheduler)
        address = said(log, r"Scheduler at:\s+(tcp://\S+)")[1]
        workers = []
        for _ in range(2):
            options = (address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
            worker, log = process("distributed.cli.dask_worker", *options, folder=tmp_path)
            running.append(worker)
            workers.append((worker, log))
        for _, log in workers:
            said(log, r"Registered to")
        yield address, [worker for worker, _ in workers]
    finally:
        for each in running[::-1]:
            each.kill()
            each.wait()


def test_a_killed_worker_costs_nothing(tmp_path, cluster):
    address, workers = cluster
    raw, pipeline = nnunet_raw(tmp_path / "raw", 12), pipeline_file(tmp_path)
    options = ("--pipeline", pipeline, "--copies", 4, "--originals", "--seed", 3)
    succeeds(raw, tmp_path / "whole", *options)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "volaug", "augment", raw, out, *options]
    command += ["--scheduler", address]
    run = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
    manifest = out / "manifest.jsonl"
    while run.poll() is None and not (manifest.exists() and manifest.stat().st_size):
        time.sleep(0.02)
    assert run.poll() is None
    workers[0].send_signal(signal.SIGKILL)
    _, stderr = run.communicate()
    assert run.returncode == 0, stderr
    succeeds(raw, out, *options, "--resume")  # removes what the worker left half
    assert files_in(out) == files_in(tmp_path / "whole")
    assert manifest_of(out) == manifest_of(tmp_path / "whole")


def test_a_local_cluster_and_a_bad_case(tmp_path):
    raw, pipeline = nnunet_raw(tmp_path / "raw", 3), pipeline_file(tmp_path, PIPELINE)
    (raw / "imagesTr/case_001_0000.nii.gz").write_bytes(b"no scan")
    command = [sys.executable, "-m", "volaug", "augment", raw, tmp_path / "out", "--threads", "2",
               "--pipeline", pipeline, "--scheduler", "local"]  # fmt: skip
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "case_001_0000.nii.gz: is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    result = augment(raw, tmp_path / "whole", "--pipeline", pipeline)
    assert result.exit_code == 1
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")
