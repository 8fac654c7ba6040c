"""Warnings and errors of a command, in a line each."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from .failure import one_line

# What libraries tell their developers.
NOT_FOR_USERS = (DeprecationWarning, PendingDeprecationWarning, ResourceWarning)


def say(text: str) -> None:
    """Say something in one line on standard error."""
    typer.echo(f"volaug: {one_line(text)}", err=True)


@contextmanager
def warnings_in_lines() -> Iterator[None]:
    """Show warnings in a line each, without the program's source."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        say(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in NOT_FOR_USERS:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield
