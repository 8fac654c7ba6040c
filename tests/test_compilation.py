"""Compilations that are interrupted, forked beside, or forbidden."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import numba
import pytest
from numba.core.compiler_lock import global_compiler_lock

from support.faults import exit_status, fork, in_a_fork
from volaug.kernels.jit import undisturbed as compilations
from volaug.kernels.jit.options import kernel
from volaug.kernels.jit.undisturbed import undisturbed

SECONDS = 200  # until something is taken to hang


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))


def kernel_adding(number):
    """A kernel that no cache has unless it was asked for this number before."""
    source = "\n" * number + f"def add(x):\n    return x + {number}\n"
    names = {"__name__": __name__}
    exec(compile(source, __file__, "exec"), names)
    return kernel(names["add"])


def all_locks_are_free():
    """As another thread sees it."""
    free = []

    def look():
        for lock in compilations.LOCKS:
            free.append(lock.acquire(timeout=5))
            if free[-1]:
                lock.release()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return all(free)


# --- exceptions of signal handlers


class Interrupted(Exception):
    pass


def interrupt(number, frame):
    raise Interrupted


@pytest.fixture
def alarms():
    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


needs_signals = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX signals")


# Run in a process of its own: it begins with a compiler that is not loaded, which an exception
# in the middle spoiled for good.
INTERRUPTIONS = """
import random, signal, sys
sys.path[:0] = {path!r}
from test_compilation import all_locks_are_free, interrupt, Interrupted, kernel_adding
signal.signal(signal.SIGALRM, interrupt)
chance, interruptions = random.Random({seed}), 0
for number in range(25):
    add, tries = kernel_adding(number), 0
    while True:
        tries += 1  # on a busy machine a compilation takes longer than the first ones leave it
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-4, 0.05 * tries))
            assert add(1.0) == 1.0 + number
            signal.setitimer(signal.ITIMER_REAL, 0)
            break
        except Interrupted:
            interruptions += 1
    assert all_locks_are_free()
assert interruptions >= 3
print("well")
"""


@needs_signals
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.slow
def test_compilers_survive_interruptions_at_any_moment(seed, tmp_path):
    code = INTERRUPTIONS.format(path=[os.path.dirname(__file__), os.getcwd()], seed=seed)
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=SECONDS
    )
    assert done.stdout == "well\n"
    # What Python says where an interruption came into a callback, which nobody can catch, and of
    # a thread whose `start` was interrupted before it did anything.
    callback = r"Exception ignored in: (?:.*\n)+?test_compilation\.Interrupted: \n"
    limbo = (
        r"Exception ignored in thread started by(?:.*\n)+?KeyError: <Thread\(volaug-compiler.*\n"
    )
    assert re.sub(f"{callback}|{limbo}", "", done.stderr) == ""


@needs_signals
def test_an_interruption_comes_when_the_work_is_over(alarms):
    steps = []

    def work():
        steps.append(threading.current_thread() is threading.main_thread())
        time.sleep(0.3)
        steps.append("over")

    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.01)  # again and again
    with pytest.raises(Interrupted):
        undisturbed(work)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert steps == [False, "over"]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="threads as files of Linux")
def test_no_thread_is_left_when_the_work_is_over():
    before = set(os.listdir("/proc/self/task"))
    for _ in range(50):
        undisturbed(lambda: None)
        assert set(os.listdir("/proc/self/task")) <= before


def test_what_goes_wrong_is_raised():
    def fail():
        raise KeyError("so")

    with pytest.raises(KeyError, match="so"):
        undisturbed(fail)


def test_no_thread_to_be_had(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert kernel_adding(3)(4) == 7


def test_who_compiles_waits_for_no_other_thread():
    """A thread that waited for one which needs its lock would wait for ever."""
    with global_compiler_lock:
        assert undisturbed(threading.current_thread) is threading.current_thread()


# --- forks

needs_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture
def busy():
    """A thread that compiles one kernel after another."""
    over = threading.Event()

    def compile_many():
        number = 1000
        while not over.is_set():
            number += 1
            kernel_adding(number)(1.0)

    thread = threading.Thread(target=compile_many)
    thread.start()
    yield
    over.set()
    thread.join()


@needs_forks
@pytest.mark.slow
def test_forks_beside_compilations(busy):
    known = 1
    assert kernel_adding(known)(1.0) == 2.0
    chance = random.Random(0)

    def compile_and_load():
        assert kernel_adding(5000)(1.0) == 5001.0
        assert kernel_adding(known)(1.0) == 2.0

    for _ in range(25):
        time.sleep(chance.uniform(0, 0.03))
        assert in_a_fork(compile_and_load, SECONDS) == 0
    assert all_locks_are_free()


@needs_forks
@pytest.mark.parametrize("lock", compilations.LOCKS)
@pytest.mark.slow
def test_a_fork_waits_for_whoever_compiles(lock):
    taken, steps = threading.Event(), []

    def compile_for_long():
        with lock:
            taken.set()
            time.sleep(0.3)
            steps.append("compiled")

    thread = threading.Thread(target=compile_for_long)
    thread.start()
    taken.wait()
    child = fork(lambda: kernel_adding(7)(1))
    steps.append("forked")
    assert exit_status(child, SECONDS) == 0
    thread.join()
    assert steps == ["compiled", "forked"]
    assert all_locks_are_free()


@needs_forks
def test_a_fork_by_whoever_compiles():
    with global_compiler_lock:
        assert in_a_fork(lambda: kernel_adding(8)(1), SECONDS) == 0
        assert global_compiler_lock.is_locked()
    assert all_locks_are_free()


@needs_forks
@needs_signals
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_an_interruption_of_a_fork_that_waits(alarms):
    """The exception is lost in os.fork, as any in a hook; the child is sound all the same."""
    taken = threading.Event()

    def compile_for_long():
        with global_compiler_lock:
            taken.set()
            time.sleep(0.3)

    thread = threading.Thread(target=compile_for_long)
    thread.start()
    taken.wait()
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    assert in_a_fork(lambda: kernel_adding(9)(1), SECONDS) == 0
    thread.join()
    assert all_locks_are_free()


# --- compilation that is forbidden


CALLS = """
import numpy, volaug
volume = numpy.zeros((4, 4, 4), "float32")
points = numpy.arange(192.0).reshape(3, 4, 4, 4) / 200
calls = (
    lambda: volaug.affine_transform(volume, 0.5 * numpy.eye(3)),
    lambda: volaug.elastic_deform(volume, points, interpolation="label"),
    lambda: volaug.spline_filter(volume),
    lambda: volaug.Compose([volaug.RandomGamma((0.5, 2.0), p=1)])(image=volume),
    volaug.warmup,
)
for call in calls:
    try:
        print("done", call() is not None)
    except RuntimeError as error:
        print(error)
"""


@pytest.mark.parametrize("value", ["1", "2", "-1"])
@pytest.mark.slow
def test_numba_that_compiles_nothing(value):
    env = os.environ | {"NUMBA_DISABLE_JIT": value}
    done = subprocess.run(
        [sys.executable, "-c", CALLS], capture_output=True, text=True, env=env, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert f"NUMBA_DISABLE_JIT={value} forbids it: unset it" in line
    assert done.stderr == ""
