"""Files that are written as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def partial_path(path: Path) -> Path:
    """A hidden name beside `path`, with its suffixes, for this process alone."""
    stem, dot, suffixes = path.name.partition(".")
    return path.with_name(f".{stem}-{os.getpid()}{dot}{suffixes}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to. That file replaces `path` if the writing succeeds."""
    partial = partial_path(path)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
