"""The options of `volaug augment`."""

import re
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from .failure import USAGE, fail
from .interruption import interruptible

AUGMENT_NEEDS = ("nibabel", "rich")
MAX_COPIES = 999_999


class OnError(StrEnum):
    """What to do after a case that cannot be augmented."""

    SKIP = "skip"
    STOP = "stop"


def as_shard(text: str) -> tuple[int, int]:
    """The number of a shard and how many there are, of a text such as 2/8."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(f"--shard must be such as 2/8, the second of eight, got {text!r}")
    return int(match[1]), int(match[2])


def as_bytes(text: str | None) -> int | None:
    """A number of bytes, of a text such as 800M, 4GiB or 2.5GB."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*([KMGT])(i?B)?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0.0:
        raise typer.BadParameter(f"--memory must be such as 800M or 4GiB, got {text!r}")
    base = 1000 if (match[3] or "").lower() == "b" else 1024
    return int(float(match[1]) * base ** (1 + "kmgt".index(match[2].lower())))


def augment(
    source: Annotated[
        Path,
        typer.Argument(
            help="A scan, a folder of scans, a dataset (nnU-Net raw, BIDS, decathlon), or a CSV or "
            "JSON list.",
            metavar="SRC",
        ),
    ],
    destination: Annotated[Path, typer.Argument(help="Folder for the copies.", metavar="DST")],
    pipeline: Annotated[
        str,
        typer.Option(help="A .toml or .json file, or a preset: mild_mri, strong_mri."),
    ] = "mild_mri",
    copies: Annotated[
        int, typer.Option(min=1, max=MAX_COPIES, help="Augmented copies of each case.")
    ] = 1,
    originals: Annotated[
        bool, typer.Option("--originals", help="Copy the originals too, as they are.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of all draws; that of the pipeline, or 0, by default."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="At most this many threads; all by default.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Let cases take at most so much, such as 4GiB; larger ones stay on the disk.",
            metavar="SIZE",
        ),
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Do the i-th of n parts, such as 2/8, for job arrays.")
    ] = "1/1",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was interrupted.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Dask scheduler, such as tcp://host:8786, or local; needs volaug[dask]."),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="After a case that fails: go on with the others, or stop.")
    ] = OnError.SKIP,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where in the program an error came from.")
    ] = False,
) -> None:
    """Write augmented copies of scans: images, labels and landmarks of a case move together.

    Example: `volaug augment scans/ augmented/ --pipeline mild_mri --copies 3 --originals --seed 7`

    Headers, dtypes, scales and places are kept. Every file is written whole or not at all, and
    `manifest.jsonl` says of each from what and how it was made. The same seed gives the same files.
    """
    part, most = as_shard(shard), as_bytes(memory)
    if scheduler is not None and find_spec("distributed") is None:
        fail(
            "augment --scheduler needs distributed, which is not installed: "
            'pip install "volaug[dask]"'
        )
    with interruptible():
        try:
            from ..threads.limits import thread_count
            from .augment.command import Request, augment_dataset
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in AUGMENT_NEEDS:
                raise
            fail(
                f"augment needs {error.name}, which is not installed: "
                'pip install "volaug[cli,files]"'
            )
        try:
            request = Request(
                source, destination, pipeline, copies, originals, seed, thread_count(threads), part,
                resume, scheduler, on_error == OnError.STOP, dry_run, debug,
                most,
            )  # fmt: skip
        except (TypeError, ValueError) as error:
            fail(f"augment: {error}", USAGE)
        raise typer.Exit(augment_dataset(request))
