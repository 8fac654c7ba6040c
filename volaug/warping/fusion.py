"""Consecutive spatial operations, composed into one warp."""

import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from .geometry.anatomy import closest_axes
from .geometry.blas import matmul
from .geometry.bspline import Floats, refined
from .geometry.folding import max_injective_scale
from .warp import Warp

# What is done about a displacement that may fold, the strictest first.
Folding = Literal["forbid", "warn", "allow"]
FOLDING = get_args(Folding)

# Of the lattice on which the displacements of a warp add up, along each axis.
MAX_SPANS = 64


class Grid(NamedTuple):
    """The voxels of a picture, and how large they are; and how many channels are drawn for.

    That is a number for all images together, or one for each by name.
    """

    shape: tuple[int, int, int]
    to_mm: Floats  # (3, 3) from voxels to mm in a frame of perpendicular axes, upper triangular
    from_mm: Floats  # its inverse
    channels: int | Mapping[str, int] = 1
    affine: Floats | None = None  # (4, 4), if the picture has one

    @property
    def center(self) -> Floats:
        """The place that stretching, shearing and turning leave where it is."""
        return (np.array(self.shape) - 1.0) / 2.0

    @property
    def anatomical_axes(self) -> tuple[int, int, int]:
        """Which axes run from left to right, front to back, and head to foot.

        Without an affine they are 0, 1 and 2, as in arrays that nibabel's `as_closest_canonical`
        gives.
        """
        return (0, 1, 2) if self.affine is None else closest_axes(self.affine)


def grid_of(
    shape: tuple[int, int, int], spacing: tuple[float, float, float] | None, affine: Floats | None
) -> Grid:
    """The grid of a picture whose voxel sizes, or whose matrix from voxels to mm, are known.

    Without either a voxel is the unit of length. An affine's axes need not be perpendicular, as
    after a shear: mm are measured along axis 0, and perpendicular to what came before.
    """
    if affine is None:
        return _spaced_grid(shape, spacing or (1.0, 1.0, 1.0))
    axes = affine[:3, :3]
    to_mm = np.ascontiguousarray(np.linalg.cholesky(axes.T @ axes).T)
    return Grid(shape, to_mm, np.linalg.inv(to_mm), affine=affine)


@functools.lru_cache(64)  # most volumes of a study are alike
def _spaced_grid(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    return Grid(shape, np.diag(spacing), np.diag(1.0 / np.array(spacing)))


class Fusion:
    """What the operations so far make of a picture: where its voxels read the first one.

    The output voxel `o` reads ``matrix @ (o + u(o)) + offset``, where ``u`` is the sum of all
    displacements, which act in the last output grid, whatever came after them.

    A picture of one voxel along an axis is flat: nothing moves out of it along that axis.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.flat = tuple(axis for axis, length in enumerate(grid.shape) if length == 1)
        self.matrix = np.eye(3)
        self.offset = np.zeros(3)
        self._displacements: list[Floats] = []
        self._folding = len(FOLDING) - 1

    def pull(self, matrix: Floats, offset: Floats) -> None:
        """Read the picture so far at ``matrix @ o + offset``."""
        self.offset = self.matrix @ offset + self.offset
        self.matrix = self.matrix @ matrix

    def window(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> None:
        """Go on with a window of the picture, which may reach beyond it."""
        self.pull(np.eye(3), np.array(start, np.float64))
        self.grid = self.grid._replace(shape=shape)

    def displace(self, control_points: Floats, folding: str) -> None:
        """Add a displacement in mm, (3, k0, k1, k2), to the others."""
        in_voxels = matmul(self.grid.from_mm, control_points.reshape(3, -1))
        in_voxels[list(self.flat)] = 0.0
        self._displacements.append(in_voxels.reshape(control_points.shape))
        self._folding = min(self._folding, FOLDING.index(folding))

    def warp(self) -> tuple[Warp, float]:
        """The one warp of them all, and what its displacement was multiplied by not to fold.

        Raises
        ------
        ValueError
            If displacements have no common lattice that is coarse enough.
        """
        shape = self.grid.shape
        if not self._displacements:
            return Warp(shape, self.matrix, self.offset), 1.0
        applied = 1.0
        total = summed(self._displacements)
        folding = FOLDING[self._folding]
        if folding != "allow":
            factor = max_injective_scale(total, shape, np.diag(self.grid.to_mm))
            if factor < 1.0 and folding == "forbid":
                applied, total = factor, factor * total
            elif factor < 1.0:
                _warn_if_folded(Warp(shape, control_points=total))
        return Warp(shape, self.matrix, self.offset, total), applied


def _warn_if_folded(warp: Warp) -> None:
    minimum = warp.min_jacobian_determinant()
    if minimum <= 0.0:
        warnings.warn(
            f"an elastic displacement folds: its minimal Jacobian determinant is {minimum:.3g}",
            stacklevel=3,
        )


def common_spans(lattices: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The knot spans of the coarsest lattice that has the knots of all of some lattices."""
    return tuple(math.lcm(*(k - 3 for k in along)) for along in zip(*lattices, strict=True))


def summed(displacements: list[Floats]) -> Floats:
    """The sum of displacements, on the coarsest lattice that has the knots of all of them."""
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
