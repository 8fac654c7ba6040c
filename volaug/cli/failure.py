"""How a command ends that cannot do what was asked."""

from typing import NoReturn

import typer


def fail(message: str, code: int = 1) -> NoReturn:
    """Say in one line what went wrong, and leave."""
    typer.echo(f"volaug: {message}", err=True)
    raise typer.Exit(code)
