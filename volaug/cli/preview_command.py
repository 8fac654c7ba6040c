"""The options of `volaug preview`."""

from pathlib import Path
from typing import Annotated

import typer

from .failure import fail

PREVIEW_NEEDS = ("matplotlib", "contourpy", "PIL")
MAX_DRAWS = 64


def preview(
    image: Annotated[Path, typer.Argument(help="Image: NIfTI, NRRD, MetaImage, .npy, ...")],
    pipeline: Annotated[
        str,
        typer.Option("--pipeline", "-p", help="A .toml or .json file, or the name of a preset."),
    ],
    label: Annotated[
        Path | None, typer.Option(help="Label map of the image, whose outlines are drawn.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Picture to write: a .png file.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Page to write: one .html file, with sliders and all data inside."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, max=MAX_DRAWS, help="How many draws are shown.")] = 3,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of the draws. Default: the pipeline's, or 0."),
    ] = None,
) -> None:
    """Show what a pipeline does to an image: the original and some draws, each in words.

    Three slices go through the middle of the label, or of the image, and follow that place.

    Example: volaug preview brain.nii.gz --label tissues.nii.gz -p strong_mri -o sheet.png
    """
    if out is None and html is None:
        fail("preview: give -o sheet.png for a picture, or --html page.html for a page", 2)
    for path, suffix in ((out, ".png"), (html, ".html")):
        if path is not None and path.suffix.lower() != suffix:
            fail(f"preview: {path} must end in {suffix}", 2)
        if path is not None and not path.absolute().parent.is_dir():
            fail(f"preview: cannot write {path}: there is no folder {path.parent}", 2)
    from ..pipeline.reading import read_pipeline

    try:
        read = read_pipeline(pipeline)
    except (TypeError, ValueError) as error:
        fail(f"preview: {error}", 2)
    try:
        from .preview.preview import run_preview

        run_preview(image, label, read, f"{pipeline}", out, html, draws, seed)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PREVIEW_NEEDS:
            raise
        fail(f'preview needs {error.name}, which is not installed: pip install "volaug[plot]"')
    except (OSError, TypeError, ValueError, MemoryError) as error:
        fail(f"preview: {' '.join(str(error).split()) or type(error).__name__}")
