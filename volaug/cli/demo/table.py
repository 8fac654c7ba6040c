"""The table of times."""

from collections.abc import Sequence

from rich.table import Table

from .timing import RUNS, Timing


def timing_table(timings: Sequence[Timing], shape: tuple[int, ...], threads: int) -> Table:
    """One row per warp: volaug's time, scipy's, and the greatest difference of the images."""
    table = Table(
        title=f"{' x '.join(map(str, shape))} voxels of float32, linear interpolation",
        caption=(
            f"volaug: median of {RUNS} runs, already compiled. scipy.ndimage: one run, one thread, "
            "order=1; for an elastic warp it includes the making of its dense coordinates. "
            "Difference: between the two images, whose range is 0 to 1. All together: one warp for "
            "all spatial steps."
        ),
        caption_justify="left",
        title_justify="left",
    )
    table.add_column("Warp")
    for heading in ("volaug\nms", "\nMvoxel/s", "\nthreads", "scipy\nms", "\nratio"):
        table.add_column(heading, justify="right")
    table.add_column("greatest\ndifference", justify="right")
    for timing in timings:
        table.add_row(
            timing.title,
            f"{1e3 * timing.volaug:.1f}",
            f"{1e-6 * timing.voxels / timing.volaug:.0f}",
            str(threads),
            f"{1e3 * timing.scipy:.0f}",
            f"{timing.scipy / timing.volaug:.0f}x",
            f"{timing.difference:.1e}",
        )
    return table
