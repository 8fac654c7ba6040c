"""The options of `volaug demo`."""

from pathlib import Path
from typing import Annotated

import typer

from .failure import fail

DEMO_NEEDS = ("matplotlib", "nibabel", "nilearn", "rich")


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
    Writes images and labels before and after (NIfTI), what was drawn (JSON), a
    sheet of all strategies, and one of contrast, noise and the like.
    Nothing is downloaded.

    Example: volaug demo volaug-demo --threads 2
    """
    try:
        from .demo.run import run_demo
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in DEMO_NEEDS:
            raise
        fail(f'demo needs {error.name}, which is not installed: pip install "volaug[demo]"')
    from ..threads.limits import thread_count

    try:
        granted = thread_count(threads)
    except (TypeError, ValueError) as error:
        fail(str(error))
    try:
        run_demo(out, granted)
    except OSError as error:
        fail(f"demo: {error}")
