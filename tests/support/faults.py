"""Faults to be injected: an exception at the n-th bytecode, threads that do not start, forks."""

import contextlib
import os
import signal
import sys
import threading
import time

# CPython 3.12 reports an opcode too late, and crashes where several threads are traced so.
TRACES_OPCODES = sys.version_info[:2] != (3, 12)


class Injected(BaseException):
    """Raised where a test wants it; not an `Exception`, as Ctrl-C is none."""


@contextlib.contextmanager
def raising_at(number, files, event="opcode"):
    """Raise `Injected` in this thread at the n-th event in functions of some source files.

    Parameters
    ----------
    number : int
        Which event raises; it happens once.
    files : collection of str
        The ends of the paths of the source files that count.
    event : {"opcode", "line", "call"}
        What is counted.

    Yields
    ------
    list
        Empty until it has raised; then it holds where.
    """
    left, raised = number, []

    def trace(frame, kind, argument):
        nonlocal left
        if not frame.f_code.co_filename.endswith(tuple(files)):
            return None
        frame.f_trace_opcodes = event == "opcode"
        if kind == event and not raised:
            left -= 1
            if left < 0:
                raised.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
                # CPython stops tracing a thread whose trace function raises: it comes once
                raise Injected(raised[0])
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield raised
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def failing_thread_starts(which):
    """Let `threading.Thread.start` fail as a limit makes it fail, where ``which(n)`` says so."""
    start, started = threading.Thread.start, 0

    def limited(thread):
        nonlocal started
        started += 1
        if which(started - 1):
            raise RuntimeError("can't start new thread")
        start(thread)

    threading.Thread.start = limited
    try:
        yield
    finally:
        threading.Thread.start = start


@contextlib.contextmanager
def interrupted_after(seconds):
    """Raise `Injected` in the main thread after a time, as Ctrl-C or another signal would."""

    def handler(number, frame):
        raise Injected("a signal")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def fork(work):
    """Do some work in a forked child, and return its process id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def exit_status(pid, seconds=60):
    """The exit status of a child, or None if it hung and was killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def in_a_fork(work, seconds=60):
    """The exit status of a forked child that does some work, or None if it hung."""
    return exit_status(fork(work), seconds)
