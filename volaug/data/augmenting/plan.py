"""What is to be written: every copy of every case, and where."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import NamedTuple

from ..datasets.dataset_layout import DatasetCase, DatasetLayout
from ..files.scans import parts_of
from ..files.zarr_folder import is_zarr

# At least so many digits, so that more copies can be added to a dataset under the same names.
DIGITS = 3


class Output(NamedTuple):
    """A file to write.

    Attributes
    ----------
    target : str
        Name of the target that the file is of.
    source : Path
        The file that it is a copy of.
    name : str
        Where it lies below the destination, with slashes.
    """

    target: str
    source: Path
    name: str


class Job(NamedTuple):
    """One copy of one case.

    Attributes
    ----------
    case : DatasetCase
    place : int
        Of the case in the sorted list of all cases, from 0: the index of the key.
    copy : int
        Number of the copy, from 1: the epoch of the key. 0 is the original.
    outputs : tuple of Output
    """

    case: DatasetCase
    place: int
    copy: int
    outputs: tuple[Output, ...]


def mark_of(copy: int) -> str:
    """What the name of a copy says: aug001. That of an original is empty."""
    return f"aug{copy:0{DIGITS}d}" if copy else ""


def all_jobs(layout: DatasetLayout, copies: int, originals: bool) -> list[Job]:
    """Return every copy of every case, case by case.

    Raises
    ------
    ValueError
        If two of them would write the same file, or one would lie outside of the destination.
    """
    numbers = ([0] if originals else []) + list(range(1, copies + 1))
    jobs = [
        Job(case, place, copy, tuple(_outputs(layout, case, copy)))
        for place, case in enumerate(layout.cases)
        for copy in numbers
    ]
    _check_names(jobs)
    return jobs


def _outputs(layout: DatasetLayout, case: DatasetCase, copy: int) -> Iterable[Output]:
    for target, files in case.files.items():
        for file in files:
            if copy:
                yield Output(target, file, layout.name_of_copy(file, mark_of(copy)).as_posix())
                continue
            for part in parts_of(file):
                yield Output(target, part, layout.name_of_original(part).as_posix())


def _check_names(jobs: list[Job]) -> None:
    ignores_case = sys.platform in ("darwin", "win32")
    written: dict[str, Path] = {}
    for job in jobs:
        for output in job.outputs:
            parts = PurePath(output.name).parts
            if os.path.isabs(output.name) or ".." in parts or "\0" in output.name or not parts:
                raise ValueError(f"{output.source}: its copy would lie outside of the destination")
            key = output.name.casefold() if ignores_case else output.name
            if key in written:
                if output.source == written[key]:
                    raise ValueError(
                        f"{output.source}: is a file of several cases, whose copies would all be "
                        f"written to {output.name}; give each case a file of its own"
                    )
                raise ValueError(
                    f"{output.source} and {written[key]} would both be written to {output.name}; "
                    "nothing was written"
                )
            written[key] = output.source


def check_destination(
    source: Path, destination: Path, jobs: list[Job], summaries: list[str], goes_on: bool
) -> None:
    """Check that files can be written without replacing any.

    Parameters
    ----------
    source, destination : Path
    jobs : list of Job
    summaries : list of str
        Names of files about the whole dataset that must not be there either.
    goes_on : bool
        Whether the files there may be ours: a manifest is there, and the run goes on.

    Raises
    ------
    ValueError
        If it is not so; nothing was written then.
    """
    if destination.exists() and not destination.is_dir():
        raise ValueError(f"{destination} is a file, a folder is wanted")
    real = destination.resolve()
    if source.is_dir() and real.is_relative_to(source.resolve()):
        raise ValueError(f"{destination} must not lie in {source}, whose files are read")
    outputs = [output.name for job in jobs for output in job.outputs]
    for name in (*outputs, *summaries):
        file = destination / name
        if not file.parent.resolve().is_relative_to(real):
            raise ValueError(f"{file} would lie outside of {destination}, by a symbolic link")
        is_ours = goes_on and (file.is_file() or is_zarr(file)) and not file.is_symlink()
        if os.path.lexists(file) and not is_ours:
            raise ValueError(
                f"{file} is there already; take another folder, or --resume to go on with a run "
                "that was interrupted"
            )
