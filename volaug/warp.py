"""A warp: the geometry of one draw, apart from any volume."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import checks
from .bspline import bezier_net
from .resample import Request, as_request, resample

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
        cval: npt.ArrayLike = 0.0,
        out: Any = None,
        threads: int | None = None,
    ) -> Any:
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
        request = as_request(volume, self.shape, interpolation, mode, cval, out)
        return self._resample([request], threads)[0]

    def apply_all(
        self,
        volumes: Mapping[str, npt.ArrayLike],
        *,
        interpolation: str | Mapping[str, str] = "linear",
        mode: str | Mapping[str, str] = "constant",
        cval: npt.ArrayLike | Mapping[str, npt.ArrayLike] = 0.0,
        out: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> dict[str, Any]:
        """Resample several volumes through this warp: an image and its labels, say.

        The results are those of `apply`, to the last bit. But volumes of the same shape and
        memory order share the coordinates, which are then computed once for all of them, where
        their border is the same and none of them is "cubic".

        Parameters
        ----------
        volumes : mapping from names to arrays
            Each as for `apply`.
        interpolation, mode, cval : optional
            As for `apply`, for all volumes; or a mapping from names, which leaves the default to
            volumes that it does not name.
        out : mapping from names to arrays, optional
            Where to write the results that it names.
        threads : int, optional

        Returns
        -------
        dict
            The warped volumes by name. If anything is wrong with one of them, an error names it
            and none is written.
        """
        options = {
            "interpolation": _by_name("interpolation", interpolation, volumes, "linear"),
            "mode": _by_name("mode", mode, volumes, "constant"),
            "cval": _by_name("cval", cval, volumes, 0.0),
            "out": _by_name("out", {} if out is None else out, volumes, None),
        }
        requests = []
        for name, volume in volumes.items():
            given = {option: values[name] for option, values in options.items()}
            try:
                requests.append(as_request(volume, self.shape, **given))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name!r}: {error}") from error
        return dict(zip(volumes, self._resample(requests, threads), strict=True))

    def _resample(self, requests: Sequence[Request], threads: int | None) -> list[Any]:
        affine = self._affine  # type: ignore[attr-defined]
        return resample(requests, self.shape, affine, self.control_points, threads)

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


def _by_name(
    option: str, given: Any, names: Iterable[str], default: Any
) -> dict[str, Any]:
    """The value of an option for each name: one for all, or a mapping from some of them."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given)
    unknown = set(given) - set(names)
    if unknown:
        raise ValueError(
            f"{option} must be given for {', '.join(map(repr, names))}, "
            f"got {', '.join(map(repr, sorted(unknown, key=str)))}"
        )
    return {name: given.get(name, default) for name in names}
