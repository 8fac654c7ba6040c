"""A stream serves several threads, and leaves no thread, file or process behind."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.streams import CASES, batches, stream
from volaug import Compose, RandomAffine
from volaug.data.cases import CaseError


@pytest.mark.parametrize("askers", [2, 5])
def test_several_threads_get_each_batch_once(askers):
    expected = {batch["image"].tobytes() for batch in batches(20)}
    with stream() as made, ThreadPoolExecutor(askers) as pool:
        found = list(pool.map(lambda _: next(made)["image"].tobytes(), range(20)))
    assert len(set(found)) == 20
    assert set(found) == expected


def test_several_threads_come_to_the_end_together():
    with stream(epochs=4) as made, ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: sum(1 for _ in made), range(4)))
    assert sum(counts) == 6


@pytest.mark.slow
def test_closing_ends_who_waits_in_another_thread():
    def slow():
        time.sleep(0.3)
        return CASES[0]

    made = stream([slow] * 2, prefetch=4, threads=2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(list, made)
        time.sleep(0.4)
        made.close()
        assert len(waiting.result(20)) <= 2
    with pytest.raises(StopIteration):
        next(made)


@pytest.mark.slow
def test_no_more_is_made_ahead_than_is_asked_for():
    opened = []

    def load(number):
        opened.append(number)
        return CASES[number]

    cases = [lambda number=number: load(number) for number in range(3)]
    with stream(cases, prefetch=2) as made:
        opened.clear()
        next(made)
        time.sleep(0.5)
        assert len(opened) == 6  # the one that was taken, and two more
        next(made)
        time.sleep(0.5)
        assert len(opened) == 8


def broken():
    raise OSError("the disk is gone")


def test_an_error_names_the_case_and_closes_the_stream():
    cases = [lambda: CASES[0], lambda: CASES[1], broken]
    made = stream(cases, threads=2)
    with pytest.raises(CaseError, match=r"case 2 \(epoch 0, index 2\): the disk is gone") as caught:
        list(made)
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(StopIteration):
        next(made)
    assert not any(t.name.startswith("volaug-stream") for t in threading.enumerate())


@pytest.mark.slow
def test_a_stream_that_is_dropped_leaves_no_thread():
    made = stream()
    next(made)
    del made
    gc.collect()
    deadline = time.monotonic() + 10
    while any(t.name.startswith("volaug-stream") for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_a_thousand_batches_leave_nothing_behind():
    small = {"patch_shape": 8, "pipeline": Compose([RandomAffine(p=1)])}
    with stream(**small, threads=2) as made:
        for _ in range(50):
            next(made)
        threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
        memory = resident()
        for _ in range(1000):
            next(made)
        assert threading.active_count() == threads
        assert len(os.listdir("/proc/self/fd")) == files
        assert resident() - memory < 8e6


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_forked_child_goes_on_with_the_same_bits():
    with stream(threads=2) as made:
        next(made)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.write(write, next(made)["image"].tobytes()[:1000])
                made.close()
                status = 0
            finally:
                os._exit(status)
        expected = next(made)["image"].tobytes()[:1000]
        assert os.read(read, 1000) == expected
        assert os.waitpid(child, 0)[1] == 0


CONSUMER = """
import signal, sys, numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from volaug import Compose, RandomAffine, Stream
cases = [{"image": np.zeros((40, 40, 40), np.float32)}]
made = Stream(cases, Compose([RandomAffine(p=1)]), patch_shape=32, batch_size=2, seed=1)
next(made)
print("begun", flush=True)
HOW
"""


@pytest.mark.parametrize(
    ("how", "number", "status"),
    [
        ("while True: next(made)", signal.SIGINT, -signal.SIGINT),
        ("while True: next(made)", signal.SIGKILL, -signal.SIGKILL),
        ("while True: next(made)", signal.SIGTERM, -signal.SIGTERM),
        ("sys.exit(7)", None, 7),
        ("raise ValueError", None, 1),
    ],
)
@pytest.mark.slow
def test_a_consumer_that_ends_does_not_hang(how, number, status):
    process = subprocess.Popen(
        [sys.executable, "-c", CONSUMER.replace("HOW", how)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    if number is not None:
        process.send_signal(number)
    process.communicate(timeout=100)
    assert process.returncode == status


def test_a_length_that_is_asked_for_in_between_changes_nothing():
    expected = [batch["image"].tobytes() for batch in stream(epochs=3)]
    made = stream(epochs=3)
    with ThreadPoolExecutor(1) as pool:
        lengths = pool.submit(lambda: [len(made) for _ in range(2000)])
        assert [batch["image"].tobytes() for batch in made] == expected
        assert set(lengths.result()) <= set(range(5))
