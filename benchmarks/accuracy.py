"""The largest error, beside scipy.ndimage in float64, of what a user asks for in float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

import volaug

from .measured import THREADS, _Measured
from .problem import SEED, Array, Floats, pull_matrix
from .warps import elastic_warp

SIDE = 64
ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}


def noise() -> Array:
    """Return white noise, 0 to 1, which no interpolation can guess."""
    return np.random.default_rng(SEED).random((SIDE,) * 3, dtype=np.float32)


def coordinates(warp: volaug.Warp) -> Floats:
    """Return where each output voxel reads, from volaug's own mapping of points, in float64."""
    places = np.stack(np.meshgrid(*(np.arange(SIDE),) * 3, indexing="ij"), axis=-1)
    inside: Floats = np.asarray(warp.points_to_input(places.reshape(-1, 3).astype(np.float64)))
    return inside.T.reshape(3, SIDE, SIDE, SIDE)


def _warped(warp: volaug.Warp, interpolation: Any) -> tuple[Array, Array]:
    volume = noise()
    ours = warp.apply(volume, interpolation=interpolation, mode="mirror", threads=THREADS)
    theirs = ndimage.map_coordinates(
        volume.astype(np.float64),
        coordinates(warp),
        order=ORDERS[interpolation],
        mode="mirror",
    )
    return ours, theirs


def _resized() -> tuple[Array, Array]:
    volume, shape = noise(), (48, 80, 72)
    factors = np.divide(shape, volume.shape)
    ours = volaug.resample(volume, shape, threads=THREADS)
    theirs = ndimage.zoom(
        volume.astype(np.float64), factors, order=1, mode="nearest", grid_mode=True
    )
    return ours, theirs


def _filtered() -> tuple[Array, Array]:
    volume = noise()
    ours = volaug.spline_filter(volume, threads=THREADS)
    return ours, ndimage.spline_filter(volume.astype(np.float64), mode="mirror")


def affine() -> volaug.Warp:
    """Return the warp of `pull_matrix`."""
    return volaug.Warp((SIDE,) * 3, pull_matrix(SIDE))


PAIRS: dict[str, Callable[[], tuple[Array, Array]]] = {
    "affine, linear": lambda: _warped(affine(), "linear"),
    "affine, nearest": lambda: _warped(affine(), "nearest"),
    "affine, cubic": lambda: _warped(affine(), "cubic"),
    "elastic, linear": lambda: _warped(elastic_warp(SIDE), "linear"),
    "resized": _resized,
    "spline filter": _filtered,
}


class LargestError(_Measured):
    """In units of the range of the voxels, which is 1."""

    params = (list(PAIRS),)
    param_names = ("operation",)

    def track_error(self, name: str) -> float:
        ours, theirs = PAIRS[name]()
        return float(np.abs(ours - theirs).max())

    track_error.unit = "of the range"  # type: ignore[attr-defined]
