"""Cube symmetry: permute and reverse the axes of the image."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..checks import check_flag
from ..keys import RandomStream
from ..serialization import normalize
from ..warping.fusion import Fusion, Grid
from .base import SelectiveStep
from .operation import SpatialOperation
from .ranges import Shape, as_axes

# Voxel sizes that differ by less than this share are one.
SAME_SIZE = 1e-3


@dataclass(frozen=True, repr=False)
class RandomCubeSymmetry(SelectiveStep):
    """Permute and reverse the axes of the image: one of the 48 symmetries of a cube.

    Each symmetry that keeps the shape and the voxel size is equally likely. For a cube of isotropic
    voxels these are all 48, or the 24 rotations by quarter turns; if the axes differ in length or
    in voxel size, these are not exchanged.

    Parameters
    ----------
    reflections : bool, default True
        Whether mirror images are drawn as well as rotations.
    p : float, default 1.0
        Probability of applying the step, 0 to 1.
    name : str, optional
        Name of the step in records; its random numbers derive from it. Default: the class name.
    include, exclude : list of str, optional
        Names of the targets to apply the step to, or not to. Default: all.
    channels : int or list of ints, optional
        Channels of these targets to apply the step to. Default: all.

    Raises
    ------
    TypeError
        If `reflections` is not a bool, or `p` is not a number.
    ValueError
        If `p` is not from 0 to 1.

    See Also
    --------
    RandomFlip : Reverse axes.
    RandomRotation : Rotate by any angle.

    Notes
    -----
    Symmetries are exact: voxels are copied.

    Examples
    --------
    >>> pipeline = volaug.Compose([volaug.RandomCubeSymmetry()], seed=7)
    >>> image = np.arange(8).reshape(2, 2, 2)
    >>> pipeline(image=image, index=0)["image"].ravel()
    array([5, 1, 7, 3, 4, 0, 6, 2])
    """

    reflections: bool = True

    def check(self) -> None:
        check_flag("reflections", self.reflections)

    def draw(self, grid: Grid, stream: RandomStream) -> "CubeSymmetry":
        possible = [one for one in ALL if self._keeps(one, grid)]
        return possible[stream.whole(0, len(possible) - 1)]

    def _keeps(self, symmetry: "CubeSymmetry", grid: Grid) -> bool:
        if not self.reflections and np.linalg.det(symmetry.matrix) < 0.0:
            return False
        sizes = np.linalg.norm(grid.to_mm, axis=0)
        return all(
            grid.shape[axis] == grid.shape[source]
            and abs(sizes[axis] - sizes[source]) <= SAME_SIZE * sizes[axis]
            for axis, source in enumerate(symmetry.order)
        )


@dataclass(frozen=True, repr=False)
class CubeSymmetry(SpatialOperation):
    """Show along each axis another axis of the image, some of them reversed.

    Axis `i` of the result is axis ``order[i]`` of the image. Those of `reversed_axes`, of the
    result, are reversed.
    """

    order: Shape
    reversed_axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        order = normalize(self.order)
        given = order if isinstance(order, tuple) else (order,)
        axes = tuple(checks.as_whole("order", axis, 0, 2) for axis in given)
        if sorted(axes) != [0, 1, 2]:
            raise ValueError(f"order must have the axes 0, 1 and 2, each once, got {order!r}")
        object.__setattr__(self, "order", axes)
        object.__setattr__(self, "reversed_axes", as_axes(self.reversed_axes))

    @property
    def matrix(self) -> Any:
        """The (3, 3) matrix from the axes of the result to those of the image."""
        matrix = np.zeros((3, 3))
        for axis, source in enumerate(self.order):
            matrix[source, axis] = -1.0 if axis in self.reversed_axes else 1.0
        return matrix

    def fuse(self, fusion: Fusion) -> None:
        matrix = self.matrix
        lengths = np.array(fusion.grid.shape)[list(self.order)]
        if tuple(lengths) != fusion.grid.shape:
            raise ValueError(
                f"the axes {self.order} of the shape {fusion.grid.shape} differ in length"
            )
        last = np.array(fusion.grid.shape) - 1.0
        fusion.pull(matrix, np.where(matrix.sum(axis=1) < 0.0, last, 0.0))


ALL = [
    CubeSymmetry((a, b, c), tuple(axis for axis in range(3) if signs[axis]))
    for a, b, c in itertools.permutations(range(3))
    for signs in itertools.product((False, True), repeat=3)
]
