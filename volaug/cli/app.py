"""The commands, one module each.

A command imports what it needs when it runs, so that `volaug --help` is fast.
"""

from typing import Annotated

import typer

from .. import __version__
from .augment_command import augment
from .demo_command import demo
from .warmup_command import warmup

app = typer.Typer(
    help="Fast, exact augmentation of large 3D volumes on the CPU.",
    no_args_is_help=True,
    add_completion=False,
)


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


for command in (augment, demo, warmup):
    app.command()(command)
