"""Boxes through a map: the smallest boxes around their images."""

from collections.abc import Callable

import numpy as np

from .bspline import Floats

# Spacing of the points on a face, in knot spacings, and the maximum number of steps on an edge. The
# error between them is less than 0.2 voxel if a displacement does not fold. (64 steps missed 0.8
# voxel of a face of 64 spans.)
SHARE = 1 / 8
MAX_STEPS = 128


def moved_boxes(boxes: Floats, move: Callable[[Floats], Floats], knots: Floats | None) -> Floats:
    """Return boxes (N, 2, 3) around the images of boxes under `move`, which takes (M, 3) points.

    Parameters
    ----------
    boxes : (N, 2, 3) array
        Minimum and maximum corners.
    move : callable
        Continuous and invertible, so that it maps surfaces to surfaces.
    knots : (3,) array or None
        The distance along each axis over which `move` is smooth. None for an affine map, for which
        the corners suffice.
    """
    if len(boxes) == 0:
        return boxes.copy()
    steps = np.ones(3, int)
    if knots is not None:
        longest = (boxes[:, 1] - boxes[:, 0]).max(axis=0)
        steps = np.clip(np.ceil(longest / (SHARE * knots)), 1, MAX_STEPS).astype(int)
    axes = [np.linspace(0.0, 1.0, step + 1) for step in steps]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    surface = places[((places == 0.0) | (places == 1.0)).any(axis=1)]
    low, high = boxes[:, :1], boxes[:, 1:]
    points = move((low + (high - low) * surface).reshape(-1, 3)).reshape(len(boxes), -1, 3)
    return np.stack([points.min(axis=1), points.max(axis=1)], axis=1)
