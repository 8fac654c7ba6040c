"""Go on with a run: what is done, and what a killed process left behind."""

from collections.abc import Iterable
from pathlib import Path

from ..files.safety import FileError
from ..files.scans import parts_of, sha256_of, written_files
from .manifest import Line, all_lines
from .plan import Job, Output


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


class Written:
    """What a manifest says was written.

    Parameters
    ----------
    lines : iterable of dict
        Of the manifest.
    destination : Path
    """

    def __init__(self, lines: Iterable[Line], destination: Path) -> None:
        self._lines = {line["file"]: line for line in lines}
        self._destination = destination
        self._sources: dict[Path, str] = {}

    def has(self, job: Job) -> bool:
        """Whether all files of a copy are there as they were written, and of the same sources."""
        return all(self._is_there(output) for output in job.outputs)

    def _is_there(self, output: Output) -> bool:
        line = self._lines.get(output.name)
        if line is None or line.get("source_sha256") != self._source(output.source):
            return False
        try:
            return sha256_of(*written_files(self._destination / output.name)) == str(line["sha256"])
        except FileError:  # it is not there
            return False

    def _source(self, path: Path) -> str:
        """The SHA-256 of a source, empty if it cannot be read."""
        if path not in self._sources:
            try:
                self._sources[path] = sha256_of(*parts_of(path))
            except FileError:
                self._sources[path] = ""
        return self._sources[path]


def complete_copies(jobs: Iterable[Job], destination: Path) -> dict[str, list[int]]:
    """The copies of each case whose files are all in a manifest, of any shard."""
    names = {line["file"] for line in all_lines(destination)}
    found: dict[str, list[int]] = {}
    for job in jobs:
        if all(output.name in names for output in job.outputs):
            found.setdefault(job.case.name, []).append(job.copy)
    return found
