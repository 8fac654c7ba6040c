"""How a command ends that cannot do what was asked."""

from typing import NoReturn

import typer

# Exit codes: something failed, wrong arguments, and as shells say of Ctrl-C.
FAILED, USAGE, INTERRUPTED = 1, 2, 130


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say in one line what went wrong, and leave."""
    typer.echo(f"volaug: {message}", err=True)
    raise typer.Exit(code)


def one_line(text: str) -> str:
    """A text in which no character can break the line or steer a terminal, such as in names."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )
