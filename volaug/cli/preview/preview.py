"""Draw a pipeline for one image some times, and write what it looks like."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from ...data.cases import Case
from ...data.files.atomic import replacing, write_text
from ...pipeline.compose import Compose
from ...pipeline.record import Sample
from ...plotting.contents import Contents, Voxel, contents_of
from ..warning_lines import NOT_FOR_USERS


def run_preview(
    image: Path,
    label: Path | None,
    pipeline: Compose,
    pipeline_name: str,
    out: Path | None,
    html: Path | None,
    draws: int,
    seed: int | None,
) -> None:
    """Read an image, draw some times, write a picture or a page, and say what was written.

    Raises
    ------
    ModuleNotFoundError
        If what draws is not installed.
    OSError, TypeError, ValueError
        If a file cannot be read or written, or the pipeline does not suit the image.
    """
    # what is missing is said before a large image is read
    from ...plotting.page import page_of
    from ...plotting.sample_rows import draw_rows

    if seed is not None or pipeline.seed is None:
        pipeline = replace(pipeline, seed=seed or 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for category in NOT_FOR_USERS:
            warnings.simplefilter("ignore", category)
        contents = contents_of_draws(image, label, pipeline, draws)
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        typer.echo(f"volaug: preview: note: {text}", err=True)
    title = f"{image.name}: {draws} draws of {pipeline_name}, seed {pipeline.seed}"
    if out is not None:
        with naming_the_target(out), replacing(out) as partial:
            draw_rows(contents, title).savefig(partial, format="png")
        typer.echo(f"Wrote {out}, {draws} draws.")
    if html is not None:
        text = page_of(contents, title)
        with naming_the_target(html):
            write_text(html, text)
        typer.echo(f"Wrote {html}, {len(text) / 1e6:.1f} MB. Open it in a browser.")


@contextmanager
def naming_the_target(path: Path) -> Iterator[None]:
    """Name the file that cannot be written, not the one that would have been renamed to it."""
    try:
        yield
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error


def contents_of_draws(
    image: Path, label: Path | None, pipeline: Compose, draws: int
) -> list[Contents]:
    """Return what is shown of the original and of each draw."""
    paths = {"image": image} | ({} if label is None else {"label": label})
    case = Case(paths, pipeline.table).open()
    volumes: dict[str, Any] = {
        name: np.asarray(volume[...]) for name, volume in case.volumes.items()
    }
    place: dict[str, Any] = {"affine": case.affine} if case.affine is not None else {}
    at = middle_of(volumes.get("label"), case.shape)
    shown = [contents_of({**volumes, **place}, "image", 0, at, None)]
    for index in range(draws):
        sample = pipeline(**volumes, **place, index=index)
        shown.append(contents_of(sample, "image", 0, moved(at, sample), None))
    return shown


def middle_of(label: Any, shape: tuple[int, ...]) -> Voxel:
    """Return the voxel of a label that is nearest to its center of mass, or else the middle."""
    if label is not None:
        voxels = np.argwhere(label.reshape(-1, *shape).any(axis=0))
        if len(voxels):
            distances = ((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1)
            i, j, k = voxels[int(distances.argmin())].tolist()
            return i, j, k
    i, j, k = (length // 2 for length in shape)
    return i, j, k


def moved(at: Voxel, sample: Sample) -> Voxel:
    """Return where a voxel lies in a draw, or the voxel of it that is nearest to there."""
    points = np.array([at], float)
    for warp in sample.record.warps:
        points = warp.points_to_output(points)
    last = np.array(sample.record.output_shape) - 1
    place = np.where(np.isfinite(points[0]), points[0], last / 2)
    i, j, k = np.clip(np.rint(place), 0, last).astype(int).tolist()
    return i, j, k
