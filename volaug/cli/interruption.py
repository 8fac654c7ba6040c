"""How a command ends that is interrupted."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from .failure import INTERRUPTED


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, and leave with the exit code of an interruption.

    Managers of clusters send SIGTERM before they kill.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("volaug: interrupted before anything was written", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)
