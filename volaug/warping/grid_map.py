"""A map from one voxel grid to another, apart from any volume."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .. import checks
from ..threads.limits import thread_count
from .geometry.blas import matmul, solve
from .geometry.bounds import Box, source_box
from .geometry.boxes import moved_boxes
from .geometry.bspline import Floats, knot_spacing
from .geometry.displacement import displace, over_grid, undisplace
from .geometry.jacobian import min_determinant

KEYS = ("shape", "matrix", "offset", "control_points")


@dataclass(frozen=True, eq=False)
class GridMap:
    """The geometry of a `Warp`: where places lie, and what volumes become. See there."""

    shape: tuple[int, int, int]
    matrix: Any = None
    offset: Any = 0.0
    control_points: Any = None
    _affine: Floats = field(init=False, repr=False)  # (3, 4): the matrix and the offset

    def __post_init__(self) -> None:
        affine = checks.as_affine(self.matrix, self.offset)
        points = self.control_points
        if points is not None:
            points = checks.as_control_points(points)
            points.flags.writeable = False
        affine.flags.writeable = False
        object.__setattr__(self, "shape", checks.as_shape("shape", self.shape))
        object.__setattr__(self, "_affine", affine)
        object.__setattr__(self, "matrix", affine[:, :3])
        object.__setattr__(self, "offset", affine[:, 3])
        object.__setattr__(self, "control_points", points)

    def __eq__(self, other: object) -> bool:
        """Whether two warps are the same to the last bit."""
        if not isinstance(other, GridMap):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Pickle what it was made of, so that its arrays are read-only in a worker as well."""
        affine = np.column_stack([self.matrix, self.offset])
        return type(self), (self.shape, affine, 0.0, self.control_points)

    def points_to_input(self, points: npt.ArrayLike) -> Floats:
        """Where places in the output lie in the input: ``matrix @ (o + u(o)) + offset``.

        Parameters
        ----------
        points : (N, 3) array_like
            In output voxels, and between them. Outside of the output grid the displacement is
            continued by that of the nearest point of the grid, without a jump.

        Returns
        -------
        (N, 3) float64 array
            In input voxels.

        Raises
        ------
        TypeError, ValueError
            Saying what was wanted and what was given.
        """
        places = checks.as_points(points)
        if self.control_points is not None:
            places = displace(over_grid(self.control_points, self.shape), places)
        pulled: Floats = matmul(places, self.matrix.T) + self.offset
        return pulled

    def points_to_output(self, points: npt.ArrayLike) -> Floats:
        """Where places in the input, such as landmarks, lie in the output.

        This is the inverse of `points_to_input`, by Newton's method where there is a displacement.

        Parameters
        ----------
        points : (N, 3) array_like
            In input voxels, and between them.

        Returns
        -------
        (N, 3) float64 array
            In output voxels, to 1e-6 voxel or better; places that are not in the output lie
            outside of its grid. Where the displacement folds, several places of the output
            read the same one of the input: then it is one of them, or NaN if none was found.

        Raises
        ------
        TypeError, ValueError
            Saying what was wanted and what was given.
        """
        places = solve(self.matrix, (checks.as_points(points) - self.offset).T).T
        if self.control_points is None:
            return np.ascontiguousarray(places)
        return undisplace(over_grid(self.control_points, self.shape), places)

    def boxes_to_input(self, boxes: npt.ArrayLike) -> Floats:
        """Boxes in the input around what boxes in the output read; see `boxes_to_output`."""
        return moved_boxes(checks.as_boxes(boxes), self.points_to_input, self._knots())

    def boxes_to_output(self, boxes: npt.ArrayLike) -> Floats:
        """Boxes in the output around what becomes of boxes in the input.

        Parameters
        ----------
        boxes : (N, 2, 3) array_like
            The least and the greatest corner of each, in input voxels, and between them.

        Returns
        -------
        (N, 2, 3) float64 array
            In output voxels, and not cut at its grid. Exact for an affine warp, to half a voxel
            else. NaN where a point of the box has no place in the output.

        Raises
        ------
        TypeError, ValueError
            Saying what was wanted and what was given.
        """
        knots = self._knots()
        if knots is not None:
            knots = 1.0 / np.abs(np.linalg.inv(self.matrix) / knots[:, np.newaxis]).max(axis=0)
        return moved_boxes(checks.as_boxes(boxes), self.points_to_output, knots)

    def _knots(self) -> Floats | None:
        """The distance of the displacement's knots, in output voxels."""
        if self.control_points is None:
            return None
        return np.array(knot_spacing(self.shape, self.control_points.shape[1:]))

    def jacobian_determinant(self, *, threads: int | None = None) -> Floats:
        """How many times its own volume each output voxel reads, negative where mirrored.

        Parameters
        ----------
        threads : int, optional
            At most this many threads; see `set_num_threads`.

        Returns
        -------
        float64 array of the warp's `shape`
            The determinant of the derivative of `points_to_input`, taken of the B-spline itself at
            each voxel. Along an axis of one voxel the displacement counts as constant.
        """
        count = thread_count(threads)
        if self.control_points is None:
            return np.full(self.shape, np.linalg.det(self.matrix))
        determinants = np.empty(self.shape)
        min_determinant(self._affine, self.control_points, self.shape, count, determinants)
        return determinants

    def min_jacobian_determinant(self, *, threads: int | None = None) -> float:
        """The least of `jacobian_determinant`, to the bit, without an array of them.

        Parameters
        ----------
        threads : int, optional
            At most this many threads; see `set_num_threads`.

        Returns
        -------
        float
        """
        count = thread_count(threads)
        if self.control_points is None:
            return float(np.linalg.det(self.matrix))
        return min_determinant(self._affine, self.control_points, self.shape, count)

    def source_box(self, shape: tuple[int, int, int]) -> Box:
        """What part of an input volume `apply` can read.

        Parameters
        ----------
        shape : (3,) ints
            Of the input volume, without its channels.

        Returns
        -------
        ((start, stop), (start, stop), (start, stop))
            Half-open, along axes 0, 1, 2: the voxels around the range of the map over the
            output grid. Outside of the volume that is the voxel on its border; three times
            (0, 0) if the map stays a whole voxel or more outside along some axis.

        Notes
        -----
        For all interpolations but "cubic", whose coefficients depend on every voxel, and for
        borders that fill; others read what they fold back into the volume as well.
        """
        lengths = checks.as_shape("shape", shape)
        points = np.zeros((3, 4, 4, 4)) if self.control_points is None else self.control_points
        return source_box(self._affine, points, self.shape, lengths)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; exact, also through JSON."""
        points = self.control_points
        return {
            "shape": list(self.shape),
            "matrix": self.matrix.tolist(),
            "offset": self.offset.tolist(),
            "control_points": None if points is None else points.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The warp of which `to_dict` made `values`."""
        if not isinstance(values, dict) or set(values) != set(KEYS):
            given = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise ValueError(f"a warp has the keys {', '.join(KEYS)}, got {given}")
        return cls(**values)
