"""Errors that any file can cause, each in one line that names the file."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

SPECIAL = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip
MAX_REASON_LENGTH = 300


class FileError(ValueError):
    """A file that cannot be read as a volume.

    Attributes
    ----------
    file : str
    reason : str
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file, self.reason = file, reason

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


class State(NamedTuple):
    """Size and time of a file, which change when it is written to."""

    size: int
    modified: int  # in nanoseconds


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn any error into a `FileError`, which names the file."""
    try:
        yield
    except FileError:
        raise
    except Exception as error:  # each library has its own errors, and some have no text
        reason = words_of(error).removesuffix(f": {path}")  # said once
        raise FileError(str(path), reason) from error


def words_of(error: Exception) -> str:
    """The text of an error, in one line that is not too long."""
    if isinstance(error, OSError) and error.strerror:
        # an image may have several files, and another one of them may be wrong
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, ModuleNotFoundError) and error.name:  # such as h5py for MINC 2
        return f"needs {error.name}, which is not installed: pip install {error.name}"
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= MAX_REASON_LENGTH else words[:MAX_REASON_LENGTH] + " ..."


def state_of(path: Path) -> State:
    """The state of a regular file. Others have no length, and opening them may block forever."""
    with naming(path):
        found = path.stat()
    return _regular(path, found)


def _regular(path: Path, found: os.stat_result) -> State:
    if not stat.S_ISREG(found.st_mode):
        kind = SPECIAL.get(stat.S_IFMT(found.st_mode), "something else")
        raise FileError(str(path), f"must be a regular file, got {kind}")
    return State(found.st_size, found.st_mtime_ns)


def check_unchanged(states: Mapping[Path, State]) -> None:
    """Check that no file of an image was written to since its header was read."""
    for path, known in states.items():
        if state_of(path) != known:
            raise FileError(
                str(path), "was changed while it was in use: start again when it is complete"
            )


@contextmanager
def reading(path: Path, states: Mapping[Path, State]) -> Iterator[None]:
    """Check before and after a part is read that no file of an image was written to.

    If one is written to meanwhile, the part may be of two versions, and a library's error does not
    say why.
    """
    with naming(path):
        check_unchanged(states)
        try:
            yield
        except Exception:
            check_unchanged(states)
            raise
        check_unchanged(states)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], State]]:
    """Open a regular file, without blocking and without a buffer."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    state_of(path)
    with naming(path), open(path, "rb", buffering=0, opener=opener) as stream:
        yield stream, _regular(path, os.fstat(stream.fileno()))


def check_length(path: Path, declared: int, found: int) -> None:
    """Check that a file has all bytes that its header declares, before memory is allocated."""
    if found < declared:
        raise FileError(
            str(path), f"is cut short: its header declares {declared} bytes, got {found}"
        )
