"""The demo from beginning to end."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ... import warmup
from .brain import Brain, load_brain
from .files import make_folder, write_nifti
from .sheet import Row, draw_sheet
from .slices import origin_slices, slices
from .table import timing_table
from .timing import Timing, compare
from .warps import NamedWarp, demo_warps, no_warp

# Where the three slices meet, in mm of MNI space.
MEETING_POINT = (-14.0, -18.0, 6.0)

SHEET = "sheet.png"


def run_demo(out: Path, threads: int) -> list[Timing]:
    """Warp a brain in six ways, write what comes of it, and print how long it took.

    Parameters
    ----------
    out : Path
        Folder of the files; made if missing. What an earlier demo left there is replaced.
    threads : int
        For volaug; scipy.ndimage has one.

    Returns
    -------
    list of Timing
        One a warp, as in the table.

    Raises
    ------
    OSError
        If the folder or a file cannot be made.
    """
    make_folder(out)
    timings: list[Timing] = []
    rows: list[Row] = []

    with progress_bar() as progress:
        task = progress.add_task("Compiling the kernels", total=None)
        progress.refresh()
        warmup(("float32", "uint8"))
        progress.update(task, description="Loading the brain", refresh=True)
        brain = load_brain()
        shape = brain.image.shape
        voxel = voxel_at(brain.affine, MEETING_POINT)
        cases = [no_warp(shape), *demo_warps(shape)]
        progress.update(task, total=2 * len(cases))

        for case in cases:
            progress.update(task, description=f"{case.title}: files", refresh=True)
            rows.append(show_case(case, brain, voxel, out, threads))
            progress.advance(task)
        for case in cases[1:]:
            progress.update(task, description=f"{case.title}: times", refresh=True)
            timings.append(compare(case.title, case.warp, brain.image, threads))
            progress.advance(task)
        progress.update(task, description="Drawing the sheet", refresh=True)
        draw_sheet(out / SHEET, rows, MEETING_POINT)

    console = Console()
    console.print(timing_table(timings, shape, threads))
    console.print(
        f"Pictures of all: {out / SHEET}",
        f"Images and labels: {out / '*.nii.gz'}, {2 * len(cases)} files",
        sep="\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return timings


def show_case(
    case: NamedWarp, brain: Brain, voxel: tuple[int, int, int], out: Path, threads: int
) -> Row:
    """Warp the brain and its labels, write both, and keep what the sheet shows of them."""
    image = case.warp.apply(brain.image, threads=threads)
    labels = case.warp.apply(brain.labels, interpolation="label", threads=threads)
    for kind, voxels in (("image", image), ("labels", labels)):
        path = out / f"{case.stem}_{kind}.nii.gz"
        write_nifti(path, voxels, brain.affine, f"volaug demo: {case.title}, {kind}")
    origins = origin_slices(case.warp, brain.image.shape, voxel)
    return Row(case.title, case.words, slices(image, voxel), slices(labels, voxel), origins)


def voxel_at(
    affine: npt.NDArray[np.float64], millimetres: tuple[float, float, float]
) -> tuple[int, int, int]:
    """The voxel nearest to a place in mm."""
    x, y, z, _ = np.rint(np.linalg.solve(affine, (*millimetres, 1.0))).astype(int).tolist()
    return x, y, z


def progress_bar() -> Progress:
    """Show how far it is, on a terminal alone.

    It redraws when told to: a thread that did so by itself would take time from what is timed.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        disable=not sys.stderr.isatty(),
    )
