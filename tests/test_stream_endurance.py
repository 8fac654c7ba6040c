"""Streams that go on for long, and kills of who takes part: nothing grows, and nothing stays."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from support import campaigns
from support.streams import CASES, stream

BATCHES = campaigns.size(short=200, run=200, full=10_000)
KILLS = campaigns.size(short=1, run=1, full=17)  # of each kind
PATIENCE = 30  # seconds in which all processes have ended
SETTLED = 1.0  # seconds after which a stream has filled its queue
IS_LINUX = sys.platform.startswith("linux")


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def held():
    """What a process has that could grow: threads, open files. No thread reads just now."""
    time.sleep(SETTLED)
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not IS_LINUX, reason="needs /proc")
@pytest.mark.parametrize("source", ["arrays", "files", "a cache"])
@pytest.mark.timeout(3000)
@pytest.mark.slow
def test_many_batches_need_no_more_than_few(source, tmp_path):
    cases = CASES
    if source != "arrays":
        cases = [{} for _ in CASES]
        for number, case in enumerate(CASES):
            for name, volume in case.items():
                cases[number][name] = tmp_path / f"{name}{number}.nii.gz"
                nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), cases[number][name])
    kept = sum(volume.nbytes for volume in CASES[0].values()) if source == "a cache" else 0
    with stream(cases=cases, epochs=None, threads=3, cache_bytes=kept) as made:
        for _ in range(BATCHES // 4):
            next(made)
        before, memory = held(), resident_bytes()
        for _ in range(BATCHES):
            next(made)
        assert held() == before
        # the allocator keeps some of what is freed; a leak of a patch a batch would be more
        assert resident_bytes() - memory < 2**23 + BATCHES * 2**10
    assert threading.active_count() < before[0]


LOADER = """
import multiprocessing, os, sys
sys.path[:0] = {path!r}
from support.streams import stream
from torch.utils.data import DataLoader
from volaug.integrations.torch import StreamDataset
made = stream(epochs=None, threads=2)
loader = DataLoader(StreamDataset(made), None, num_workers=1, multiprocessing_context="fork")
for number, batch in enumerate(loader):
    if number == 0:
        (worker,) = multiprocessing.active_children()
        print(os.getpid(), worker.pid, flush=True)
"""

RANK = """
import os, sys
sys.path[:0] = {path!r}
from support.streams import stream
for number, batch in enumerate(stream(epochs=None, threads=1)):
    if number == 0:
        print(os.getpid(), flush=True)
"""

COMMANDS = {
    "consumer": (LOADER, [sys.executable], 0),
    "worker": (LOADER, [sys.executable], 1),
    "rank": (
        RANK,
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
        1,
    ),
}


def is_there(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def maker(name):
    """The process that torch and loky name in the shared memory that they make, if they do."""
    named = re.match(r"(?:torch_|sem\.loky-)(\d+)", name)
    return int(named[1]) if named else None


def left_segments(pids=()):
    """Shared memory that no process maps, but what a process beside these has made."""
    found = {}
    for name in os.listdir("/dev/shm"):
        with contextlib.suppress(FileNotFoundError):
            if maker(name) in {None, *pids}:
                found[name] = str(os.stat(f"/dev/shm/{name}").st_ino)
    for _ in range(2):  # what another process makes just now, it maps before the second look
        time.sleep(0.1)
        mapped = set()  # by number: a semaphore is mapped under a name that it has no more
        for maps in Path("/proc").glob("[0-9]*/maps"):
            with contextlib.suppress(OSError):  # it has ended, or is another user's
                lines = (line.split() for line in maps.read_text().splitlines())
                mapped |= {line[4] for line in lines if line[5:] and "/dev/shm/" in line[5]}
        found = {name: number for name, number in found.items() if number not in mapped}
    return found.keys() & set(os.listdir("/dev/shm"))


@pytest.mark.skipif(not IS_LINUX, reason="needs /proc")
@pytest.mark.parametrize("killed", COMMANDS)
@pytest.mark.timeout(2000)
@pytest.mark.oracle("torch")
@pytest.mark.usefixtures("warmed_up")
@pytest.mark.slow
def test_a_kill_leaves_no_process_and_no_shared_memory(killed, tmp_path):
    code, command, which = COMMANDS[killed]
    script = tmp_path / "loop.py"
    script.write_text(code.format(path=[os.path.dirname(__file__), os.getcwd()]))
    rng = np.random.default_rng(7)
    before = left_segments()
    for _ in range(KILLS):
        with subprocess.Popen(
            [*command, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as started:
            pids = [int(word) for word in started.stdout.readline().split()]
            if killed == "rank":
                pids += [int(started.stdout.readline())]
            time.sleep(rng.uniform(0, 0.5))
            os.kill(pids[which], signal.SIGKILL)
            assert started.wait(PATIENCE) != 0
        deadline = time.monotonic() + PATIENCE
        while any(map(is_there, pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_there, pids)), killed
        left = left_segments(pids) - before
        # torch makes a segment and unlinks it then: a kill in between, by SIGKILL, leaves this one
        assert all(maker(name) == pids[which] for name in left), left
        assert len(left) <= 1
        for name in left:
            os.unlink(f"/dev/shm/{name}")
