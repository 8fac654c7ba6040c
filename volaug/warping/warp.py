"""A warp: the geometry of one draw, and its application to volumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..checks import Interpolation
from .engine.borders import Mode
from .geometry.alignment import ALIGNS, Align, resizing_map
from .geometry.inverse import inverse_control_points
from .grid_map import GridMap
from .resample import Request, as_request, warp_requests


@dataclass(frozen=True, eq=False)
class Warp(GridMap):
    """A map from the voxels of an output grid to the voxels of an input volume.

    Output voxel `o` reads the input at ``matrix @ (o + u(o)) + offset``, in voxels. The
    displacement ``u`` is a cubic B-spline over the output grid.

    Parameters
    ----------
    shape : (3,) ints
        Shape of the output, without channels.
    matrix : (3, 3), (3, 4) or (4, 4) array_like, optional
        Invertible matrix; the last two forms include the offset. Default: the identity.
    offset : float or (3,) array_like, default 0.0
        Offset in input voxels; only with a (3, 3) matrix.
    control_points : (3, k0, k1, k2) array_like, optional
        Coefficients of the displacement in output voxels, as in `elastic_deform`. Default: none.

    Attributes
    ----------
    matrix : (3, 3) float64 array
        The linear part; read-only.
    offset : (3,) float64 array
        The offset; read-only.
    control_points : (3, k0, k1, k2) float64 array or None
        The coefficients; read-only.

    Raises
    ------
    TypeError
        If an argument is not numeric, or `shape` is not of ints.
    ValueError
        If a shape is wrong, a number is not finite, the matrix is singular, or there are fewer than
        4 control points along an axis.

    See Also
    --------
    affine_transform : Resample through an affine map.
    elastic_deform : Resample through a deformation.
    Record.warp : The warp of a draw.

    Examples
    --------
    >>> shift = volaug.Warp((8, 1, 1), offset=(1, 0, 0))
    >>> shift.apply(np.arange(8).reshape(8, 1, 1)).ravel()
    array([1, 2, 3, 4, 5, 6, 7, 0])
    >>> shift.points_to_output([[5, 0, 0]])
    array([[4., 0., 0.]])
    """

    @classmethod
    def resizing(
        cls,
        shape: tuple[int, int, int],
        output_shape: tuple[int, int, int],
        align: Align = "edges",
    ) -> "Warp":
        """Return the warp that resizes volumes of one shape to another.

        Parameters
        ----------
        shape : (3,) ints
            Shape of the volumes, without channels.
        output_shape : (3,) ints
            Shape of the results.
        align : {"edges", "centers"}, default "edges"
            What stays in place, as in `resample`.

        Returns
        -------
        Warp
            Its matrix is diagonal.

        Raises
        ------
        TypeError, ValueError
            If a shape is not three lengths of at least one voxel, or `align` is unknown.

        See Also
        --------
        resample : The same for one volume, by shape or spacing.

        Examples
        --------
        Resize an image and its labels, and say where the result lies:

        >>> warp = volaug.Warp.resizing((8, 8, 8), (4, 8, 16))
        >>> volumes = {"image": np.ones((8, 8, 8)), "label": np.ones((8, 8, 8), np.uint8)}
        >>> how = {"label": "label"}
        >>> resized = warp.apply_all(volumes, interpolation=how, mode="nearest")
        >>> resized["label"].shape
        (4, 8, 16)
        >>> to_input = np.vstack([np.c_[warp.matrix, warp.offset], (0, 0, 0, 1)])
        >>> affine = np.diag((3, 1, 1, 1))  # of the volumes, from voxels to mm
        >>> (affine @ to_input).diagonal()
        array([6. , 1. , 0.5, 1. ])
        """
        source = checks.as_shape("shape", shape)
        target = checks.as_shape("output_shape", output_shape)
        checks.check_choice("align", align, ALIGNS)
        scales, offsets = resizing_map(source, target, align)
        return cls(target, np.diag(scales), offsets)

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
            Input volume of any shape; the warp is in its voxels.
        interpolation, mode, cval, out, threads : optional
            As in `affine_transform`.

        Returns
        -------
        array
            Of the warp's `shape`, with the volume's channels and dtype.

        Raises
        ------
        TypeError, ValueError
            As `affine_transform`.
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
        """Resample several volumes, such as an image and its labels, through this warp.

        The results are those of `apply`, to the last bit. Volumes of the same shape, memory order
        and border mode share the computation of coordinates, unless their interpolation is "cubic".

        Parameters
        ----------
        volumes : mapping from names to arrays
            Volumes as for `apply`.
        interpolation, mode, cval : optional
            As in `affine_transform`, for all volumes; or mappings from names, where names that are
            missing get the default.
        out : mapping from names to arrays, optional
            Arrays for the results that it names.
        threads : int, optional
            Maximum number of threads. Default: `get_num_threads()`.

        Returns
        -------
        dict
            The warped volumes by name.

        Raises
        ------
        TypeError, ValueError
            As `affine_transform`; the error names the volume, and nothing is written.

        Examples
        --------
        >>> volumes = {"image": np.ones((8, 8, 8)), "label": np.ones((8, 8, 8), np.uint8)}
        >>> warp = volaug.Warp((8, 8, 8), 0.5 * np.eye(3))
        >>> warped = warp.apply_all(volumes, interpolation={"label": "label"})
        >>> {name: volume.dtype.name for name, volume in warped.items()}
        {'image': 'float64', 'label': 'uint8'}
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
        return warp_requests(requests, self.shape, self._affine, self.control_points, threads)

    def inverse(self, input_shape: tuple[int, int, int]) -> "Warp":
        """Return the warp that undoes this one.

        Parameters
        ----------
        input_shape : (3,) ints
            Shape of its output: that of the input volume of this warp.

        Returns
        -------
        Warp
            Exact for an affine warp. The inverse of a displacement is not a B-spline; it is
            approximated by one, on a lattice that is refined until the error is less than 1e-3
            output voxel wherever a point of `input_shape` lies in the output grid of this warp.

        Raises
        ------
        TypeError
            If `input_shape` is not of ints.
        ValueError
            If the displacement folds, or varies too fast for a lattice of 2^20 knots.

        Examples
        --------
        >>> volaug.Warp((8, 8, 8), offset=2.5).inverse((16, 16, 16)).offset
        array([-2.5, -2.5, -2.5])
        """
        source = checks.as_shape("input_shape", input_shape)
        points = self.control_points
        if points is not None:
            points = inverse_control_points(self._affine, points, self.shape, source)
        matrix = np.linalg.inv(self.matrix)
        return Warp(source, matrix, -matrix @ self.offset, points)
