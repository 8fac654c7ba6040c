"""The commands and their options.

A command imports what it needs when it runs, so that `volaug --help` is fast.
"""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from .. import __version__
from ..threads.limits import granted_threads, thread_count

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


@app.command()
def warmup(
    dtypes: Annotated[
        list[str] | None,
        typer.Argument(help="Dtypes of the volumes to come; float32, int16 and uint8 by default."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="How many compile side by side; one per core by default."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Level of processors to compile for, such as x86-64-v3; needs --into."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Folder for the pack of that level, which VOLAUG_PACKS then names."),
    ] = None,
) -> None:
    """Compile the kernels ahead: for this processor, or for a level of processors.

    Examples: `volaug warmup float32 int16` fills the kernel cache. `volaug warmup --target
    x86-64-v3 --into /opt/volaug` makes a pack that serves every processor with AVX2.
    """
    if (target is None) != (into is None):
        fail("warmup: --target and --into need each other")
    from ..compilation.pack_making import make_pack
    from ..compilation.warmup import warmup as compile_here
    from ..kernels.jit.trust import UntrustedError

    wanted = dtypes or ["float32", "int16", "uint8"]
    count = processes or granted_threads()
    try:
        if target is None or into is None:
            seconds = compile_here(wanted, processes=count, progress=True)
            typer.echo(f"The kernels for {', '.join(wanted)} are ready, after {seconds:.1f} s.")
        else:
            pack = make_pack(target, into, wanted, processes=count, progress=True)
            typer.echo(f"Wrote {pack}. Set VOLAUG_PACKS={into.absolute()} where it is to be used.")
    except (OSError, RuntimeError, TypeError, ValueError, UntrustedError) as error:
        fail(f"warmup: {error}")
