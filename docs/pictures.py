"""What the executed pages draw: pictures before and after, and a step at growing strengths."""

import base64
import html
import io
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from IPython.display import HTML
from nilearn import datasets
from PIL import Image

import volaug
from volaug.plotting.canvas import NotebookFigure
from volaug.plotting.views import views_of

SQUARE = 20  # mm, a side of the chessboard's squares
WINDOW = 0.0, 1.0  # black and white of the strengths
PIXELS = 1.4  # of a strength's picture, per mm
LEGEND = 70  # pixels at the bottom of a figure without words, the colors of the label
VIEWS = {"sagittal": 0, "coronal": 1, "axial": 2}


def brain() -> dict[str, Any]:
    """Return the MNI152 T1 average at 1 mm, its white matter, and its affine."""
    t1 = datasets.load_mni152_template(resolution=1)
    white = datasets.load_mni152_wm_template(resolution=1).get_fdata(dtype="float32")
    image = t1.get_fdata(dtype="float32")
    return {"image": image, "label": (white > 0.5).astype(np.uint8), "affine": t1.affine}


def chessboard(shape: tuple[int, ...]) -> np.ndarray:
    """Return a label of cubes, whose outlines are straight lines before a warp."""
    grids = np.indices(shape, dtype=np.int16, sparse=True)
    return (sum(grid // SQUARE for grid in grids) % 2 + 1).astype(np.uint8)


def picture_of(shown: dict[str, Any], cut: int = 0) -> np.ndarray:
    """Return what `volaug.plot` draws, as pixels, without some rows at the bottom."""
    figure = volaug.plot(shown)
    figure.canvas.draw()
    pixels = np.array(figure.canvas.buffer_rgba())[..., :3]
    return pixels[: len(pixels) - cut]


def one_above_another(pictures: list[np.ndarray]) -> NotebookFigure:
    """Return a figure of pictures, one above another."""
    width = max(picture.shape[1] for picture in pictures)
    rows = [np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0))) for p in pictures]
    together = np.concatenate(rows)
    figure = NotebookFigure((width / 100, len(together) / 100), dpi=100)
    figure.figimage(together)
    return figure


def strengths(
    before: dict[str, Any],
    steps: Iterable[tuple[str, str, Any]],
    *,
    view: str = "axial",
    index: int = 2916,
) -> HTML:
    """Draw one slice for each (words, verdict, step), all from one key, with what was measured."""
    figures = []
    for words, verdict, step in steps:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*displacements would fold")
            sample = volaug.Compose([step], seed=0, swap=set())(**before, index=index)
        picture = slice_of(sample["image"], before["affine"], view)
        measured = "<br>".join(measure(before, sample))
        alternative = html.escape(f"{type(step).__name__}, {words}: {verdict}")
        figures.append(
            f'<figure><img src="{data_uri(picture)}" alt="{alternative}">'
            f"<figcaption><strong>{html.escape(words)}</strong> "
            f'<span class="verdict verdict-{verdict.replace(" ", "-")}">{verdict}</span>'
            f"<br>{measured}</figcaption></figure>"
        )
    return HTML(f'<div class="strengths">{"".join(figures)}</div>')


def slice_of(image: np.ndarray, affine: np.ndarray, view: str) -> np.ndarray:
    """Return the middle slice, rows from the top, as bytes."""
    shown = views_of(affine)[VIEWS[view]]
    plane = shown.plane(image, image.shape[shown.axis] // 2)[::-1]
    low, high = WINDOW
    return (np.clip((plane - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)


def data_uri(picture: np.ndarray) -> str:
    """Return a picture as a JPEG within the page."""
    height, width = picture.shape
    size = round(width * PIXELS), round(height * PIXELS)
    written = io.BytesIO()
    Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC).save(
        written, "JPEG", quality=82
    )
    return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode()


def measure(before: dict[str, Any], sample: volaug.Sample) -> list[str]:
    """Say how far the brain moved, what folds, or how much its values changed."""
    brain_voxels = before["image"] > 0.05
    record = sample.record
    voxels = np.argwhere(brain_voxels)[:: brain_voxels.sum() // 2000].astype(np.float64)
    moved = np.linalg.norm(record.warp.points_to_input(voxels) - voxels, axis=1)
    if moved.max() > 1e-6:
        mean = float(moved.mean())
        lines = [f"moves {mean:.{2 if mean < 1 else 1 if mean < 10 else 0}f} mm"]
        if record.warp.control_points is not None:
            smallest = record.warp.min_jacobian_determinant()
            volume = f"volume {smallest:.2f}".replace("-", "\N{MINUS SIGN}")
            lines.append(volume + (": folds" if smallest <= 0 else ""))
        return lines
    change = (sample["image"] - before["image"])[brain_voxels]
    spread = before["image"][brain_voxels].std()
    return [f"changes {np.sqrt(np.mean(change**2)) / spread:.2g} std"]
