"""Files that are written as a whole or not at all, whatever happens meanwhile."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# What a file is called while it is written. A process that is killed leaves it behind.
PREFIX = ".volaug-"


def partial_path(path: Path) -> Path:
    """A hidden name beside a file, with its suffixes, which no other writer has.

    It is short whatever the name is, so that it is never too long for the file system.
    """
    # dots in a name do not all begin a suffix; a format is known by the last two at most
    suffixes = "".join(path.suffixes[-2:]) if len(path.suffix) < 8 else ""
    return path.with_name(f"{_beginning(path)}{secrets.token_hex(6)}{suffixes[-16:]}")


def _beginning(path: Path) -> str:
    """What names of partial files of a file begin with."""
    return f"{PREFIX}{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"


def remove_partial_files(paths: Iterable[Path]) -> None:
    """Remove what processes left behind that were killed while they wrote one of some files."""
    by_folder: dict[Path, set[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, set()).add(_beginning(path))
    for folder, beginnings in by_folder.items():
        for left in folder.glob(f"{PREFIX}*"):
            if left.name[: len(PREFIX) + 17] in beginnings:
                if left.is_dir() and not left.is_symlink():  # of Zarr
                    shutil.rmtree(left)
                else:
                    left.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to. That file replaces `path` if the block succeeds.

    The bytes are on the disk before the file gets its name.
    """
    partial = partial_path(path)
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


def write_new(path: Path, content: bytes | memoryview) -> None:
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
