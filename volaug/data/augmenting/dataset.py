"""Augment a dataset on disk: from what a user asks for to the last file."""

import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ...pipeline.compose import Compose
from ..datasets.finding import find_layout
from ..files.atomic import remove_partial_files, write_text
from .case_targets import check_pipeline, with_targets
from .copying import Copier, digest_of
from .manifest import Manifest, all_lines, manifests, name_of_manifest
from .plan import all_jobs, check_destination, mark_of
from .resumption import Written, check_same_run, complete_copies
from .running import WAITING, Done, compressing, in_threads, share_of_threads


@dataclass
class Augmentation:
    """Augmented copies of a dataset.

    The copies of a case have the keys ``(seed, epoch=copy, index=place)``, where copies count from
    1 and the place is that of the case in the list of all cases, sorted by name, from 0. So a copy
    is the same whatever else is made, by whichever shard, and after any interruption.

    Parameters
    ----------
    source, destination : Path
        What is read, see `find_layout`; and the folder that is written to.
    pipeline : Compose
    seed : int
    copies : int
        Of each case.
    originals : bool
        Whether the originals are copied too, as they are.
    shard : (int, int)
        Number of this shard, from 1, and how many there are. Cases are dealt out in turn.
    goes_on : bool
        Whether to go on with a run that was interrupted.
    memory : int, optional
        How many bytes the cases that are done at once may take. Volumes of larger cases stay in
        their files. Default: any.

    Raises
    ------
    ValueError
        If the dataset is incomplete, or files would be replaced. Nothing is written then.
    """

    source: Path
    destination: Path
    pipeline: Compose
    seed: int = 0
    copies: int = 1
    originals: bool = False
    shard: tuple[int, int] = (1, 1)
    goes_on: bool = False
    memory: int | None = None
    skipped: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        check_pipeline(self.pipeline)
        self.layout = find_layout(self.source, self.pipeline.table)
        for case in self.layout.cases:
            with_targets(self.pipeline, case.files)
        self._all = all_jobs(self.layout, self.copies, self.originals)
        number, total = self.shard
        self.jobs = [job for job in self._all if job.place % total == number - 1]
        self._check_destination()

    def _check_destination(self) -> None:
        there = manifests(self.destination) if self.destination.is_dir() else []
        own = self.destination / name_of_manifest(*self.shard)
        if own in there and not self.goes_on:
            raise ValueError(
                f"{own}: there was a run in this folder; --resume goes on with it, or take another "
                "folder"
            )
        shards = {name_of_manifest(number + 1, self.shard[1]) for number in range(self.shard[1])}
        others = [path for path in there if path.name not in shards]
        if others:
            raise ValueError(f"{others[0]}: there was a run in another number of shards")
        summaries = [] if there else [*self.layout.summaries({})]
        check_destination(self.source, self.destination, self.jobs, summaries, own in there)
        check_same_run(all_lines(self.destination), digest_of(self.pipeline), self.seed)

    @contextmanager
    def started(self) -> Iterator[Manifest]:
        """Open the manifest, remove what was left behind, and find out what is done."""
        self.destination.mkdir(parents=True, exist_ok=True)
        own = name_of_manifest(*self.shard)
        manifest = Manifest(self.destination / own)
        try:
            if self.goes_on:
                names: list[PurePath | str] = [
                    output.name for job in self.jobs for output in job.outputs
                ]
                names.append(own)  # which is locked
                if self.shard[1] == 1:  # else another shard may be writing these just now
                    names += self.layout.summaries({})
                remove_partial_files(self.destination / name for name in names)
                written = Written(manifest.lines, self.destination)
                left = [job for job in self.jobs if not written.has(job)]
                self.skipped, self.jobs = len(self.jobs) - len(left), left
                manifest.forget({output.name for job in left for output in job.outputs})
            yield manifest
        finally:
            manifest.close()

    def in_threads(self, threads: int) -> Generator[Done, None, None]:
        """Make all copies that are not there, in threads of this process.

        Parameters
        ----------
        threads : int
            How many processors to use.

        Yields
        ------
        Done
            What became of each copy.
        """
        at_once, kernel_threads = share_of_threads(len(self.jobs), threads)
        with compressing(kernel_threads) as run:
            copier = Copier(
                self.pipeline, self.destination, self.seed, kernel_threads, run,
                threading.Semaphore(at_once), self._memory_of_case(at_once),
            )  # fmt: skip
            copier.expect(self.jobs)
            with closing(in_threads(copier, self.jobs, at_once)) as ended:
                yield from ended

    def _memory_of_case(self, at_once: int) -> int | None:
        """How many bytes a case may take, if others are read and written meanwhile."""
        if self.memory is None:
            return None
        cases = len({job.place for job in self.jobs})
        return self.memory // max(1, min(cases, at_once + WAITING))

    def finish(self) -> list[str]:
        """Write the files about the whole dataset, and return their names.

        They tell of what is complete in all shards. If another shard ends meanwhile, they are
        written once more.
        """
        while True:
            before = _states(self.destination)
            complete = complete_copies(self._all, self.destination)
            marks = {name: [mark_of(copy) for copy in copies] for name, copies in complete.items()}
            texts = self.layout.summaries(marks) if marks else {}
            for name, text in texts.items():
                write_text(self.destination / name, text)
            if _states(self.destination) == before:
                return list(texts)


def _states(destination: Path) -> list[tuple[str, int]]:
    return [(path.name, path.stat().st_size) for path in manifests(destination)]
