"""One copy of one case: drawn, applied, and written."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePosixPath
from typing import Any

from ...keys import Key
from ...pipeline.compose import Compose
from ...pipeline.record import Record, Sample
from ...pipeline.targets import channels_of
from ...warping.geometry.orientation import Reorientation
from ..datasets.dataset_layout import DatasetCase
from ..files.deflate import Map
from ..files.mapped import Scratch
from ..files.scans import copy_file, sha256_of, write_scan, written_files
from .case_targets import with_targets
from .large import OutputFile, apply_to_files, fits
from .loaded import LoadedCase, load_case
from .manifest import Line, versions
from .plan import Job, Output
from .shared import Shared


class Stopped(Exception):
    """The run is ending, and this copy was not begun or not finished."""


class Copier:
    """Makes copies of cases.

    Parameters
    ----------
    pipeline : Compose
    destination : Path
        Folder that is written to.
    seed : int
        Of all keys.
    threads : int
        Of the kernels, for one copy.
    run : function
        How blocks of a file are compressed: `map`, or that of a pool.
    computing : context manager, optional
        What is held while a processor is busy, so that files are read and written meanwhile.
    memory : int, optional
        How many bytes a case may take. The volumes of a case that needs more stay in their files.
        Default: any.
    """

    def __init__(
        self,
        pipeline: Compose,
        destination: Path,
        seed: int,
        threads: int,
        run: Map = map,
        computing: AbstractContextManager[Any] | None = None,
        memory: int | None = None,
    ) -> None:
        self._pipeline, self._destination, self._seed = pipeline, destination, seed
        self._threads, self._run = threads, run
        self._computing = nullcontext() if computing is None else computing
        self._memory = memory
        self._cases = Shared(self._load)
        self._versions = versions()
        self.digest = digest_of(pipeline)

    def expect(self, jobs: list[Job]) -> None:
        """Say which copies are to come, so that a case is kept while copies of it are."""
        for job in jobs:
            self._cases.expect(job.place)

    def make(self, job: Job, is_stopping: Callable[[], bool] = lambda: False) -> list[Line]:
        """Write the files of a copy, and return the lines of the manifest about them.

        Raises
        ------
        FileError, OSError, TypeError, ValueError
            If the case cannot be read, augmented or written. No file is half then.
        Stopped
            If the run is ending.
        """
        start = time.perf_counter()
        try:
            if is_stopping():
                raise Stopped
            if job.copy == 0:
                return [self._original(job, output, start) for output in job.outputs]
            loaded = self._cases.get(job.place, job.case)
            pipeline = with_targets(self._pipeline, job.case.files)
            if is_stopping():
                raise Stopped
            with self._computing:
                record = drawn(loaded, pipeline, Key(self._seed, job.copy, job.place))
                if loaded.scratch is not None:
                    return self._written_in_place(job, loaded, record, loaded.scratch, start)
                sample = record.apply_checked(
                    loaded.volumes, loaded.coordinates, None, self._threads
                )
            return self._written(job, loaded, sample, start, is_stopping)
        finally:
            self._cases.done(job.place)

    def _load(self, case: DatasetCase) -> LoadedCase:
        pipeline = with_targets(self._pipeline, case.files)
        scratch = None
        if not fits(case, pipeline.table, self._memory):
            scratch = Scratch(self._destination)
        return load_case(case, pipeline.table, self._computing, scratch)

    def _written(
        self,
        job: Job,
        loaded: LoadedCase,
        sample: Sample,
        start: float,
        is_stopping: Callable[[], bool],
    ) -> list[Line]:
        lines = []
        for output, number in numbered(job):
            if is_stopping():
                raise Stopped
            sha256 = self._write(output, number, loaded, sample)
            line = self._entry(job, output, sha256, loaded.sha256[output.source], start)
            lines.append({**line, "record": sample.record.to_dict()})
        return lines

    def _write(self, output: Output, number: int, loaded: LoadedCase, sample: Sample) -> str:
        """Write one file, and return its SHA-256."""
        path = self._folder_of(output)
        if output.target in loaded.landmarks:
            affine = None if sample.record.affine is None else sample.record.cropped_affine
            return loaded.landmarks[output.target].write(path, sample[output.target], affine)
        turn = loaded.turns[output.target][number]
        voxels = sample[output.target]
        if len(loaded.scans[output.target]) > 1:
            voxels = voxels[number]
        start = start_in(turn, sample.record)
        voxels = voxels if turn is None else turn.undo(voxels)
        scan = loaded.scans[output.target][number]
        return write_scan(scan, voxels, start, path, self._run, self._computing)

    def _written_in_place(
        self, job: Job, loaded: LoadedCase, record: Record, scratch: Scratch, start: float
    ) -> list[Line]:
        """Write the files of a copy whose volumes are not in memory."""
        outputs, paths = [], {}
        for output, number in numbered(job):
            paths[output] = path = self._folder_of(output)
            if output.target in loaded.scans:
                scans, turn = loaded.scans[output.target], loaded.turns[output.target][number]
                channel = number if len(scans) > 1 else None
                first = start_in(turn, record)
                file = OutputFile(output.target, scans[number], channel, turn, first, path)
                outputs.append(file)
        sample = apply_to_files(
            record, loaded.volumes, loaded.coordinates, outputs, scratch, self._threads
        )
        lines = []
        for output, number in numbered(job):
            if output.target in loaded.landmarks:
                sha256 = self._write(output, number, loaded, sample)
            else:
                sha256 = sha256_of(*written_files(paths[output]))
            line = self._entry(job, output, sha256, loaded.sha256[output.source], start)
            lines.append({**line, "record": record.to_dict()})
        return lines

    def _original(self, job: Job, output: Output, start: float) -> Line:
        sha256 = copy_file(output.source, self._folder_of(output))
        return {**self._entry(job, output, sha256, sha256, start), "record": None}

    def _folder_of(self, output: Output) -> Path:
        """The path of a file, whose folder is there and within the destination."""
        path = self._destination / PurePosixPath(output.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.resolve().is_relative_to(self._destination.resolve()):
            raise OSError(f"{path} lies outside of {self._destination}, by a symbolic link")
        return path

    def _entry(self, job: Job, output: Output, sha256: str, source: str, start: float) -> Line:
        key = Key(self._seed, job.copy, job.place)
        return {
            "file": output.name,
            "sha256": sha256,
            "case": job.case.name,
            "copy": job.copy,
            "target": output.target,
            "source": str(output.source),
            "source_sha256": source,
            "key": key.to_dict() if job.copy else None,
            "pipeline": self.digest,
            "versions": self._versions,
            "seconds": round(time.perf_counter() - start, 4),
        }


def digest_of(pipeline: Compose) -> str:
    """A digest of what a pipeline does, whatever its own seed is."""
    values = pipeline.to_dict()
    values.pop("seed", None)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def numbered(job: Job) -> Iterator[tuple[Output, int]]:
    """The outputs of a copy, each with its number among those of its target."""
    numbers = dict.fromkeys(job.case.files, 0)
    for output in job.outputs:
        yield output, numbers[output.target]
        numbers[output.target] += 1


def drawn(loaded: LoadedCase, pipeline: Compose, key: Key) -> Record:
    """Draw for a case."""
    volumes = loaded.volumes
    shape = next(iter(volumes.values())).shape[-3:]
    n0, n1, n2 = (int(n) for n in shape)
    channels = channels_of(volumes, pipeline.table) or 1
    return pipeline.draw_for(key, (n0, n1, n2), None, loaded.affine, channels)


def start_in(turn: Reorientation | None, record: Record) -> tuple[int, int, int]:
    """The voxel of a file at which a result begins, by the crops of a draw."""
    starts, shape = record.crop_start.tolist(), record.output_shape
    a, b, c = ((start, start + n) for start, n in zip(starts, shape, strict=True))
    box = (a, b, c) if turn is None else turn.box((a, b, c))
    return box[0][0], box[1][0], box[2][0]
