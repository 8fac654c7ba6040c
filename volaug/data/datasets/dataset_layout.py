"""What every layout of a dataset knows."""

import os
from abc import ABC
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePath
from typing import NamedTuple

from ..files.landmarks import MARKUPS
from ..files.scans import stem_of, suffix_of, suffix_of_copy

# Marks of the finished copies of each case, by its name; the mark of an original is empty.
Complete = Mapping[str, Collection[str]]


class DatasetCase(NamedTuple):
    """Files of one case, which get one draw.

    Attributes
    ----------
    name : str
        Cases are sorted by it.
    files : dict from str to tuple of Path
        Files by the name of a target. Several images are the channels of one.
    """

    name: str
    files: dict[str, tuple[Path, ...]]


class DatasetLayout(ABC):
    """A dataset on disk.

    Attributes
    ----------
    title : str
        What it is, in a few words.
    root : Path
        Folder that all of its files lie in.
    cases : tuple of DatasetCase
        Sorted by name, which gives each its place and so its key.
    notes : tuple of str
        What the user should know, a line each.
    """

    title: str
    notes: tuple[str, ...] = ()

    def __init__(self, root: Path, cases: list[DatasetCase]) -> None:
        self.root = root
        self.cases = tuple(sorted(cases, key=lambda case: case.name))

    def name_of_original(self, file: Path) -> PurePath:
        """Where the copy of an original lies below the destination."""
        return PurePath(os.path.relpath(file, self.root))

    def name_of_copy(self, file: Path, mark: str) -> PurePath:
        """Where an augmented copy of a file lies below the destination."""
        return self.name_of_original(file).with_name(marked(file, mark))

    def summaries(self, complete: Complete) -> dict[str, str]:
        """Return texts of files about the whole dataset, by their names.

        Parameters
        ----------
        complete : mapping
            The copies that are finished.
        """
        return {}


def marked(file: Path, mark: str, ending: str = "") -> str:
    """The name of a copy: a mark before an ending of the name, and the suffix of its format."""
    stem, suffix = split(file)
    return f"{stem.removesuffix(ending)}_{mark}{ending}{suffix}"


def split(file: Path) -> tuple[str, str]:
    """The name of a scan or of landmarks without its suffix, and the suffix of copies of it."""
    if suffix_of(file) or file.is_dir():
        return stem_of(file), suffix_of_copy(file)
    suffix = MARKUPS if file.name.endswith(MARKUPS) else file.suffix
    return file.name.removesuffix(suffix), suffix


def walk(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder below a root and its files, sorted, without hidden ones and linked folders."""
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not name.lower().endswith(".zarr")
        )
        yield Path(folder), [Path(folder, n) for n in sorted(files) if not n.startswith(".")]


def _raise(error: OSError) -> None:
    raise error
