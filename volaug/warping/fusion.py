"""Consecutive spatial operations, composed into one warp."""

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from .geometry.anatomy import closest_axes
from .geometry.blas import matmul
from .geometry.bspline import MAX_SPANS, Floats, refined
from .geometry.folding import max_injective_scale
from .geometry.point_map import PointMap, with_maps
from .warp import Warp

# What to do if a displacement may fold, strictest first.
Folding = Literal["forbid", "warn", "allow"]
FOLDING = get_args(Folding)


class Grid(NamedTuple):
    """The voxels of an image and their size, and the number of channels to draw for.

    `channels` is a number for all images together, or a number for each by name.
    """

    shape: tuple[int, int, int]
    to_mm: Floats  # (3, 3) from voxels to mm in a frame of perpendicular axes, upper triangular
    from_mm: Floats  # its inverse
    channels: int | Mapping[str, int] = 1
    affine: Floats | None = None  # (4, 4), if the image has one

    @property
    def center(self) -> Floats:
        """The fixed point of scaling, shear and rotation."""
        return (np.array(self.shape) - 1.0) / 2.0

    @property
    def anatomical_axes(self) -> tuple[int, int, int]:
        """The axes that run left-right, anterior-posterior and superior-inferior.

        Without an affine they are 0, 1 and 2, as in arrays from nibabel's `as_closest_canonical`.
        """
        return (0, 1, 2) if self.affine is None else closest_axes(self.affine)

    def cropped(self, start: Sequence[int], shape: tuple[int, int, int]) -> "Grid":
        """Return the grid of a window, which begins at a voxel."""
        affine = self.affine
        if affine is not None:
            affine = affine.copy()
            affine[:3, 3] += affine[:3, :3] @ np.array(start)
            affine.flags.writeable = False
        return self._replace(shape=shape, affine=affine)


def grid_of(
    shape: tuple[int, int, int], spacing: tuple[float, float, float] | None, affine: Floats | None
) -> Grid:
    """Return the grid of an image, from its voxel sizes or its matrix from voxels to mm.

    Without either, a voxel is the unit of length. The axes of an affine need not be perpendicular,
    as after a shear: mm are measured along axis 0, and perpendicular to the axes before.
    """
    if affine is None:
        return _spaced_grid(shape, spacing or (1.0, 1.0, 1.0))
    axes = affine[:3, :3]
    to_mm = np.ascontiguousarray(np.linalg.cholesky(axes.T @ axes).T)
    return _read_only(Grid(shape, to_mm, np.linalg.inv(to_mm), affine=affine.copy()))


@functools.lru_cache(64)  # most volumes of a study are alike
def _spaced_grid(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    return _read_only(Grid(shape, np.diag(spacing).copy(), np.diag(1.0 / np.array(spacing)).copy()))


def _read_only(grid: Grid) -> Grid:
    """Return the grid, which steps of users see, and which is kept."""
    for array in (grid.to_mm, grid.from_mm, grid.affine):
        if array is not None:
            array.flags.writeable = False
    return grid


class Fusion:
    """The composition of the operations so far: where the voxels of the output read the input.

    The output voxel `o` reads ``matrix @ (o + u(o)) + offset``, where ``u`` is the sum of all
    displacements. They act in the last output grid, whatever came after them.

    An image of one voxel along an axis is flat: nothing moves out of it along that axis.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.flat = tuple(axis for axis, length in enumerate(grid.shape) if length == 1)
        self.matrix = np.eye(3)
        self.offset = np.zeros(3)
        self._displacements: list[Floats] = []
        self._maps: list[PointMap] = []
        self._folding = len(FOLDING) - 1

    def pull(self, matrix: Floats, offset: Floats) -> None:
        """Read the image so far at ``matrix @ o + offset``."""
        self.offset = self.matrix @ offset + self.offset
        self.matrix = self.matrix @ matrix
        self._maps = [earlier.then(matrix, offset) for earlier in self._maps]

    def move(self, forward: Floats, translation: Floats) -> None:
        """Move the image by a (3, 3) matrix about its center, and a translation, both in mm."""
        if self.flat:
            forward, translation = forward.copy(), translation.copy()
            flat = list(self.flat)
            forward[flat], forward[:, flat], translation[flat] = 0.0, 0.0, 0.0
            forward[flat, flat] = 1.0
        grid = self.grid
        matrix = grid.from_mm @ np.linalg.inv(forward) @ grid.to_mm
        moved = grid.center + grid.from_mm @ translation
        self.pull(matrix, grid.center - matrix @ moved)

    def window(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> None:
        """Crop to a window of the image, which may extend beyond it."""
        self.pull(np.eye(3), np.array(start, np.float64))
        self.grid = self.grid.cropped(start, shape)

    def displace(self, control_points: Floats, folding: str) -> None:
        """Add a displacement in mm, (3, k0, k1, k2), to the others."""
        in_voxels = matmul(self.grid.from_mm, control_points.reshape(3, -1))
        in_voxels[list(self.flat)] = 0.0
        self._displacements.append(in_voxels.reshape(control_points.shape))
        self._folding = min(self._folding, FOLDING.index(folding))

    def deform(self, to_input: Callable[[Floats], Floats], step: str) -> None:
        """Read the image so far at a map of points (N, 3); `step` names it in errors."""
        self._maps.append(PointMap(to_input, step, np.eye(3), np.zeros(3)))

    def warp(self) -> tuple[Warp, float]:
        """Return the warp of all operations, and the factor that its displacement was shrunk by.

        Raises
        ------
        ValueError
            If the displacements have no common lattice that is coarse enough.
        """
        total, applied = self._displaced() if self._displacements else (None, 1.0)
        if self._maps:
            total = with_maps(self._maps, total, self.grid.shape, self.flat)
            if max_injective_scale(total, self.grid.shape, np.diag(self.grid.to_mm)) < 1.0:
                _warn_if_folded(Warp(self.grid.shape, control_points=total))
        return Warp(self.grid.shape, self.matrix, self.offset, total), applied

    def _displaced(self) -> tuple[Floats, float]:
        """Return the sum of the displacements, and the factor that it was shrunk by."""
        applied, shape = 1.0, self.grid.shape
        total = summed(self._displacements)
        folding = FOLDING[self._folding]
        if folding != "allow":
            factor = max_injective_scale(total, shape, np.diag(self.grid.to_mm))
            if factor < 1.0 and folding == "forbid":
                applied, total = factor, factor * total
            elif factor < 1.0:
                _warn_if_folded(Warp(shape, control_points=total))
        return total, applied


def _warn_if_folded(warp: Warp) -> None:
    minimum = warp.min_jacobian_determinant()
    if minimum <= 0.0:
        warnings.warn(
            f"an elastic displacement folds: its minimal Jacobian determinant is {minimum:.3g}",
            stacklevel=3,
        )


def common_spans(lattices: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the knot spans of the coarsest lattice that has the knots of all lattices."""
    return tuple(math.lcm(*(k - 3 for k in along)) for along in zip(*lattices, strict=True))


def summed(displacements: list[Floats]) -> Floats:
    """Return the sum of displacements, on the coarsest lattice that has the knots of all."""
    lattices = [d.shape[1:] for d in displacements]
    spans = common_spans(lattices)
    if max(spans) > MAX_SPANS:
        raise ValueError(
            "the control points of the elastic steps of one warp must have a common lattice of at "
            f"most {MAX_SPANS + 3} along each axis, got {', '.join(map(str, lattices))}: choose "
            "such that their numbers, less 3, divide one another"
        )
    total, *others = (refined(displacement, spans) for displacement in displacements)
    return sum(others, total)
