"""Slices of a volume, turned as radiologists look at them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ... import Warp
from .brain import Brain

Plane = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class View(NamedTuple):
    """A direction to look in, and the marks at the left and the right of the picture."""

    name: str
    axis: int
    left: str
    right: str

    def plane(self, volume: npt.NDArray[Any], index: int) -> Plane:
        """The slice at an index along the view's axis; rows run upwards."""
        plane: Plane = np.take(volume, index, self.axis).T[:, ::-1]
        return plane


# The axes run from the patient's left to right (0), back to front (1) and bottom to top (2). The
# first of the two axes of a slice is drawn from right to left: the patient's right, or the face, is
# on the left of the picture.
VIEWS = (
    View("Sagittal", 0, "A", "P"),
    View("Coronal", 1, "R", "L"),
    View("Axial", 2, "R", "L"),
)


class Slice(NamedTuple):
    """What one picture shows."""

    view: View
    place: float  # along the view's axis, in mm
    image: Plane
    labels: Plane
    origins: list[Plane]  # for each of the two axes: the voxel that was there before
    landmark: tuple[float, float]  # its column and its row


def slices_of(brain: Brain, warp: Warp) -> list[Slice]:
    """For each view, the slice of a warped brain that is nearest to the landmark of the view."""
    return [slice_of(brain, warp, *pair) for pair in zip(VIEWS, brain.landmarks, strict=True)]


def slice_of(brain: Brain, warp: Warp, view: View, landmark: Floats) -> Slice:
    """The slice nearest to a landmark."""
    index = round(float(landmark[view.axis]))
    across, up = (axis for axis in range(3) if axis != view.axis)
    origins = origins_of_slice(warp, view.axis, index)
    return Slice(
        view,
        brain.affine[view.axis, view.axis] * index + brain.affine[view.axis, 3],
        view.plane(brain.image, index),
        view.plane(brain.labels, index),
        [view.plane(origins[axis], 0) for axis in (across, up)],
        (brain.image.shape[across] - 1 - landmark[across], landmark[up]),
    )


def origins_of_slice(warp: Warp, axis: int, index: int) -> Floats:
    """The input voxels (3, ...) that a warp reads for a slice of its output."""
    shape = [1 if a == axis else n for a, n in enumerate(warp.shape)]
    places = np.indices(shape, np.float64)
    places[axis] = index
    origins: Floats = warp.points_to_input(places.reshape(3, -1).T).T.reshape(places.shape)
    return origins
