"""Exceptions, failing thread starts and forks at any moment: nothing works on after its call."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

import volaug
from support import campaigns
from support.faults import TRACES_OPCODES, Injected, failing_thread_starts, in_a_fork, raising_at
from support.volumes import mild_affine, random_volume
from volaug import Compose, RandomAffine, RandomElastic, RandomNoise, Stream, Warp
from volaug.threads import workers
from volaug.threads.parts import run_parts

THREADS = ("volaug/threads/parts.py", "volaug/threads/workers.py")
STREAM = (*THREADS, "volaug/data/stream.py", "volaug/data/prefetch.py")


@pytest.fixture(autouse=True)
def _four_processors(processors):
    """So that work is really divided."""
    processors(4)


class Work:
    """Parts of work that say whether one of them is under way."""

    def __init__(self, seconds=2e-4):
        self.under_way, self.done, self.seconds = 0, 0, seconds
        self.lock = threading.Lock()

    def __call__(self, first, stop):
        with self.lock:
            self.under_way += 1
        time.sleep(self.seconds)
        with self.lock:
            self.under_way -= 1
            self.done += stop - first


def at_every(event, files, attempt):
    """Call ``attempt`` with an exception at each event in turn, until it comes to its end."""
    number = 0
    while True:
        with raising_at(number, files, event) as raised, contextlib.suppress(Injected):
            attempt()
        yield raised
        if not raised:
            return
        number += 1


@pytest.mark.parametrize("event", ["call", "line", *["opcode"] * TRACES_OPCODES])
@pytest.mark.slow
def test_an_exception_anywhere_ends_all_helpers_before_the_call(event):
    places = 0
    work = Work()
    for raised in at_every(event, THREADS, lambda: run_parts(work, 64, 3)):
        done = work.done
        assert work.under_way == 0, raised
        if not raised:
            assert done == 64
        work.done = 0
        places += 1
    assert places > {"call": 5, "line": 40, "opcode": 200}[event]
    time.sleep(0.05)  # and none begins later
    assert work.done == 0
    run_parts(work, 64, 3)
    assert work.done == 64


@pytest.mark.slow
def test_an_exception_anywhere_in_a_warp_leaves_the_next_one_right():
    shape = (40, 41, 42)
    volume, (matrix, offset) = random_volume(shape), mild_affine(shape)
    points = np.random.default_rng(0).normal(0, 1, (3, 5, 5, 5))
    warp = Warp(shape, matrix, offset, points)
    expected = warp.apply(volume, interpolation="cubic", threads=3)
    package = str(Path(volaug.__file__).parent)
    files = [str(file) for file in Path(package).rglob("*.py") if "kernels" not in file.parts]
    for raised in at_every(
        "line", files, lambda: warp.apply(volume, interpolation="cubic", threads=3)
    ):
        if raised:
            result = warp.apply(volume, interpolation="cubic", threads=3)
            np.testing.assert_array_equal(result, expected, err_msg=raised[0])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.slow
def test_an_exception_anywhere_in_a_worker_loses_no_part():
    """A trace function of all threads, or no memory, may raise in a helper too."""
    work = Work()
    raised_in_call = 0
    for number in range(0, 80):
        left = [number]

        def trace(frame, kind, argument, left=left):
            if not frame.f_code.co_filename.endswith("volaug/threads/parts.py"):
                return None
            frame.f_trace_opcodes = TRACES_OPCODES
            left[0] -= kind == ("opcode" if TRACES_OPCODES else "line")
            if left[0] == -1:
                raise Injected("in a worker")
            return trace

        workers.stop_all()  # those started next are traced
        threading.settrace(trace)
        work.done = 0
        try:
            run_parts(work, 64, 3)
            assert work.done == 64
        except Injected:
            raised_in_call += 1
        finally:
            threading.settrace(None)
        assert work.under_way == 0
    assert 0 < raised_in_call < 80
    workers.stop_all()
    work.done = 0
    run_parts(work, 64, 3)
    assert work.done == 64


@pytest.mark.slow
def test_a_second_exception_ends_the_call_at_once_and_helpers_hold_the_arrays():
    may_end, begun = threading.Event(), threading.Event()
    array, failed = np.zeros(64), []
    alive = weakref.ref(array)

    def work(first, stop):
        if threading.current_thread() is threading.main_thread():
            begun.wait(10)
            raise Injected("the first")
        begun.set()
        may_end.wait(10)

    def second(number, frame):
        failed.append(number)
        raise Injected("and another")

    before = signal.signal(signal.SIGALRM, second)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        with contextlib.suppress(Injected):
            run_parts(work, 64, 2, [array])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert failed
    del array
    gc.collect()
    assert alive() is not None  # the helper still works
    may_end.set()
    deadline = time.monotonic() + 10
    while alive() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
        gc.collect()
    assert alive() is None


def test_where_no_thread_can_be_had_the_caller_works_alone():
    volume, (matrix, offset) = random_volume((64, 65, 66)), mild_affine((64, 65, 66))
    warp = Warp(volume.shape, matrix, offset)
    expected = warp.apply(volume, threads=1)
    other = random_volume(volume.shape, seed=5)
    expected_other = warp.apply(other, threads=1)
    for which in (lambda n: True, lambda n: n == 0, lambda n: n == 1, lambda n: n % 2 == 1):
        workers.stop_all()
        with failing_thread_starts(which):
            np.testing.assert_array_equal(warp.apply(volume, threads=4), expected)
        # nothing that was queued works on the next call's picture
        np.testing.assert_array_equal(warp.apply(other, threads=4), expected_other)


STEPS = [RandomAffine(p=0.7), RandomElastic(3.0, p=0.7), RandomNoise(p=0.5)]
CASES = [{"image": random_volume((30, 34, 31), seed=n)} for n in range(3)]
OPTIONS = {"patch_shape": 16, "batch_size": 2, "seed": 5, "threads": 2}


def images(count, **options):
    with Stream(CASES, Compose(STEPS), **OPTIONS, **options) as stream:
        return [next(stream)["image"] for _ in range(count)]


def test_a_stream_without_threads_makes_its_samples_itself():
    expected = images(3)
    for which in (lambda n: True, lambda n: n == 1):
        with failing_thread_starts(which):
            np.testing.assert_array_equal(images(3), expected)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a finalizer
@pytest.mark.parametrize("event", ["call", "line"])
@pytest.mark.slow
def test_an_exception_anywhere_in_a_stream_ends_it_and_no_other(event):
    expected = images(1)[0]
    places = 0

    def attempt():
        with Stream(CASES, Compose(STEPS), **OPTIONS) as stream:
            np.testing.assert_array_equal(next(stream)["image"], expected)

    for raised in at_every(event, STREAM, attempt):
        places += bool(raised)
    assert places > 10
    np.testing.assert_array_equal(images(1)[0], expected)
    gc.collect()
    deadline = time.monotonic() + 10
    while any(thread.name == "volaug-stream" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        gc.collect()
        time.sleep(0.02)


def campaign(name, count):
    """Run one in a process of its own: it may crash."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("OPENBLAS_NUM_THREADS", None)  # its threads hold locks at a fork
    command = [sys.executable, "-m", campaigns.__name__, name, str(count)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=3000, check=False
    )


@pytest.mark.timeout(3000)
@pytest.mark.slow
def test_interrupts_at_random_moments_crash_nothing_and_spoil_no_picture():
    done = campaign("interrupts", campaigns.size(short=40, run=200, full=2000))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 wrong pictures" in done.stdout


@pytest.mark.timeout(3000)
@pytest.mark.slow
def test_forks_at_random_moments_hang_no_child():
    done = campaign("forks", campaigns.size(short=20, run=100, full=1000))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 hung, 0 failed" in done.stdout


def test_a_fork_in_the_middle_of_a_callback_works():
    """The forking thread may itself be inside of a stream."""
    status, parent = [], os.getpid()

    def fork(stream):
        if os.getpid() == parent:
            status.append(in_a_fork(lambda: next(stream)))

    with Stream(CASES, Compose(STEPS), **OPTIONS, on_batch=fork) as stream:
        next(stream)
    assert status == [0]


def in_a_process(code, seconds=60):
    """What a program prints, and how long it takes after its last line."""
    command = [sys.executable, "-c", code]
    start = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return done.stdout, done.stderr, time.monotonic() - start


@pytest.mark.slow
def test_the_end_of_the_program_drops_what_has_not_begun():
    code = """
import time
import numpy as np, volaug
def slow():
    time.sleep(0.5)
    return {"image": np.zeros((16, 16, 16), np.float32)}
stream = volaug.Stream([slow] * 4, volaug.Compose([]), patch_shape=8, batch_size=2, seed=1,
                       threads=2, prefetch=50)
next(stream)
print(time.time())
"""
    out, err, _ = in_a_process(code)
    assert time.time() - float(out) < 8  # one that has begun takes half a second; all, 25 seconds
    assert err == ""


@pytest.mark.slow
def test_calls_at_exit_and_after_the_main_thread_are_done():
    code = """
import atexit, threading, time
import numpy as np, volaug
volume = np.random.default_rng(0).random((64, 64, 64), np.float32)
def call(what):
    result = volaug.affine_transform(volume, 0.9 * np.eye(3), threads=2)
    print(what, round(float(result.sum()), 1), flush=True)
volaug.threads.limits.granted_threads = lambda: 2
call("now")
atexit.register(call, "at exit")
def later():
    threading.main_thread().join()
    call("later")
threading.Thread(target=later).start()
"""
    code = code.replace("import numpy", "import volaug.threads.limits, numpy")
    out, err, _ = in_a_process(code)
    lines = out.splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == ["now", "later", "at exit"]
    assert len({line.rsplit(" ", 1)[1] for line in lines}) == 1
    assert err == ""
