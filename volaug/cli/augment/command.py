"""`volaug augment` from beginning to end."""

import traceback
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ...data.augmenting.dataset import Augmentation
from ...data.augmenting.running import Done
from ...data.files.safety import words_of
from ...pipeline.reading import read_pipeline
from ..failure import FAILED, INTERRUPTED, USAGE
from ..warning_lines import say, warnings_in_lines
from .report import Report


class Request(NamedTuple):
    """What was asked for: the options of the command."""

    source: Path
    destination: Path
    pipeline: str
    copies: int
    originals: bool
    seed: int | None
    threads: int
    shard: tuple[int, int]
    resume: bool
    scheduler: str | None
    stops: bool
    dry_run: bool
    debug: bool
    memory: int | None


def augment_dataset(request: Request) -> int:
    """Do what was asked for, and return the exit code.

    0: all is done; 1: some cases failed, or no file can be written; 2: nothing was begun, as the
    arguments or the dataset are wrong; 130: interrupted.
    """
    with warnings_in_lines():
        return _augmented(request)


def _augmented(request: Request) -> int:
    try:
        pipeline = read_pipeline(request.pipeline)
        seed = request.seed if request.seed is not None else pipeline.seed or 0
        augmentation = Augmentation(
            request.source, request.destination, pipeline, seed, request.copies,
            request.originals, request.shard, request.resume, request.memory,
        )  # fmt: skip
        pipeline.warn_of_sides(
            {
                name: pipeline.table[name]
                for case in augmentation.layout.cases
                for name in case.files
                if name in pipeline.table
            }
        )
    except (OSError, TypeError, ValueError) as error:
        return _failed(error, request.debug, USAGE)
    report = Report(augmentation, request.pipeline)
    if request.dry_run:
        report.plan()
        return 0
    try:
        return _run(augmentation, report, request)
    except (OSError, ValueError) as error:
        return _failed(error, request.debug, FAILED)


def _run(augmentation: Augmentation, report: Report, request: Request) -> int:
    with augmentation.started() as manifest:
        code = 0
        try:
            with report.progress(), closing(_copies(augmentation, request)) as copies:
                for done in copies:
                    manifest.add(done.lines)
                    report.add(done)
                    if done.error is not None:
                        code = FAILED
                        if request.debug:
                            traceback.print_exception(done.error)
                    if done.is_fatal or (done.error is not None and request.stops):
                        break
        except KeyboardInterrupt:
            code = INTERRUPTED
        names = augmentation.finish()
    report.end(names, code == INTERRUPTED)
    return code


def _copies(augmentation: Augmentation, request: Request) -> Generator[Done, None, None]:
    """Make all copies, in threads or on a cluster, and say what became of each."""
    if request.scheduler is None:
        yield from augmentation.in_threads(request.threads)
        return
    from ...integrations.dask import on_cluster

    yield from on_cluster(augmentation, request.scheduler, request.threads)


def _failed(error: Exception, debug: bool, code: int) -> int:
    if debug:
        traceback.print_exception(error)
    text = str(error) if not isinstance(error, OSError) or error.errno is None else words_of(error)
    say(text or type(error).__name__)
    return code
