"""The options of `volaug warmup`."""

from pathlib import Path
from typing import Annotated

import typer

from .failure import fail


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

    Example: volaug warmup float32 int16 fills the kernel cache.
    volaug warmup --target x86-64-v3 --into /opt/volaug makes a pack for processors with AVX2.
    """
    if (target is None) != (into is None):
        fail("warmup: --target and --into need each other")
    from ..compilation.pack_making import make_pack
    from ..compilation.warmup import warmup as compile_here
    from ..kernels.jit.trust import UntrustedError
    from ..threads.limits import granted_threads

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
