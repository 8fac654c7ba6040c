"""Two grids in the world: whether they are one grid, up to the order and direction of axes."""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .bounds import Box
from .bspline import Floats

Shape = tuple[int, int, int]

# Grids are one if no voxel of one is farther than this from its voxel in the other. NIfTI stores
# matrices as float32, which moves the corner of a head by 2e-5 mm; or quaternions as float32, which
# moves it by 3e-4 mm in the median and by less than 4e-3 mm in 95 % of scans that are stored
# left to right and tilted by a few degrees. In mm, and in voxels for grids with very small ones.
TOLERANCE_MM, TOLERANCE_VOXELS = 4e-3, 0.01


class Reorientation(NamedTuple):
    """An order and direction of axes, in which a volume lies in a reference grid.

    Attributes
    ----------
    axes : tuple of three ints
        Axis ``k`` of the reference is axis ``axes[k]`` of the other volume.
    flipped : tuple of three bools
        Whether axis ``k`` of the reference runs against that axis.
    shape : tuple of three ints
        The shape of the reference, without channels.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    shape: Shape

    @property
    def is_identity(self) -> bool:
        """Whether the other volume is in the reference grid as it is."""
        return self.axes == (0, 1, 2) and not any(self.flipped)

    def apply(self, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A view of the other volume, or of a part of it, with the axes of the reference.

        Parameters
        ----------
        volume : array
            Its last three axes are those of the other volume; axes before them stay.
        """
        first = volume.ndim - 3
        turned = volume.transpose(*range(first), *(first + axis for axis in self.axes))
        a, b, c = (slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return turned[..., a, b, c]

    def undo(self, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A view of a volume in the reference grid, or of a part, with the axes of the other one.

        Parameters
        ----------
        volume : array
            Its last three axes are those of the reference; axes before them stay.
        """
        first = volume.ndim - 3
        a, b, c = (slice(None, None, -1 if flip else 1) for flip in self.flipped)
        order = (first + self.axes.index(axis) for axis in range(3))
        return volume[..., a, b, c].transpose(*range(first), *order)

    def box(self, box: Box) -> Box:
        """The box in the other volume that a box in the reference is.

        So ``r.apply(other)[..., *slices(box)]`` has the voxels of
        ``r.apply(other[..., *slices(r.box(box))])``, and only the latter's part must be read.
        """
        found = [(0, 0)] * 3
        for axis, flip, length, (start, stop) in zip(
            self.axes, self.flipped, self.shape, box, strict=True
        ):
            found[axis] = (length - stop, length - start) if flip else (start, stop)
        a, b, c = found
        return a, b, c


def reorientation(
    shape: Shape, affine: Floats, other_shape: Shape, other_affine: Floats
) -> Reorientation:
    """The order and direction of axes that bring another volume into a reference grid.

    Parameters
    ----------
    shape, other_shape : (3,) ints
        Of the reference and of the other volume, without channels.
    affine, other_affine : (4, 4) arrays
        Their matrices from voxels to mm, which must be invertible.

    Returns
    -------
    Reorientation

    Raises
    ------
    ValueError
        If that takes more than a permutation and reversal of axes: the grids are not one. The
        message says by how much they differ, and begins in the middle of a sentence, so that the
        caller can put the names of both volumes before it.

    Examples
    --------
    >>> affine = np.diag((1.0, 1.0, 2.0, 1.0))
    >>> other = np.diag((-1.0, 1.0, 2.0, 1.0))
    >>> other[0, 3] = 39.0
    >>> reorientation((40, 44, 48), affine, (40, 44, 48), other).flipped
    (True, False, False)
    """
    edges = np.asarray(affine, np.float64)[:3, :3]
    other_edges = np.asarray(other_affine, np.float64)[:3, :3]
    cosines = _directions(edges).T @ _directions(other_edges)
    order = max(
        itertools.permutations(range(3)), key=lambda axes: float(abs(cosines[range(3), axes]).sum())
    )
    flips = cosines[range(3), order] < 0.0
    a, b, c = order
    turned_shape = (other_shape[a], other_shape[b], other_shape[c])
    found = Reorientation((a, b, c), (bool(flips[0]), bool(flips[1]), bool(flips[2])), shape)

    # the other volume's matrix from voxels in the new order of axes to mm
    turned = np.array(other_affine, np.float64)
    turned[:3, :3] = other_edges[:, order] * np.where(flips, -1.0, 1.0)
    last = (np.array(turned_shape) - 1) * flips
    turned[:3, 3] += other_edges[:, order] @ last

    ends = np.array(list(itertools.product(*((0, n - 1) for n in shape))), np.float64)
    apart = ends @ (turned[:3, :3] - edges).T + (turned - affine)[:3, 3]
    distance = float(np.linalg.norm(apart, axis=1).max())
    allowed = min(TOLERANCE_MM, TOLERANCE_VOXELS * float(np.linalg.norm(edges, axis=0).min()))
    if turned_shape == tuple(shape) and distance <= allowed:
        return found
    raise ValueError(_difference(shape, affine, turned_shape, turned, allowed, distance))


def _directions(edges: Floats) -> Floats:
    """The columns of a matrix at length one."""
    columns: Floats = edges / np.linalg.norm(edges, axis=0)
    return columns


def _difference(
    shape: Shape,
    affine: Floats,
    other_shape: Shape,
    other_affine: Floats,
    allowed: float,
    distance: float,
) -> str:
    """What is different between two grids whose axes have one order and direction, in words."""
    edges, others = affine[:3, :3], other_affine[:3, :3]
    sizes, other_sizes = np.linalg.norm(edges, axis=0), np.linalg.norm(others, axis=0)
    lengths = np.array(shape) - 1
    parts = []
    if other_shape != tuple(shape):
        parts.append(f"their shapes are {tuple(shape)} and {other_shape}")
    if (abs(sizes - other_sizes) * lengths > allowed).any():
        parts.append(f"their voxels are {_triple(sizes)} and {_triple(other_sizes)} mm")
    across = np.linalg.norm(np.cross(_directions(edges).T, _directions(others).T), axis=1)
    if (across * sizes * lengths > allowed).any():
        angle = math.degrees(math.asin(min(1.0, float(across.max()))))
        parts.append(f"their axes differ in direction by up to {angle:.3g} degrees")
    shift = np.linalg.norm(other_affine[:3] @ _center(other_shape) - affine[:3] @ _center(shape))
    if shift > allowed:
        parts.append(f"their centers are {shift:.3g} mm apart")
    if other_shape == tuple(shape):
        parts.append(f"voxels lie up to {distance:.3g} mm apart")
    return ", ".join(parts)


def _center(shape: Shape) -> Floats:
    return np.array([*((n - 1) / 2 for n in shape), 1.0])


def _triple(sizes: Floats) -> str:
    return "({})".format(", ".join(f"{size:.6g}" for size in sizes))
