"""Pretend, in a process of its own, to be on a system that is not this one.

``python elsewhere.py windows|macos CODE`` takes away what only other systems have, and runs code.
Libraries are imported before: what they do elsewhere is not ours to test.
"""

import importlib
import os
import sys

import numba.extending  # noqa: F401
import numpy  # noqa: F401 - NumPy and SciPy choose their code by the system
import scipy.ndimage
import scipy.stats  # noqa: F401

# What os has not there: on macOS, and on Windows beside that.
MACOS = ("sched_getaffinity", "sched_setaffinity")
WINDOWS = (
    *MACOS,
    *("fork", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "fchmod", "fchown"),
    *("sysconf", "mkfifo", "O_NOFOLLOW", "O_NONBLOCK", "kill", "nice", "getloadavg"),
)
MODULES = ("fcntl", "resource", "pwd", "grp", "termios")
ONLY_LINUX = ("/proc", "/sys")


class _NoModules:
    """Refuses to import what there is only on POSIX."""

    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _no_linux_files(event, arguments):
    if event == "open" and str(arguments[0]).startswith(ONLY_LINUX):
        raise FileNotFoundError(arguments[0])


def pretend(system):
    """Take away what `system` does not have."""
    for name in {"macos": MACOS, "windows": WINDOWS}[system]:
        if hasattr(os, name):
            delattr(os, name)
    exists = os.path.exists
    os.path.exists = lambda path: not str(path).startswith(ONLY_LINUX) and exists(path)
    sys.addaudithook(_no_linux_files)
    if system == "windows":
        os.name = "elsewhere"  # "nt" would make pathlib choose paths that this system refuses
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, _NoModules())


if __name__ == "__main__":
    pretend(sys.argv[1])
    importlib.invalidate_caches()
    exec(compile(sys.argv[2], "<elsewhere>", "exec"), {"__name__": "__main__"})
