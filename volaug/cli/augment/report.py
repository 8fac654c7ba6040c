"""What `volaug augment` prints: the plan, the progress, and how it ended."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ...data.augmenting.dataset import Augmentation
from ...data.augmenting.plan import Job
from ...data.augmenting.running import Done
from ...data.files.safety import words_of
from ..failure import one_line

# The greatest number of seconds between two lines where there is no terminal, as in a log.
LINE_SECONDS = 30.0


class Report:
    """What is printed about a run.

    Parameters
    ----------
    augmentation : Augmentation
    pipeline : str
        As it was named.
    """

    def __init__(self, augmentation: Augmentation, pipeline: str) -> None:
        self._augmentation, self._pipeline = augmentation, pipeline
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._failed: dict[str, str] = {}
        self._files = self._copies = 0
        self._start = self._last_line = time.monotonic()
        for note in augmentation.layout.notes:
            self._say(note)

    def plan(self) -> None:
        """Print what would be written, a line a file."""
        layout = self._augmentation.layout
        self._print(f"{layout.title}: {self._counted(self._augmentation.jobs)}")
        for job in self._augmentation.jobs:
            for output in job.outputs:
                self._print(f"  {output.target}: {output.source} -> {output.name}")

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show a bar on a terminal; elsewhere a line now and then."""
        jobs, skipped = self._augmentation.jobs, self._augmentation.skipped
        title = self._augmentation.layout.title
        there = f"; {_count(skipped, 'copy')} before that" if skipped else ""
        self._print(f"{title}: {self._counted(jobs)}, by {self._pipeline}, "
                    f"seed {self._augmentation.seed}{there}")  # fmt: skip
        with self._bar:
            self._task = self._bar.add_task("augmenting", total=len(jobs))
            yield

    def add(self, done: Done) -> None:
        """Count a job, and say so if it failed: once for a case."""
        self._bar.advance(self._task)
        name = done.job.case.name
        if done.error is not None:
            if name not in self._failed:
                self._failed[name] = _reason(done.error)
                self._say(f"{name}: {self._failed[name]}")
            return
        self._copies += 1
        self._files += len(done.lines)
        now = time.monotonic()
        if self._bar.disable and now - self._last_line > LINE_SECONDS:
            self._last_line = now
            left = len(self._augmentation.jobs) - self._copies
            seconds = (now - self._start) / self._copies * left
            self._print(f"  {_count(self._copies, 'copy')}, {left} left: about {seconds:.0f} s")

    def end(self, summaries: list[str], was_interrupted: bool) -> None:
        """Say how it ended."""
        seconds = time.monotonic() - self._start
        self._print(
            f"Wrote {_count(self._copies, 'copy')}, {_count(self._files, 'file')}, to "
            f"{self._augmentation.destination} in {seconds:.1f} s"
        )
        if summaries:
            self._print(f"For the whole dataset: {', '.join(summaries)}")
        if self._failed:
            total = len(self._augmentation.layout.cases)
            self._say(f"{len(self._failed)} of {_count(total, 'case')} failed")
        left = len(self._augmentation.jobs) - self._copies
        if left:
            reason = "interrupted, " if was_interrupted else ""
            self._say(f"{reason}{_count(left, 'copy')} left; the same with --resume goes on")

    def _counted(self, jobs: list[Job]) -> str:
        cases = len({job.place for job in jobs})
        files = sum(len(job.outputs) for job in jobs)
        return f"{_count(cases, 'case')}, {_count(len(jobs), 'copy')}, {_count(files, 'file')}"

    def _print(self, text: str) -> None:
        typer.echo(one_line(text))

    def _say(self, text: str) -> None:
        line = f"volaug: {one_line(text)}"
        if self._bar.live.is_started:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            typer.echo(line, err=True)


def _count(number: int, noun: str) -> str:
    """A number with its noun: 1 copy, 2 copies."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _reason(error: Exception) -> str:
    """Why a case failed, in one line that names the file if it is about one."""
    if isinstance(error, OSError) and error.errno is not None:
        return words_of(error)
    return " ".join(str(error).split()) or type(error).__name__
