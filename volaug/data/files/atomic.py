"""Files that are written as a whole or not at all, whatever happens meanwhile."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What a file is called while it is written. A process that is killed leaves it behind.
PREFIX = ".volaug-"


def partial_path(path: Path) -> Path:
    """A hidden name beside a file, with its suffixes, always the same for that file.

    It is short whatever the name is, so that it is never too long for the file system.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    # dots in a name do not all begin a suffix; a format is known by the last two at most
    suffixes = "".join(path.suffixes[-2:]) if len(path.suffix) < 8 else ""
    return path.with_name(f"{PREFIX}{digest}{suffixes[-16:]}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to. That file replaces `path` if the block succeeds.

    The bytes are on the disk before the file gets its name, and no symbolic link is followed.
    """
    partial = partial_path(path)
    partial.unlink(missing_ok=True)  # of a process that was killed, or a link of somebody else's
    try:
        yield partial
        with open(partial, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk, where the system can do that."""
    if os.name == "posix":
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist, so that nothing is ever written through a link."""
    with open(path, "xb", buffering=0) as stream:
        view = memoryview(content)
        while view:
            view = view[stream.write(view) :]


def write_text(path: Path, text: str) -> str:
    """Write a text file in UTF-8, whole or not at all, and return the SHA-256 of its bytes."""
    content = text.encode("utf-8", "surrogateescape")
    with replacing(path) as partial:
        write_new(partial, content)
    return hashlib.sha256(content).hexdigest()
