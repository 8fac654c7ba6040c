"""Go on with a run: what is done, and what a killed process left behind."""

from collections.abc import Iterable
from pathlib import Path

from ..files.atomic import partial_path
from ..files.safety import FileError
from ..files.scans import sha256_of
from .manifest import Line, all_lines
from .plan import Job


def check_same_run(lines: Iterable[Line], pipeline: str, seed: int) -> None:
    """Check that a manifest is that of the same pipeline and seed.

    Parameters
    ----------
    lines : iterable of dict
        Of the manifest.
    pipeline : str
        Digest of the pipeline.
    seed : int

    Raises
    ------
    ValueError
        If it is of another one: the copies would not belong together.
    """
    for line in lines:
        key = line.get("key")
        if line.get("pipeline") != pipeline or (key and key.get("seed") != seed):
            raise ValueError(
                "the files there were made with another pipeline or another seed: take the same, "
                "or another folder"
            )


def is_done(job: Job, lines: dict[str, Line], destination: Path) -> bool:
    """Whether all files of a copy are there, with the bytes that the manifest says.

    Parameters
    ----------
    lines : dict
        Of the manifest, by file.
    """
    for output in job.outputs:
        line = lines.get(output.name)
        if line is None or line.get("source") != str(output.source):
            return False
        try:
            if sha256_of(destination / output.name) != line["sha256"]:
                return False
        except FileError:
            return False
    return True


def remove_partial_files(jobs: Iterable[Job], destination: Path) -> None:
    """Remove what processes left behind that were killed while they wrote a file of these jobs."""
    for job in jobs:
        for output in job.outputs:
            partial_path(destination / output.name).unlink(missing_ok=True)


def complete_copies(jobs: Iterable[Job], destination: Path) -> dict[str, list[int]]:
    """The copies of each case whose files are all in a manifest, of any shard."""
    names = {line["file"] for line in all_lines(destination)}
    found: dict[str, list[int]] = {}
    for job in jobs:
        if all(output.name in names for output in job.outputs):
            found.setdefault(job.case.name, []).append(job.copy)
    return found
