"""The options of `volaug info`."""

from typing import Annotated

import typer

from .failure import fail
from .warning_lines import warnings_in_lines


def info(
    what: Annotated[
        str,
        typer.Argument(help="An image, a pipeline (.toml, .json, preset), or a record (.json)."),
    ],
) -> None:
    """Say what an image holds, what a pipeline does, or what a record has drawn.

    Examples: volaug info brain.nii.gz, volaug info strong_mri, volaug info record.json
    """
    from .info.about import lines_about

    try:
        with warnings_in_lines():
            lines = lines_about(what)
    except (OSError, TypeError, ValueError, MemoryError) as error:
        fail(f"info: {' '.join(str(error).split()) or type(error).__name__}")
    typer.echo("\n".join(lines))
