"""The demo from beginning to end."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ... import Compose, RandomElastic, Record, Warp
from ...data.files.atomic import write_text
from .brain import Brain, load_brain
from .compiling import compile_kernels
from .contrast_sheet import CHANGES, draw_contrast
from .files import make_folder, write_nifti
from .sheet import TISSUES, draw_sheet, tile
from .strategies import INDEX, SEED, Strategy, demo_strategies
from .table import timing_table
from .timing import Timing, compare

SHEET, CONTRAST = "sheet.png", "contrast.png"

# A flip is a copy and contrast moves nothing: there is no warp to compare with scipy.ndimage.
NOT_TIMED = ("Flip", "Contrast")


def run_demo(out: Path, threads: int) -> list[Timing]:
    """Augment a brain in eight ways, write the results, and print how long it took.

    Parameters
    ----------
    out : Path
        Folder of the files; made if missing. What an earlier demo left there is replaced.
    threads : int
        Number of threads of volaug; scipy.ndimage uses one.

    Returns
    -------
    list of Timing
        One per warp, as in the table.

    Raises
    ------
    OSError
        If the folder or a file cannot be written.
    """
    make_folder(out)
    strategies = demo_strategies()
    warps: dict[str, Warp] = {}
    timings: list[Timing] = []

    with progress_bar() as progress:
        groups = kernel_groups(strategies)
        task = progress.add_task("Compiling the kernels", total=sum(map(len, groups)))
        progress.refresh()
        compile_kernels(groups, threads, lambda: progress.update(task, advance=1, refresh=True))
        progress.remove_task(task)
        task = progress.add_task("Loading the brain", total=None)
        progress.refresh()
        brain = load_brain()
        shape = brain.image.shape
        tiles = [tile("Original", TISSUES, brain)]
        progress.update(task, description="Original", total=2 * len(strategies), refresh=True)
        with ThreadPoolExecutor(threads) as writers:  # compression takes longer than all else
            written = [writers.submit(write_brain, out, "original", brain)]
            for strategy in strategies:
                after, record = augmented(strategy, brain, threads)
                written.append(writers.submit(write_brain, out, strategy.stem, after))
                write_text(out / f"{strategy.stem}_record.json", record.to_json() + "\n")
                tiles.append(tile(strategy.title, strategy.words(record), after))
                warps[strategy.title] = record.warp
            written[0].result()
            for strategy, files in zip(strategies, written[1:], strict=True):
                progress.update(task, description=f"{strategy.title}: files", refresh=True)
                files.result()
                progress.advance(task)
        for title, warp in warps.items():
            progress.update(task, description=f"{title}: times", refresh=True)
            if title not in NOT_TIMED:
                timings.append(compare(title, warp, brain.image, threads))
            progress.advance(task)
        progress.update(task, description="Drawing the sheets", refresh=True)
        draw_sheet(out / SHEET, tiles)
        draw_contrast(out / CONTRAST, brain, threads)

    console = Console()
    console.print(timing_table(timings, shape, threads))
    console.print(
        f"Pictures of all: {out / SHEET}; of contrast, noise and the like: {out / CONTRAST}",
        f"Images and labels: {out / '*.nii.gz'}, {2 + 2 * len(strategies)} files",
        f"What was drawn: {out / '*_record.json'}, {len(strategies)} files",
        sep="\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return timings


def kernel_groups(strategies: list[Strategy]) -> list[list[Compose]]:
    """Pipelines whose kernels are compiled ahead, in groups that share few; a quick one first."""
    changes = [Compose([change.step], seed=SEED) for change in CHANGES]
    affine: list[Compose] = []
    elastic: list[Compose] = []
    for _, pipeline, _ in strategies:
        bends = any(isinstance(step, RandomElastic) for step in pipeline.steps())
        (elastic if bends else affine).append(pipeline)
    return [changes, affine, elastic]


def augmented(strategy: Strategy, brain: Brain, threads: int) -> tuple[Brain, Record]:
    """A brain after a pipeline, in voxels of the same grid, and the record of what was drawn."""
    sample = strategy.pipeline(
        image=brain.image,
        label=brain.labels,
        points=brain.landmarks,
        affine=brain.affine,
        index=INDEX,
        threads=threads,
    )
    made = Brain(sample["image"], sample["label"], sample["points"], brain.affine)
    return made, sample.record


def write_brain(out: Path, stem: str, brain: Brain) -> None:
    """Write the image and the labels as NIfTI files.

    All files have the affine of the original, so that a viewer shows how they differ. (With its own
    affine, a moved brain would lie over the original again.)
    """
    for kind, voxels in (("image", brain.image), ("labels", brain.labels)):
        path = out / f"{stem}_{kind}.nii.gz"
        write_nifti(path, voxels, brain.affine, f"volaug demo: {stem}, {kind}")


def progress_bar() -> Progress:
    """Make a progress bar, which is visible on a terminal only.

    It redraws only when told to: a thread that redraws would slow down what is timed.
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
