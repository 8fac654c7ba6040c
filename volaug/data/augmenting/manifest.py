"""The manifest: a line of JSON for each file that was written, from what and how."""

import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ... import __version__
from ..files.atomic import replacing, write_new
from ..files.deflate import library

NAME = "manifest.jsonl"
LIBRARIES = ("numpy", "numba", "nibabel", "SimpleITK")

Line = dict[str, Any]


def name_of_manifest(number: int, total: int) -> str:
    """Each shard has a manifest of its own, as several machines may write at once."""
    return NAME if total == 1 else f"manifest-{number}-of-{total}.jsonl"


def versions() -> dict[str, str]:
    """The versions that the bytes of files depend on."""
    found = {"volaug": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name.lower()] = version(name)
    return {**found, "deflate": library()[2]}


class Manifest:
    """The manifest of a run, to which lines are added. One process writes to it at a time.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If another process writes to it, or a line of it is no line of a manifest.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.is_symlink():
            raise ValueError(f"{path} must not be a symbolic link")
        self._open()
        self.lines, is_whole = _lines(path)
        if not is_whole:  # a process was killed while it wrote the last line
            self._write(self.lines)

    def _open(self) -> None:
        self._stream = open(self._path, "ab", buffering=0)  # noqa: SIM115 - closed by `close`
        self._lock()

    def _write(self, lines: list[Line]) -> None:
        """Replace all lines."""
        with replacing(self._path) as partial:
            write_new(partial, "".join(map(_text, lines)).encode())
        self._stream.close()
        self.lines = lines
        self._open()

    def forget(self, files: Collection[str]) -> None:
        """Remove the lines about files that are to be written anew."""
        left = [line for line in self.lines if line["file"] not in files]
        if len(left) < len(self.lines):
            self._write(left)

    def _lock(self) -> None:
        try:
            import fcntl
        except ModuleNotFoundError:  # not on Windows
            return
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._stream.close()
            raise ValueError(f"{self._path}: another process writes to this folder") from None
        except OSError:  # some file systems have no locks
            return

    def add(self, lines: Iterable[Line]) -> None:
        """Add the lines of one copy, which are on the disk when this returns."""
        added = list(lines)
        content = "".join(map(_text, added)).encode()
        while content:
            content = content[self._stream.write(content) :]
        os.fsync(self._stream.fileno())
        self.lines += added

    def close(self) -> None:
        """Let others write to it."""
        self._stream.close()


def all_lines(destination: Path) -> list[Line]:
    """The lines of all manifests in a folder: of all shards."""
    return [line for path in manifests(destination) for line in _lines(path)[0]]


def manifests(destination: Path) -> list[Path]:
    """The manifests in a folder."""
    return sorted(destination.glob("manifest*.jsonl"))


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line) + "\n"


def _lines(path: Path) -> tuple[list[Line], bool]:
    """The lines of a manifest, and whether the last one is whole."""
    if not path.exists():
        return [], True
    *whole, last = path.read_bytes().split(b"\n")
    lines = []
    for number, text in enumerate(whole, 1):
        try:
            line = json.loads(text)
            lines.append({**line, "file": str(line["file"]), "sha256": str(line["sha256"])})
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{path}: line {number} is not one of a manifest") from None
    return lines, last == b""
