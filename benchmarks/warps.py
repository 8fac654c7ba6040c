"""The warps that are used the most: by the side of the cube, the threads, and the output."""

from typing import Any

import numpy as np

import volaug

from .measured import THREADS, _Operation, _Rate
from .problem import Array, control_points, head, pull_matrix, tiled, touched_like

SIDE = 256
WARPS = ["affine", "elastic"]


def elastic_warp(side: int) -> volaug.Warp:
    """Return a warp by 11^3 control points and the matrix."""
    return volaug.Warp((side, side, side), pull_matrix(side), 0.0, control_points())


def warp_of(kind: str, side: int) -> volaug.Warp:
    """Return one of the warps, by name."""
    return elastic_warp(side) if kind == "elastic" else volaug.Warp((side,) * 3, pull_matrix(side))


class Sides(_Rate):
    """`Warp.apply`, trilinear, float32, from small volumes to large ones."""

    params = (WARPS, [64, 128, 256, 512])
    param_names = ("warp", "side")

    def prepare(self, kind: str, side: int) -> Array:
        volume = tiled(head(min(side, 128)), side)  # what is made for 512 takes seconds
        self.out, self.warp = touched_like(volume), warp_of(kind, side)
        return volume

    def call(self) -> None:
        self.warp.apply(self.volume, out=self.out, threads=THREADS)


class Threads(_Rate):
    """The same with each number of threads; one that the machine does not have is no faster."""

    params = (WARPS, [1, 2, 4])
    param_names = ("warp", "threads")

    def prepare(self, kind: str, threads: int) -> Array:
        volume = head(SIDE)
        self.out, self.warp, self.threads = touched_like(volume), warp_of(kind, SIDE), threads
        return volume

    def call(self) -> None:
        self.warp.apply(self.volume, out=self.out, threads=self.threads)


class Functions(_Operation):
    """`affine_transform` and `elastic_deform` into a new array: with all checks, and its pages."""

    params = (WARPS,)
    param_names = ("warp",)

    def prepare(self, kind: str) -> Array:
        self.options: dict[str, Any] = {"matrix": pull_matrix(SIDE), "threads": THREADS}
        self.function: Any = volaug.affine_transform
        if kind == "elastic":
            self.function = volaug.elastic_deform
            self.options["control_points"] = control_points()
        return head(SIDE)

    def call(self) -> None:
        self.written: Array = self.function(self.volume, **self.options)


def head_of(dtype: str, side: int) -> Array:
    """Return the made-up head in any dtype: 0 to 1, or 0 to 200."""
    return head(side).astype(dtype) if np.dtype(dtype).kind == "f" else whole_head(dtype, side)


def whole_head(dtype: str, side: int) -> Array:
    """Return the made-up head in whole numbers, which every dtype holds."""
    levels: Array = np.rint(200.0 * head(side)).astype(dtype)
    return levels
