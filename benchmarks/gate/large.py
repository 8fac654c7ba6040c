"""Jobs of large volumes with two threads: what the documentation says of before and after."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import volaug

from ..problem import SEED, as_integers, head, labels, pull_matrix, touched_like
from ..warps import elastic_warp

Call = Callable[[], object]
Volume = npt.NDArray[Any]

SIDE = 256


def _call(
    volume: Volume, warp: volaug.Warp, interpolation: str = "linear", mode: str = "constant"
) -> Call:
    out = touched_like(np.empty((*volume.shape[:-3], *warp.shape), volume.dtype))
    options: Any = {"interpolation": interpolation, "mode": mode, "out": out, "threads": 2}
    return lambda: warp.apply(volume, **options)


def _about_center(linear: Volume, side: int, output_side: int) -> Volume:
    """The (3, 4) matrix that leads from the center of an output cube to that of a cube."""
    center, output_center = np.full(3, (side - 1) / 2), np.full(3, (output_side - 1) / 2)
    return np.column_stack([linear, center - linear @ output_center])


def _affine(
    dtype: str = "float32",
    interpolation: str = "linear",
    channels: int = 1,
    mode: str = "constant",
) -> Call:
    volume = labels(SIDE) if interpolation in ("nearest", "label") else head(SIDE)
    volume = volume if dtype == volume.dtype else as_integers(volume, dtype)
    if channels > 1:
        volume = np.stack([volume] * channels)
    return _call(volume, volaug.Warp(volume.shape[-3:], pull_matrix(SIDE)), interpolation, mode)


def _turn(axis: int) -> Call:
    """By 45 degrees about one axis."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[[i, i, j, j], [i, j, i, j]] = np.sqrt(0.5) * np.array([1, -1, 1, 1])
    return _call(head(SIDE), volaug.Warp((SIDE,) * 3, _about_center(turn, SIDE, SIDE)))


def _resizing(side: int, output_side: int, interpolation: str = "linear") -> Call:
    side, output_side = (length * SIDE // 256 for length in (side, output_side))
    volume = labels(side) if interpolation == "nearest" else head(side)
    scaling = np.eye(3) * (side / output_side)
    warp = volaug.Warp((output_side,) * 3, _about_center(scaling, side, output_side))
    return _call(volume, warp, interpolation)


def _step(step: Any) -> Call:
    """On half the side, so that the threads end their parts often."""
    pipeline, image = volaug.Compose([step], seed=SEED), head(SIDE // 2)
    return lambda: pipeline(image=image, index=0, threads=2)


_JOBS: dict[str, Callable[[], Call]] = {
    "affine": _affine,
    "affine, int16": lambda: _affine("int16"),
    "affine, uint8": lambda: _affine("uint8"),
    "2 channels": lambda: _affine(channels=2),
    "4 channels": lambda: _affine(channels=4),
    "nearest": lambda: _affine("uint8", "nearest"),
    "label": lambda: _affine("uint8", "label"),
    "cubic": lambda: _affine(interpolation="cubic"),
    "mirror": lambda: _affine(mode="mirror"),
    "grid-constant": lambda: _affine(mode="grid-constant"),
    "elastic": lambda: _call(head(SIDE), elastic_warp(SIDE)),
    "turn about axis 0": lambda: _turn(0),
    "turn about axis 1": lambda: _turn(1),
    "turn about axis 2": lambda: _turn(2),
    "128 to 256": lambda: _resizing(128, 256),
    "160 to 237": lambda: _resizing(160, 237),
    "256 to 192": lambda: _resizing(256, 192),
    "256 to 200, cubic": lambda: _resizing(256, 200, "cubic"),
    "128 to 256, nearest": lambda: _resizing(128, 256, "nearest"),
    "256 to 192, nearest": lambda: _resizing(256, 192, "nearest"),
    "contrast": lambda: _step(volaug.RandomContrast(p=1.0)),
    "gamma": lambda: _step(volaug.RandomGamma(p=1.0)),
    "noise": lambda: _step(volaug.RandomNoise(p=1.0)),
    "blur": lambda: _step(volaug.RandomBlur(p=1.0)),
    "bias field": lambda: _step(volaug.RandomBiasField(p=1.0)),
}
LARGE_JOBS = {f"{name}, large, 2 threads": make for name, make in _JOBS.items()}
