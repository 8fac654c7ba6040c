"""The options of `volaug benchmark`."""

from typing import Annotated

import typer

from .failure import fail


def benchmark(
    threads: Annotated[
        int | None, typer.Option(min=1, help="At most this many threads; all by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how fast this machine is, in a minute: affine, elastic, label, a preset.

    Each is a number of milliseconds, and the times that a plain copy takes. A table of a reference
    machine is beside it.

    Example: volaug benchmark --json
    """
    import json

    from ..threads.limits import thread_count
    from .benchmark.measure import measure
    from .benchmark.throughput_table import as_table, as_values

    try:
        granted = thread_count(threads)
    except (TypeError, ValueError) as error:
        fail(f"benchmark: {error}", 2)
    try:
        timings = measure(granted)
    except MemoryError:
        fail("benchmark: needs 1 GB of memory")
    typer.echo(json.dumps(as_values(timings), indent=1) if as_json else as_table(timings))
