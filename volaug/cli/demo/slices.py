"""Three orthogonal slices of a volume, turned as a radiologist looks at them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ... import Warp

Plane = npt.NDArray[Any]


class View(NamedTuple):
    """A direction to look in; marks at the left and the right of the picture."""

    name: str
    axis: int
    left: str
    right: str


# Along the patient's left to right (0), back to front (1), bottom to top (2). The first axis
# that is left in a slice is drawn from right to left: the patient's right and the face lie on
# the left of the picture.
VIEWS = (
    View("Sagittal", 0, "A", "P"),
    View("Coronal", 1, "R", "L"),
    View("Axial", 2, "R", "L"),
)


def slices(volume: npt.NDArray[Any], voxel: tuple[int, int, int]) -> list[Plane]:
    """Slices of (..., n0, n1, n2) through a voxel, for `VIEWS`; rows run upwards."""
    planes = [np.take(volume, voxel[view.axis], axis=view.axis - 3) for view in VIEWS]
    return [np.swapaxes(plane, -2, -1)[..., ::-1].copy() for plane in planes]


def origin_slices(
    warp: Warp, shape: tuple[int, int, int], voxel: tuple[int, int, int]
) -> list[Plane]:
    """Slices of the in-plane input coordinates (2, rows, columns) that a warp reads.

    They come from the engine itself: a linear ramp stays exact under linear interpolation. NaN
    where the warp reads outside of the input.
    """
    ramps = warp.apply(np.indices(shape, dtype=np.float32), cval=np.nan)
    planes = slices(ramps, voxel)
    return [np.delete(plane, view.axis, axis=0) for view, plane in zip(VIEWS, planes, strict=True)]
