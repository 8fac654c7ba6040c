"""The slices of a brain that the demo shows."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ... import Warp
from ...plotting.views import Plane, View, views_of
from .brain import Brain

Floats = npt.NDArray[np.float64]


# The template's axes run to the right, to the front and to the head.
VIEWS = views_of(np.eye(4))


class Slice(NamedTuple):
    """What one picture shows."""

    view: View
    place: float  # along the view's axis, in mm
    image: Plane
    labels: Plane
    origins: list[Plane]  # for each of the two axes: the voxel that was there before
    landmark: tuple[Floats, Floats]  # its column and its row


def slices_of(brain: Brain, warp: Warp) -> list[Slice]:
    """For each view, the slice of a warped brain that is nearest to the landmark of the view."""
    return [slice_of(brain, warp, *pair) for pair in zip(VIEWS, brain.landmarks, strict=True)]


def slice_of(brain: Brain, warp: Warp, view: View, landmark: Floats) -> Slice:
    """The slice nearest to a landmark."""
    index = round(float(landmark[view.axis]))
    origins = origins_of_slice(warp, view.axis, index)
    return Slice(
        view,
        brain.affine[view.axis, view.axis] * index + brain.affine[view.axis, 3],
        view.plane(brain.image, index),
        view.plane(brain.labels, index),
        [view.plane(origins[axis], 0) for axis in (view.columns, view.rows)],
        view.project(landmark, brain.image.shape),
    )


def origins_of_slice(warp: Warp, axis: int, index: int) -> Floats:
    """The input voxels (3, ...) that a warp reads for a slice of its output."""
    shape = [1 if a == axis else n for a, n in enumerate(warp.shape)]
    places = np.indices(shape, np.float64)
    places[axis] = index
    origins: Floats = warp.points_to_input(places.reshape(3, -1).T).T.reshape(places.shape)
    return origins
