"""A warp: the geometry of one draw, apart from any volume."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import checks
from .bspline import bezier_net
from .resample import resample

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

KEYS = ("shape", "matrix", "offset", "control_points")


@dataclass(frozen=True, eq=False)
class Warp:
    """A map from the voxels of an output grid to the voxels of an input volume.

    Output voxel `o` reads the input at ``matrix @ (o + u(o)) + offset``, in voxels; the
    displacement ``u`` is a cubic B-spline over the output grid.

    Parameters
    ----------
    shape : (3,) ints
        The output grid.
    matrix : (3, 3), (3, 4) or (4, 4) array_like, optional
        Invertible; the identity by default. The latter two carry the offset.
    offset : float or (3,) array_like
        In input voxels.
    control_points : (3, k0, k1, k2) array_like, optional
        Coefficients of the displacement in output voxels, as in `elastic_deform`. No
        displacement by default.

    Attributes
    ----------
    matrix, offset : (3, 3) and (3,) float64 arrays
        Read-only copies, whatever form they were given in.
    control_points : (3, k0, k1, k2) float64 array or None

    Raises
    ------
    TypeError, ValueError
        Saying what was wanted and what was given.
    """

    shape: tuple[int, int, int]
    matrix: Any = None
    offset: Any = 0.0
    control_points: Any = None

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
        if not isinstance(other, Warp):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Pickle what it was made of, so that its arrays are read-only in a worker as well."""
        affine = np.column_stack([self.matrix, self.offset])
        return Warp, (self.shape, affine, 0.0, self.control_points)

    def apply(
        self,
        volume: npt.ArrayLike,
        *,
        interpolation: str = "linear",
        mode: str = "constant",
        cval: float = 0.0,
        out: npt.NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> npt.NDArray[Any]:
        """Resample a volume through this warp.

        Parameters
        ----------
        volume : (n0, n1, n2) or (C, n0, n1, n2) array
            Of any shape: the warp is in its voxels.
        interpolation, mode, cval, out, threads
            As for `affine_transform`.

        Returns
        -------
        array of the warp's `shape`, with the volume's channels and dtype
        """
        return resample(
            volume,
            self.shape,
            self._affine,  # type: ignore[attr-defined]
            self.control_points,
            interpolation,
            mode,
            cval,
            out,
            threads,
        )

    def source_box(self, shape: tuple[int, int, int]) -> Box:
        """What part of an input volume `apply` can read.

        Parameters
        ----------
        shape : (3,) ints
            Of the input volume, without its channels.

        Returns
        -------
        ((start, stop), (start, stop), (start, stop))
            Half-open, along axes 0, 1, 2; three times (0, 0) if nothing is read. Tight for an
            affine warp. For a B-spline it is that of the hull of its Bezier points, which
            touches the true range or is wider by a part of a span's curvature.
        """
        lengths = checks.as_shape("shape", shape)
        knots = (2, 2, 2)
        if self.control_points is not None:
            net = bezier_net(self.control_points)
            knots = net.shape[1:]
        axes = [np.linspace(0, n - 1, k) for n, k in zip(self.shape, knots, strict=True)]
        places = np.stack(np.meshgrid(*axes, indexing="ij"))
        if self.control_points is not None:
            places += net
        read = np.tensordot(self.matrix, places, axes=1) + self.offset[:, None, None, None]
        # coordinates are rounded to 2^-32 voxel, see kernels/cells.py
        low, high = (
            np.round(np.array([read.min(axis=(1, 2, 3)), read.max(axis=(1, 2, 3))]) * 2.0**32)
            / 2.0**32
        )
        last = np.subtract(lengths, 1)
        if (high < 0).any() or (low > last).any():
            return ((0, 0), (0, 0), (0, 0))
        start = np.floor(np.maximum(low, 0)).astype(int).tolist()
        stop = (np.ceil(np.minimum(high, last)) + 1).astype(int).tolist()
        return tuple(zip(start, stop, strict=True))  # type: ignore[return-value]

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
    def from_dict(cls, values: dict[str, Any]) -> "Warp":
        """The warp of which `to_dict` made `values`."""
        if not isinstance(values, dict) or set(values) != set(KEYS):
            given = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise ValueError(f"a warp has the keys {', '.join(KEYS)}, got {given}")
        return cls(**values)
