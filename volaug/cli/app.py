"""The commands and their options.

A command imports what it needs when it runs, so that `volaug --help` is fast.
"""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from .. import __version__
from ..threads.limits import thread_count

app = typer.Typer(
    help="Fast, exact augmentation of large 3D volumes on the CPU.",
    no_args_is_help=True,
    add_completion=False,
)

DEMO_NEEDS = ("matplotlib", "nibabel", "nilearn", "rich")


def fail(message: str) -> NoReturn:
    """Say in one line what went wrong, and leave."""
    typer.echo(f"volaug: {message}", err=True)
    raise typer.Exit(1)


def show_version(wanted: bool) -> None:
    """Print the version and leave, if it is wanted."""
    if wanted:
        typer.echo(f"volaug {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options before the command's name."""


@app.command()
def demo(
    out: Annotated[
        Path, typer.Argument(help="Folder for the files; made if missing.", show_default=True)
    ] = Path("volaug-demo"),
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="At most this many threads; all by default."),
    ] = None,
) -> None:
    """Augment the MNI152 brain, its tissue labels and landmarks, and time it beside scipy.

    Seven strategies are applied one by one, then all of them in one pipeline.
    Writes images and labels before and after (NIfTI), what was drawn (JSON), one
    sheet with pictures of all strategies, and one of contrast, noise and the like.
    Nothing is downloaded.
    """
    try:
        from .demo.run import run_demo
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in DEMO_NEEDS:
            raise
        fail(f'demo needs {error.name}, which is not installed: pip install "volaug[demo]"')
    try:
        granted = thread_count(threads)
    except (TypeError, ValueError) as error:
        fail(str(error))
    try:
        run_demo(out, granted)
    except OSError as error:
        fail(f"demo: {error}")
