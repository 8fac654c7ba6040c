"""The six warps of the demo: fixed numbers, so that everyone sees the same pictures.

Numbers are forward, as a user thinks of them: what happens to the picture, in mm along the
axes right, anterior and superior, about the centre of the grid. A `volaug.Warp` wants the way
back, from output voxels to input voxels, hence the inverse.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ... import Warp

Floats = npt.NDArray[np.float64]
Shape = tuple[int, int, int]

# In mm. A lattice cannot fold while its control points move less than 0.4033 knot spacings (Choi
# and Lee, "Injectivity conditions of 2D and 3D uniform cubic B-spline functions", 2000).
KNOT_SPACING = 30.0
AMPLITUDE = 11.0


class NamedWarp(NamedTuple):
    """A warp, the stem of its files' names, and what it does in words and units."""

    stem: str
    title: str
    words: str
    warp: Warp


def no_warp(shape: Shape) -> NamedWarp:
    """What the others are compared with."""
    return NamedWarp("original", "Original", "as it is in MNI space", Warp(shape))


def demo_warps(shape: Shape) -> list[NamedWarp]:
    """Six warps of a grid of 1 mm voxels whose axes run right, anterior and superior."""
    lattice = random_lattice(shape, seed=2)
    other_lattice = random_lattice(shape, seed=4)
    return [
        NamedWarp(
            "translation",
            "Translation",
            "12.4 mm to the right,\n9.7 mm to the back,\n7.3 mm up",
            affine_warp(shape, shift=(12.4, -9.7, 7.3)),
        ),
        NamedWarp(
            "rotation",
            "Rotation",
            "+15° about the axis from\nback to front: the crown\ntilts to the right",
            affine_warp(shape, rotation(axis=1, degrees=15.0)),
        ),
        NamedWarp(
            "stretch",
            "Stretch",
            "× 1.15 from left to right,\n× 0.85 from back to front,\n× 0.95 upwards",
            affine_warp(shape, np.diag([1.15, 0.85, 0.95])),
        ),
        NamedWarp(
            "shear",
            "Shear",
            "0.25 mm forwards for\neach mm upwards",
            affine_warp(shape, np.array([[1.0, 0, 0], [0, 1, 0.25], [0, 0, 1]])),
        ),
        NamedWarp(
            "elastic",
            "Elastic",
            "B-spline, knots 30 mm apart,\ncontrol points moved at\nrandom by up to 11 mm",
            Warp(shape, control_points=lattice),
        ),
        NamedWarp(
            "elastic-affine",
            "Elastic + affine",
            "another such B-spline,\n× 1.05 in all directions,\n−10° about the axis from\n"
            "left to right: the face sinks,\n5.5 mm up",
            affine_warp(
                shape, 1.05 * rotation(axis=0, degrees=-10.0), (0.0, 0.0, 5.5), other_lattice
            ),
        ),
    ]


def affine_warp(
    shape: Shape,
    forward: npt.ArrayLike = ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    shift: npt.ArrayLike = (0.0, 0.0, 0.0),
    control_points: Floats | None = None,
) -> Warp:
    """Warp by a forward matrix about the centre of the grid, and then a shift, in voxels."""
    centre = (np.array(shape) - 1) / 2
    back = np.linalg.inv(np.asarray(forward, np.float64))
    return Warp(
        shape, back, centre - back @ (centre + np.asarray(shift, np.float64)), control_points
    )


def rotation(axis: int, degrees: float) -> Floats:
    """Right-handed about an axis: with the thumb along it, the fingers point the way."""
    turned, towards = (axis + 1) % 3, (axis + 2) % 3
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.eye(3)
    matrix[[turned, towards], [turned, towards]] = cosine
    matrix[towards, turned] = sine
    matrix[turned, towards] = -sine
    return matrix


def random_lattice(shape: Shape, seed: int) -> Floats:
    """Control points (3, k0, k1, k2) that keep the grid's rim in place and do not fold."""
    spans = [max(1, round((n - 1) / KNOT_SPACING)) for n in shape]
    points = np.zeros((3, *(s + 3 for s in spans)))
    # of the points that act on the rim, those outside of it and on it stay where they are
    inner = points[:, 2:-2, 2:-2, 2:-2]
    inner[:] = np.random.default_rng(seed).uniform(-AMPLITUDE, AMPLITUDE, inner.shape)
    return points
