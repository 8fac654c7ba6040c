"""Slices of a volume, turned as a radiologist looks at them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..warping.geometry.anatomy import directed_axes
from ..warping.geometry.bspline import Floats

Plane = npt.NDArray[Any]


class View(NamedTuple):
    """A direction to look in, and which way a slice is turned.

    Parameters
    ----------
    name : str
        "Sagittal", "Coronal" or "Axial"; or "Axis 0" where the directions are not known.
    axis : int
        Axis of the volume that the slice is across.
    columns, rows : int
        Axes of the volume along the columns of a picture, to the right, and along its rows, up.
    reverses_columns, reverses_rows : bool
        Whether indices increase to the left, or down.
    left, right, bottom, top : str
        Letters at the edges of the picture: R, L, A, P, S and I; or none.
    """

    name: str
    axis: int
    columns: int
    rows: int
    reverses_columns: bool = False
    reverses_rows: bool = False
    left: str = ""
    right: str = ""
    bottom: str = ""
    top: str = ""

    def plane(self, volume: npt.NDArray[Any], index: int) -> Plane:
        """Return the slice at an index along the view's axis; rows run upwards."""
        plane: Plane = np.take(volume, index, self.axis)
        if self.columns < self.rows:
            plane = plane.T
        if self.reverses_rows:
            plane = plane[::-1]
        return plane[:, ::-1] if self.reverses_columns else plane

    def project(self, points: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Return the columns and the rows of points (..., 3) in a slice."""
        columns, rows = points[..., self.columns], points[..., self.rows]
        return (
            shape[self.columns] - 1 - columns if self.reverses_columns else columns,
            shape[self.rows] - 1 - rows if self.reverses_rows else rows,
        )


def views_of(affine: Floats | None) -> tuple[View, View, View]:
    """Return the three views of a volume with this affine.

    With an affine, they are sagittal, coronal and axial, and the patient's right and front lie on
    the left of the picture, the head and (of an axial slice) the front at its top: the radiological
    convention. Without one, they are across axes 0, 1 and 2, and indices increase to the right and
    up.
    """
    if affine is None:
        return View("Axis 0", 0, 1, 2), View("Axis 1", 1, 0, 2), View("Axis 2", 2, 0, 1)
    (lr, ap, si), (to_right, to_front, to_head) = directed_axes(affine)
    rightwards, forwards, upwards = to_right > 0, to_front > 0, to_head > 0
    return (
        View("Sagittal", lr, ap, si, forwards, not upwards, "A", "P", "I", "S"),
        View("Coronal", ap, lr, si, rightwards, not upwards, "R", "L", "I", "S"),
        View("Axial", si, lr, ap, rightwards, not forwards, "R", "L", "P", "A"),
    )
