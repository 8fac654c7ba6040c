"""Compilations that nothing disturbs: no exception from outside, no fork in the middle.

Numba and llvmlite do not survive an exception at any moment: their locks stay taken and their
registries half filled, so that every later compilation of the process hangs or fails. In
Python such an exception comes from a signal handler (Ctrl-C, an alarm, a debugger), and
handlers run in the main thread alone. So what the main thread wants compiled, or loaded from
the disk cache, is done by a thread of its own while the main one waits.

A forked child has none of its parent's other threads, but their locks as they were. So a fork
waits until no thread compiles. (No lock is taken to call a kernel that is compiled.)
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from llvmlite.binding import ffi
from numba.core.compiler_lock import global_compiler_lock

# Whoever takes both takes them in this order. The second is also taken without the first, when
# what LLVM has made is disposed of.
LOCKS = (global_compiler_lock._lock, ffi.lib._lock._lock)

MAX_END_LENGTH = 1.0  # seconds that are waited for a thread that has done its work

# By thread, what a fork under way has taken: all but what this thread itself had taken before.
_taken: dict[int, list[Any]] = {}


def undisturbed(action: Callable[[], Any]) -> Any:
    """Do what no exception of a signal handler may interrupt; such an exception comes after it."""
    handles_signals = threading.current_thread() is threading.main_thread()
    # who compiles already has locks that another thread would wait for
    if not handles_signals or global_compiler_lock.is_locked():
        return action()
    results: list[Any] = []
    errors: list[BaseException] = []
    over = threading.Lock()
    over.acquire()

    def work() -> None:
        try:
            results.append(action())
        except BaseException as error:
            errors.append(error)
        finally:
            over.release()

    thread = threading.Thread(target=work, name="volaug-compiler")
    try:
        thread.start()
    except RuntimeError:  # the system grants no thread, or the interpreter is about to end
        return action()
    interruption = _wait(lambda: bool(results or errors), over.acquire)
    # A thread that ends takes a lock of libgcc which a fork must not copy: wait for its end. To
    # join it is not enough before Python 3.13. Elsewhere than on Linux there is no such file.
    task, latest = f"/proc/self/task/{thread.native_id}", time.monotonic() + MAX_END_LENGTH

    def ended() -> bool:
        return not os.path.exists(task) or time.monotonic() > latest

    interruption = _wait(ended, lambda: time.sleep(1e-5)) or interruption
    if interruption is not None:
        raise interruption
    if errors:
        raise errors[0]
    return results[0]


def _wait(reached: Callable[[], bool], action: Callable[[], Any]) -> BaseException | None:
    """Do something until a state is reached, and return the last exception of a signal handler.

    It may come before or after the action has had its effect, so that the state is asked.
    """
    interruption = None
    while not reached():
        try:
            action()
        except BaseException as error:
            interruption = error
    return interruption


def _hold() -> None:
    taken = _taken[threading.get_ident()] = [lock for lock in LOCKS if not lock._is_owned()]
    interruptions = [_wait(lock._is_owned, lock.acquire) for lock in taken]
    for interruption in filter(None, interruptions):
        raise interruption  # Python reports it and forks


def _let_go() -> None:
    for lock in reversed(_taken.pop(threading.get_ident(), [])):
        _wait(lambda lock=lock: not lock._is_owned(), lock.release)


def _renew() -> None:
    for lock in _taken.pop(threading.get_ident(), LOCKS):
        lock._at_fork_reinit()
    _taken.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_renew)
