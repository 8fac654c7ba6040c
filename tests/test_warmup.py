"""Kernels before they are needed: in several processes, with a bar, and with a line in the log."""

import logging
import signal
import subprocess
import sys

import pytest

import volaug
from test_compilation import kernel_adding
from volaug.compilation.processes import run_in_parts
from volaug.kernels.jit import cache as caches


@pytest.mark.slow
def test_several_processes_leave_nothing_to_compile(tmp_path):
    """In the suite they load what other tests have compiled; the parts are what is tried."""
    code = """
import volaug
from volaug.compilation import warmup
done = []
warmup.run_in_parts = lambda code, processes, advance: done.append((code, processes))
volaug.warmup(["float32"], processes=3)
part = "compile_part(['float32'], *part)"
assert len(done) == 1 and part in done[0][0] and done[0][1] == 3
tasks = list(warmup._tasks(["float32"]))
seen = []
for number in range(3):
    seen += range(len(tasks))[number::3]
assert sorted(seen) == list(range(len(tasks)))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert volaug.warmup(["float32"], processes=2) > 0.0


def test_parts_get_their_numbers_and_data_and_settings(capfd):
    steps = []
    code = """
import os
from volaug.compilation.processes import report_done
assert sys.stdin.buffer.read() == b"data" and os.environ["A_SETTING"] == "yes"
os.write(2, f"{part}\\n".encode())  # at once: print writes the end of the line by itself
report_done()
print("other words")
report_done()
"""
    ended_well = run_in_parts(
        code, 3, lambda: steps.append(1), data=b"data", settings={"A_SETTING": "yes"}
    )
    assert ended_well
    assert len(steps) == 6
    assert sorted(capfd.readouterr().err.split("\n")) == ["", "(0, 3)", "(1, 3)", "(2, 3)"]


def test_a_part_that_fails_is_told(capfd):
    assert not run_in_parts("assert part[0] != 1, 'so'", 2, lambda: None, data=b"x" * 10**6)
    assert "AssertionError: so" in capfd.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX signals")
def test_no_process_is_left_after_an_interrupt(tmp_path):
    mark = tmp_path / "mark"
    code = f"import time; time.sleep(2); open({str(mark)!r}, 'w')"

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            run_in_parts(code, 2, lambda: None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(subprocess.TimeoutExpired):  # nothing comes in the time that it would take
        subprocess.run([sys.executable, "-c", "import time; time.sleep(9)"], timeout=2.5)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"processes": 0}, "processes must be from 1 to 1024, got 0"),
        ({"processes": 1.5}, "processes must be a whole number, got 1.5"),
        ({"progress": 1}, "progress must be True or False, got 1"),
        ({"dtypes": ["complex64"]}, "dtype must be one of"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        volaug.warmup(**options)


def test_a_bar_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "volaug\[cli\]"'):
        volaug.warmup([], progress=True)


def test_a_bar(capfd, warmed_up):
    volaug.warmup([], progress=True)
    assert "100%" in capfd.readouterr().err


@pytest.fixture
def _cold(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(caches, "_first_compilation", None)


@pytest.mark.usefixtures("_cold")
def test_the_first_compilation_of_a_process_is_logged(caplog):
    caplog.set_level(logging.INFO, "volaug")
    for number in (201, 202):
        assert kernel_adding(number)(1) == 1 + number
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "compiling add, the first kernel that no cache and no pack has"
    assert second.startswith("took ")
    assert "volaug.warmup()" in second


@pytest.mark.usefixtures("_cold")
def test_what_is_loaded_is_not_logged(caplog):
    assert kernel_adding(203)(1) == 204
    caches._first_compilation = None
    caplog.clear()
    caplog.set_level(logging.INFO, "volaug")
    assert kernel_adding(203)(1) == 204
    assert not caplog.records
