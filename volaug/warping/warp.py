"""A warp: the geometry of one draw, and what it does to volumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import Interpolation
from .engine.borders import Mode
from .geometry.inverse import inverse_control_points
from .grid_map import GridMap
from .resample import Request, as_request, resample


@dataclass(frozen=True, eq=False)
class Warp(GridMap):
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

    def apply(
        self,
        volume: npt.ArrayLike,
        *,
        interpolation: Interpolation = "linear",
        mode: Mode = "constant",
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
        checks.warn_of_last_channels("volume", volume, stacklevel=2)
        return self._resample([request], threads)[0]

    def apply_all(
        self,
        volumes: Mapping[str, npt.ArrayLike],
        *,
        interpolation: Interpolation | Mapping[str, Interpolation] = "linear",
        mode: Mode | Mapping[str, Mode] = "constant",
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
        if not isinstance(volumes, Mapping):
            raise TypeError(
                f"volumes must be a mapping from names to arrays, got {type(volumes).__name__}"
            )
        if out is not None and not isinstance(out, Mapping):
            raise TypeError(f"out must be a mapping from names to arrays, got {type(out).__name__}")
        options = {
            "interpolation": checks.by_name("interpolation", interpolation, volumes, "linear"),
            "mode": checks.by_name("mode", mode, volumes, "constant"),
            "cval": checks.by_name("cval", cval, volumes, 0.0),
            "out": checks.by_name("out", {} if out is None else out, volumes, None),
        }
        requests = []
        for name, volume in volumes.items():
            given = {option: values[name] for option, values in options.items()}
            try:
                requests.append(as_request(volume, self.shape, **given, name=f"out[{name!r}]"))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name!r}: {error}") from error
        return dict(zip(volumes, self._resample(requests, threads), strict=True))

    def _resample(self, requests: Sequence[Request], threads: int | None) -> list[Any]:
        return resample(requests, self.shape, self._affine, self.control_points, threads)

    def inverse(self, shape: tuple[int, int, int]) -> "Warp":
        """The warp that undoes this one.

        Parameters
        ----------
        shape : (3,) ints
            Its output grid: the shape of the input volume of this warp.

        Returns
        -------
        Warp
            Exact for an affine warp. Of a displacement the inverse is no B-spline; it is
            interpolated by one, on a lattice that is refined until the error is less than 1e-3
            output voxel wherever a place of `shape` lies in this warp's output grid.

        Raises
        ------
        TypeError, ValueError
            Also if the displacement folds, or varies too fast for a lattice of 2^20 knots.
        """
        source = checks.as_shape("shape", shape)
        points = self.control_points
        if points is not None:
            points = inverse_control_points(self._affine, points, self.shape, source)
        matrix = np.linalg.inv(self.matrix)
        return Warp(source, matrix, -matrix @ self.offset, points)
