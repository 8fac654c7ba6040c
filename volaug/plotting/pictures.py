"""The slices of a sample, and what is drawn over them."""

from typing import NamedTuple

import numpy as np

from ..warping.geometry.bspline import Floats
from .contents import Contents
from .outlines import Line, outlines
from .views import Plane, View, views_of

DARKEST, BRIGHTEST = 0.5, 99.5  # percentiles
NEAR = 0.02  # of the longest side
RIGHTWARDS, UPWARDS = "\N{RIGHTWARDS ARROW}", "\N{UPWARDS ARROW}"


class Picture(NamedTuple):
    """A slice, what is drawn over it, and its width and height in mm."""

    view: View
    place: str
    plane: Plane
    lines: dict[int, list[Line]]
    landmarks: tuple[Floats, Floats]  # columns and rows
    width: float
    height: float

    @property
    def title(self) -> str:
        """Its view and its place, in one line."""
        return f"{self.view.name}, {self.place}" if self.view.left else self.place


def pictures_of(contents: Contents) -> list[Picture]:
    """Return the slices that are wider than a voxel, or all if none is."""
    shape, spacing, at = contents.volume.shape, contents.spacing, contents.at
    views = views_of(contents.affine)
    return [
        Picture(
            view,
            place_of(view, at[view.axis]),
            as_floats(view.plane(contents.volume, at[view.axis])),
            lines_of(view, contents),
            near_points(view, contents),
            shape[view.columns] * spacing[view.columns],
            shape[view.rows] * spacing[view.rows],
        )
        for view in [v for v in views if min(shape[v.columns], shape[v.rows]) > 1] or views
    ]


def place_of(view: View, index: int) -> str:
    """Say where a slice is; and, if there are no letters, which axes it shows."""
    if view.left:
        return f"axis {view.axis}, voxel {index}"
    return f"voxel {index}, axis {view.columns} {RIGHTWARDS}, axis {view.rows} {UPWARDS}"


def as_floats(plane: Plane) -> Floats:
    """Return numbers that are finite, or NaN."""
    floats: Floats = plane.astype(np.float64)
    floats[~np.isfinite(floats)] = np.nan
    return floats


def lines_of(view: View, contents: Contents) -> dict[int, list[Line]]:
    """Return the outlines of the label, in voxels of the image; its own can be larger."""
    if contents.label is None:
        return {}
    label, shape = contents.label, contents.volume.shape
    channels = label if label.ndim == 4 else label[np.newaxis]
    sizes = [n / m for n, m in zip(shape, channels.shape[1:], strict=True)]
    index = int((contents.at[view.axis] + 0.5) / sizes[view.axis])
    planes = np.stack([view.plane(each, index) for each in channels])
    size = np.array([sizes[view.columns], sizes[view.rows]])
    return {
        value: [(line + 0.5) * size - 0.5 for line in lines]
        for value, lines in outlines(planes).items()
    }


def near_points(view: View, contents: Contents) -> tuple[Floats, Floats]:
    """Return the columns and rows of the points that are near a slice and within it."""
    shape, spacing, points = contents.volume.shape, contents.spacing, contents.points
    longest = max(n * size for n, size in zip(shape, spacing, strict=True))
    distance = np.abs(points[:, view.axis] - contents.at[view.axis]) * spacing[view.axis]
    near = distance <= max(0.5 * spacing[view.axis], NEAR * longest)
    inside = ((points >= -0.5) & (points <= np.array(shape) - 0.5)).all(axis=1)
    return view.project(points[near & inside], shape)


def window_of(pictures: list[Picture]) -> tuple[float, float]:
    """Return what is black and what is white."""
    values = np.concatenate([p.plane[np.isfinite(p.plane)] for p in pictures])
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (DARKEST, BRIGHTEST)).tolist()
    if low == high:
        low, high = float(values.min()), float(values.max())
    if low == high:  # a constant: from 0 to it, or black
        low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if low < high else (0.0, 1.0)
