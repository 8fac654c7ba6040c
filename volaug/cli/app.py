"""The commands, one module each.

A command imports what it needs when it runs, so that `volaug --help` is fast.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from .. import __version__
from .augment_command import augment
from .benchmark_command import benchmark
from .demo_command import demo
from .doctor_command import doctor
from .info_command import info
from .preview_command import preview
from .warmup_command import warmup

# Plain help and errors: importing what formats them takes longer than all else.
PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
COMMANDS = {
    command.__name__: command
    for command in (demo, augment, preview, info, doctor, benchmark, warmup)
}

app = typer.Typer(
    help="Fast, exact augmentation of large 3D volumes on the CPU.", no_args_is_help=True, **PLAIN
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


for command in COMMANDS.values():
    app.command()(command)


def run(arguments: Sequence[str]) -> None:
    """Run the command that the arguments name.

    The help of a command is printed by an app of that command alone: before it comes to a command,
    a group checks its own options, for which typer loads pydantic. That takes 0.2 s.
    """
    if list(arguments[1:]) == ["--help"] and arguments[0] in COMMANDS:
        alone = typer.Typer(**PLAIN)
        alone.command()(COMMANDS[arguments[0]])
        alone(["--help"], prog_name=f"volaug {arguments[0]}")
    app(list(arguments), prog_name="volaug")
