"""A map from one voxel grid to another, independent of any volume."""

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
    """The geometry of a `Warp`: where points lie. `Warp` describes the fields."""

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
        """Whether two warps are equal to the last bit."""
        if not isinstance(other, GridMap):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Pickle the arguments, so that the arrays are read-only in a worker as well."""
        affine = np.column_stack([self.matrix, self.offset])
        return type(self), (self.shape, affine, 0.0, self.control_points)

    def points_to_input(self, points: npt.ArrayLike) -> Floats:
        """Map points from the output to the input: ``matrix @ (o + u(o)) + offset``.

        Parameters
        ----------
        points : (N, 3) array_like
            Points in output voxels, which may lie between them. Outside of the output grid, the
            displacement is that of the nearest point of the grid.

        Returns
        -------
        (N, 3) float64 array
            Points in input voxels.

        Raises
        ------
        TypeError, ValueError
            If the points are not (N, 3) finite numbers.

        Examples
        --------
        >>> volaug.Warp((8, 8, 8), 2 * np.eye(3)).points_to_input([[1, 2, 3.5]])
        array([[2., 4., 7.]])
        """
        places = checks.as_points(points)
        if self.control_points is not None:
            places = displace(over_grid(self.control_points, self.shape), places)
        pulled: Floats = matmul(places, self.matrix.T) + self.offset
        return pulled

    def points_to_output(self, points: npt.ArrayLike) -> Floats:
        """Map points, such as landmarks, from the input to the output.

        The inverse of `points_to_input`; with a displacement, by Newton's method.

        Parameters
        ----------
        points : (N, 3) array_like
            Points in input voxels, which may lie between them.

        Returns
        -------
        (N, 3) float64 array
            Points in output voxels, accurate to 1e-6 voxel; those that the output does not show lie
            outside of its grid. Where the displacement folds, several output points read the same
            input point: the result is one of them, or NaN if none was found.

        Raises
        ------
        TypeError, ValueError
            If the points are not (N, 3) finite numbers.

        Examples
        --------
        >>> volaug.Warp((8, 8, 8), 2 * np.eye(3)).points_to_output([[2, 4, 7]])
        array([[1. , 2. , 3.5]])
        """
        places = solve(self.matrix, (checks.as_points(points) - self.offset).T).T
        if self.control_points is None:
            return np.ascontiguousarray(places)
        return undisplace(over_grid(self.control_points, self.shape), places)

    def boxes_to_input(self, boxes: npt.ArrayLike) -> Floats:
        """Return boxes in the input around what boxes in the output read.

        Parameters
        ----------
        boxes : (N, 2, 3) array_like
            Minimum and maximum corner of each box, in output voxels.

        Returns
        -------
        (N, 2, 3) float64 array
            Boxes in input voxels; see `boxes_to_output`.
        """
        return moved_boxes(checks.as_boxes(boxes), self.points_to_input, self._knots())

    def boxes_to_output(self, boxes: npt.ArrayLike) -> Floats:
        """Return boxes in the output around the image of boxes in the input.

        Parameters
        ----------
        boxes : (N, 2, 3) array_like
            Minimum and maximum corner of each box, in input voxels.

        Returns
        -------
        (N, 2, 3) float64 array
            Boxes in output voxels, not clipped to its grid. Exact for an affine warp, else accurate
            to half a voxel. NaN where a point of the box has no counterpart in the output.

        Raises
        ------
        TypeError, ValueError
            If the boxes are not (N, 2, 3) finite numbers, or a minimum is greater than its maximum.

        Examples
        --------
        >>> flip = volaug.Warp((8, 8, 8), np.diag((-1, 1, 1)), (7, 0, 0))
        >>> flip.boxes_to_output([[[0, 0, 0], [2, 3, 4]]])
        array([[[5., 0., 0.],
                [7., 3., 4.]]])
        """
        knots = self._knots()
        if knots is not None:
            knots = 1.0 / np.abs(np.linalg.inv(self.matrix) / knots[:, np.newaxis]).max(axis=0)
        return moved_boxes(checks.as_boxes(boxes), self.points_to_output, knots)

    def _knots(self) -> Floats | None:
        """Return the spacing of the displacement's knots, in output voxels."""
        if self.control_points is None:
            return None
        return np.array(knot_spacing(self.shape, self.control_points.shape[1:]))

    def jacobian_determinant(self, *, threads: int | None = None) -> Floats:
        """Return the volume that each output voxel reads, in voxels; negative where mirrored.

        Parameters
        ----------
        threads : int, optional
            Maximum number of threads. Default: `get_num_threads()`.

        Returns
        -------
        (n0, n1, n2) float64 array
            Determinant of the derivative of `points_to_input`, from the B-spline itself, at each
            output voxel. Along an axis of one voxel the displacement counts as constant.

        Examples
        --------
        >>> volaug.Warp((1, 1, 2), 2 * np.eye(3)).jacobian_determinant().round(9)
        array([[[8., 8.]]])
        """
        count = thread_count(threads)
        if self.control_points is None:
            return np.full(self.shape, np.linalg.det(self.matrix))
        determinants = np.empty(self.shape)
        min_determinant(self._affine, self.control_points, self.shape, count, determinants)
        return determinants

    def min_jacobian_determinant(self, *, threads: int | None = None) -> float:
        """Return the minimum of `jacobian_determinant`, to the last bit, without the array.

        Parameters
        ----------
        threads : int, optional
            Maximum number of threads. Default: `get_num_threads()`.

        Returns
        -------
        float
            The minimum; it is positive if nothing folds and nothing is mirrored.
        """
        count = thread_count(threads)
        if self.control_points is None:
            return float(np.linalg.det(self.matrix))
        return min_determinant(self._affine, self.control_points, self.shape, count)

    def source_box(self, input_shape: tuple[int, int, int]) -> Box:
        """Return the part of an input volume that `apply` can read.

        Parameters
        ----------
        input_shape : (3,) ints
            Shape of the input volume, without channels.

        Returns
        -------
        ((start, stop), (start, stop), (start, stop))
            Half-open ranges along axes 0, 1, 2: the voxels around the range of the map over the
            output. Three times (0, 0) if the map stays a whole voxel or more outside along some
            axis.

        Notes
        -----
        It holds for every interpolation but "cubic", whose coefficients depend on every voxel, and
        for borders that fill; the others also read what they fold back into the volume.

        Examples
        --------
        >>> volaug.Warp((4, 4, 4), offset=(2.5, 0, 0)).source_box((16, 4, 4))
        ((2, 7), (0, 4), (0, 4))
        """
        lengths = checks.as_shape("input_shape", input_shape)
        points = np.zeros((3, 4, 4, 4)) if self.control_points is None else self.control_points
        return source_box(self._affine, points, self.shape, lengths)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists; exact, also through JSON.

        Returns
        -------
        dict
            What `from_dict` takes.
        """
        points = self.control_points
        return {
            "shape": list(self.shape),
            "matrix": self.matrix.tolist(),
            "offset": self.offset.tolist(),
            "control_points": None if points is None else points.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the warp of which `to_dict` made `values`.

        Parameters
        ----------
        values : dict
            What `to_dict` returned.

        Returns
        -------
        Warp
            Equal to the original, to the last bit.

        Raises
        ------
        TypeError, ValueError
            If the keys are not those of `to_dict`, or a value is wrong.
        """
        if not isinstance(values, dict) or set(values) != set(KEYS):
            given = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise ValueError(f"a warp has the keys {', '.join(KEYS)}, got {given}")
        return cls(**values)
